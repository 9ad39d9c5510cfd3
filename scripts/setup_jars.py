"""Jars for the set-up: fetched once per user, checked against the committed hashes, moved into place in one step."""

from __future__ import annotations

import hashlib
import os
import runpy
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class Stop(Exception):
    """The set-up cannot go on; the message is the one line that the person sees."""

    def __init__(self, message: str, *, exit_code: int = 75) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Artefact:
    """One coordinate of a Maven repository."""

    group: str
    name: str
    version: str


@dataclass(frozen=True)
class Wanted:
    """A set of jars: the coordinates to ask for, and the committed list of what must come."""

    name: str
    artefacts: tuple[Artefact, ...]
    transitive: bool

    @property
    def folder(self) -> Path:
        """Where the set is kept for every checkout of this user."""
        # the package is not importable before its dependencies are installed, this one file of it is
        places: dict[str, Any] = runpy.run_path(str(ROOT / "skewless" / "config" / "jars.py"))
        folder: Path = places[self.name.upper()].folder(os.environ)
        return folder

    def list_file(self, root: Path) -> Path:
        """The committed hashes."""
        return root / "conf" / "jars" / f"{self.name}.sha256"

    def hashes(self, root: Path) -> dict[str, str]:
        """File name → SHA-256 of every jar of the set."""
        lines = self.list_file(root).read_text(encoding="ascii").splitlines()
        return {name: digest for digest, name in (line.split() for line in lines if line)}

    def is_present(self, root: Path) -> bool:
        """True when every file is there; what is in the folder was verified before it got there."""
        try:
            there = {entry.name for entry in os.scandir(self.folder)}
        except OSError:
            return False
        return there >= set(self.hashes(root))


DELTA = Wanted(
    "delta",
    (Artefact("io.delta", "delta-spark_4.2_2.13", "4.4.0"), Artefact("io.delta", "delta-storage", "4.4.0")),
    transitive=False,
)
CASSANDRA = Wanted("cassandra", (Artefact("org.apache.cassandra", "cassandra-all", "5.0.9"),), transitive=True)

_POM = """<project><modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>jars</artifactId><version>1</version><dependencies>{dependencies}</dependencies>
</project>"""
_DEPENDENCY = (
    "<dependency><groupId>{0.group}</groupId><artifactId>{0.name}</artifactId>"
    "<version>{0.version}</version></dependency>"
)


class JarDownload:
    """Brings one set of jars into the cache.

    Args:
        wanted: The set.
        root: The checkout.
        java_home: A Java 17, for the tools that fetch.
        ivy_folder: Where pyspark keeps the Ivy jar, used when Maven is not installed.
    """

    def __init__(self, wanted: Wanted, root: Path, *, java_home: Path | None, ivy_folder: Path) -> None:
        self._wanted, self._root, self._java_home, self._ivy_folder = wanted, root, java_home, ivy_folder

    def ensure(self, say: Callable[[str], None]) -> None:
        """Fetch, verify and publish the set unless it is there.

        Raises:
            Stop: Nothing could be fetched, or a file is not the one that was committed to.
        """
        if self._wanted.is_present(self._root):
            return
        target = self._wanted.folder
        say(f"fetching the jars of {self._wanted.name} into {target}")
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
            fetched = self._fetch(Path(scratch))
            self._verify(fetched)
            _publish(fetched, target)

    def _fetch(self, scratch: Path) -> Path:
        """Try Maven, then Ivy; the one that delivers every file of the list wins."""
        complaints = []
        for way, fetch in (("Maven", self._by_maven), ("Ivy", self._by_ivy)):
            folder = scratch / way
            told = fetch(scratch, folder)
            missing = set(self._wanted.hashes(self._root)) - {path.name for path in folder.glob("*.jar")}
            if not missing:
                return folder
            complaints.append(f"{way}: {told or f'{len(missing)} files did not come, {min(missing)} among them'}")
        told = "; ".join(complaints)
        raise Stop(f"could not fetch the jars of {self._wanted.name} ({told}). Check the network and try again.")

    def _by_maven(self, scratch: Path, folder: Path) -> str:
        maven = shutil.which("mvn")
        if maven is None:
            return "not installed"
        dependencies = "".join(_DEPENDENCY.format(artefact) for artefact in self._wanted.artefacts)
        (scratch / "pom.xml").write_text(_POM.format(dependencies=dependencies), encoding="utf-8")
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
        goal.append(f"-DexcludeTransitive={str(not self._wanted.transitive).lower()}")
        return self._run([maven, "-q", "-B", "-f", str(scratch / "pom.xml"), *goal])

    def _by_ivy(self, scratch: Path, folder: Path) -> str:
        ivy = sorted(self._ivy_folder.glob("ivy-*.jar"))
        if not ivy or self._java_home is None:
            return "not there"
        for artefact in self._wanted.artefacts:
            command = [str(self._java_home / "bin" / "java"), "-jar", str(ivy[-1]), "-warn"]
            command += ["-cache", str(scratch / "ivy"), "-confs", "default"]
            command += [] if self._wanted.transitive else ["-notransitive"]
            command += ["-dependency", artefact.group, artefact.name, artefact.version]
            told = self._run([*command, "-retrieve", f"{folder}/[artifact]-[revision](-[classifier]).[ext]"])
            if told:
                return told
        return ""

    def _run(self, command: list[str]) -> str:
        """Run a fetching tool; "" or the line that says why it failed."""
        environ = {**os.environ, "JAVA_HOME": str(self._java_home)} if self._java_home else None
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environ, stdin=subprocess.DEVNULL
        )
        if done.returncode == 0:
            return ""
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines()]
        errors = [line for line in lines if "ERROR" in line or "rror:" in line or "UNRESOLVED" in line]
        return (errors or lines or ["no output"])[0][:200]

    def _verify(self, folder: Path) -> None:
        """Check every listed file, and drop what is not on the list: the two ways bring different extras."""
        hashes = self._wanted.hashes(self._root)
        for path in folder.iterdir():
            if path.name not in hashes:
                path.unlink()
                continue
            if hashlib.sha256(path.read_bytes()).hexdigest() != hashes[path.name]:
                raise Stop(
                    f"{path.name} is not the file that {self._wanted.list_file(self._root).name} vouches for. "
                    "It was damaged or replaced on the way: try again, and do not use it if this stays."
                )


def _publish(fetched: Path, target: Path) -> None:
    """Move a whole, verified folder into place; an incomplete one in its way is replaced."""
    if target.exists():
        target.rename(fetched.parent / "replaced")
    try:
        fetched.rename(target)
    except OSError:
        # another checkout's set-up was faster, with the same verified files
        if not target.is_dir():
            raise
