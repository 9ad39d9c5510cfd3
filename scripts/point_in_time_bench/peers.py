"""Other stores beside the product: installed into an environment of their own, and asked as child processes."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pyspark
from peer_environment import last_line, python_of, why_missing
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from point_in_time_bench.data import Inputs
from point_in_time_bench.methods import Checksum, Void, checksum

#: Feast is given the very Spark that the product has.
WANTED = {"feast": "feast[spark]==0.67.0", "polars": "polars==2.1.0", "duckdb": "duckdb==2.0.1"}
_SPARK = f"pyspark=={pyspark.__version__}"
#: A store that starts slower than this does not start.
_START_S = 120.0
#: What a session of the same kind is told.
_CONF = ("spark.driver.", "spark.jars", "spark.master", "spark.sql.", "spark.ui.", "spark.databricks.")


@dataclass(frozen=True)
class Installed:
    """The environment of the other stores.

    Attributes:
        python: Its interpreter.
        missing: Why nothing of it can be used; empty when all can.
    """

    python: Path
    missing: str = ""

    @staticmethod
    def into(folder: Path) -> Installed:
        """Make the environment, unless the wanted versions are there already."""
        return Installed(python_of(folder), why_missing(folder, [*WANTED.values(), _SPARK]))


@dataclass(frozen=True)
class Peers:
    """Makes the methods of a case that other stores are.

    Attributes:
        installed: Their environment.
        names: Which of them.
        session: The bench's own Spark, which compares their rows.
        folder: For what they keep.
        memory: For those that can be told how much.
    """

    installed: Installed
    names: Collection[str]
    session: SparkSession
    folder: Path
    memory: str

    def of(self, inputs: Inputs, *, group: str) -> Iterator[PeerMethod]:
        """Every store, asked to join the same files."""
        for name in self.names:
            folder = self.folder / f"peer_{len(list(self.folder.glob('peer_*')))}"
            folder.mkdir()
            yield PeerMethod(name, group, self.installed, folder, self._job(inputs, folder), self.session)

    def _job(self, inputs: Inputs, folder: Path) -> Mapping[str, Any]:
        conf = {key: value for key, value in self.session.sparkContext.getConf().getAll() if key.startswith(_CONF)}
        views = [
            {
                "name": one.view.name,
                "features": {name: dtype.kind for name, dtype in one.features.items()},
                **_files(one.history),
            }
            for one in inputs.values
        ]
        columns = [f"{one.view.name}__{name}" for one in inputs.values for name in one.features]
        return {
            "folder": str(folder),
            "conf": conf,
            "memory": self.memory,
            "labels": _files(inputs.spine),
            "views": views,
            "columns": [*inputs.spine.columns, *columns],
        }


@dataclass
class PeerMethod:
    """A store in a process of its own.

    Attributes:
        name: Of the store.
        group: What it answers.
        installed: Its environment.
        folder: Its own.
        job: What it joins.
        session: The bench's Spark.
        process: Where it runs; started when it is first asked.
        has_answered: Until then it may still be starting.
    """

    name: str
    group: str
    installed: Installed
    folder: Path
    job: Mapping[str, Any]
    session: SparkSession
    process: subprocess.Popen[str] | None = field(default=None, init=False)
    has_answered: bool = field(default=False, init=False)

    def seconds(self, limit_s: float | None) -> float:
        """What the store says that it took."""
        return self._ask("run", limit_s)

    def checksum(self) -> Checksum:
        """Of the rows that the store wrote, by the same calculation as everybody's."""
        kept = self.folder / "kept"
        self._ask(f"keep {kept}", None)
        try:
            return checksum(self.session.read.parquet(str(kept)).select(*(F.col(name) for name in self.job["columns"])))
        except PySparkException as failure:
            raise Void(f"its rows cannot be read: {last_line(str(failure))}") from failure

    def processes(self) -> tuple[int, ...]:
        """The store's."""
        return (self._started().pid,)

    def close(self) -> None:
        """End the store, and whatever it started."""
        if self.process is None:
            return
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def _ask(self, command: str, limit_s: float | None) -> float:
        process = self._started()
        if process.stdin is None or process.stdout is None:
            raise Void("it has no pipes")
        try:
            process.stdin.write(f"{command}\n")
            process.stdin.flush()
        except BrokenPipeError:
            raise Void(self._failure()) from None
        waited_s = None if limit_s is None else limit_s + (0 if self.has_answered else _START_S)
        if not select.select([process.stdout], [], [], waited_s)[0]:
            self.close()
            raise Void(f"not finished after {limit_s:.0f} s")
        answer = process.stdout.readline()
        if not answer:
            raise Void(self._failure())
        self.has_answered = True
        return float(json.loads(answer)["s"])

    def _started(self) -> subprocess.Popen[str]:
        if self.installed.missing:
            raise Void(self.installed.missing)
        if self.process is None:
            job = self.folder / "job.json"
            job.write_text(json.dumps(self.job), encoding="utf-8")
            command = [str(self.installed.python), str(Path(__file__).with_name("peer.py")), self.name, str(job)]
            with (self.folder / "log").open("w") as log:
                self.process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    start_new_session=True,
                    cwd=self.folder,
                    env=self._environ(),
                )
        return self.process

    def _environ(self) -> dict[str, str]:
        ours = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SPARK_", "PYSPARK"))
        }
        return {
            **ours,
            "PYSPARK_PYTHON": str(self.installed.python),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_DIRS": str(self.folder),
            "SPARK_CONF_DIR": os.environ.get("SPARK_CONF_DIR", ""),
            "TZ": "UTC",
        }

    def _failure(self) -> str:
        return f"it failed: {last_line((self.folder / 'log').read_text(encoding='utf-8', errors='replace'))}"


def _files(table: DataFrame) -> dict[str, object]:
    """A Delta table's folder, and its live files."""
    files = sorted(unquote(urlparse(file).path) for file in table.inputFiles())
    return {"table": str(Path(files[0]).parent), "files": files}
