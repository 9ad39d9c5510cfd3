"""Feast beside the product: installed once into an environment of its own, asked as a child process."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from peer_environment import last_line, python_of, why_missing

from online_bench.lab import Lab

WANTED = "feast[cassandra]==0.67.0"


class Void(Exception):
    """The peer has no figure, and why."""


class Peer:
    """A Feast store in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process, self._log = process, log

    def ask(self, command: str) -> dict[str, Any]:
        """Tell it what to do and take its answer.

        Raises:
            Void: It failed, or gave wrong values.
        """
        if self._process.stdin is None or self._process.stdout is None:
            raise Void("it has no pipes")
        try:
            self._process.stdin.write(f"{command}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Void(last_line(self._log.read_text(errors="replace"))) from None
        answer = self._process.stdout.readline()
        if not answer:
            raise Void(last_line(self._log.read_text(errors="replace")))
        told: dict[str, Any] = json.loads(answer)
        if "void" in told:
            raise Void(told["void"])
        return told


@contextmanager
def feast(lab: Lab, home: Path, folder: Path) -> Iterator[Peer]:
    """A store of Feast's on the same node, in a keyspace of its own.

    Raises:
        Void: It cannot be installed.
    """
    missing = why_missing(home, [WANTED])
    if missing:
        raise Void(missing)
    lab.session.execute(
        "CREATE KEYSPACE IF NOT EXISTS feast_bench WITH replication = "
        "{'class': 'NetworkTopologyStrategy', 'datacenter1': 1}"
    )
    folder.mkdir()
    job, log = folder / "job.json", folder / "log"
    place = {"host": lab.target.contact_points[0], "port": lab.target.port, "folder": str(folder)}
    job.write_text(json.dumps(place), encoding="utf-8")
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with log.open("w") as told:
        process = subprocess.Popen(
            [str(python_of(home)), str(Path(__file__).with_name("feast_peer.py")), str(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=told,
            text=True,
            cwd=folder,
            env={**ours, "FEAST_USAGE": "False"},
        )
    try:
        yield Peer(process, log)
    finally:
        process.kill()
        process.wait()
