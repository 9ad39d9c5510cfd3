"""Finding Java 17, which Spark and the local Cassandra node both need.

Standard library only, and nothing else of this package: the set-up script runs this file before anything is installed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

WANTED = 17


def find_java_home(environ: Mapping[str, str], *, system: Path = Path("/usr/lib/jvm")) -> Path | None:
    """Return the home of a Java 17, or None.

    `JAVA_HOME` is asked first, then `java` on `PATH`, then the folders of `system` that end in 17 or name it.

    Args:
        environ: The environment to look in.
        system: Where the system's package manager puts Java.
    """
    for home in _candidates(environ, system):
        if (home / "bin" / "java").is_file() and _major(home) == WANTED:
            return home
    return None


def _candidates(environ: Mapping[str, str], system: Path) -> Iterator[Path]:
    if environ.get("JAVA_HOME"):
        yield Path(environ["JAVA_HOME"])
    on_path = shutil.which("java", path=environ.get("PATH"))
    if on_path:
        yield Path(on_path).resolve().parent.parent
    if system.is_dir():
        yield from sorted(system.glob("*17*"))


def _major(home: Path) -> int | None:
    """Read the version from the `release` file, which costs nothing, or else ask the program."""
    try:
        text = (home / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    found = re.search(r'^JAVA_VERSION="(\d+)', text, re.MULTILINE) or re.search(r'version "(\d+)', _ask(home))
    return int(found.group(1)) if found else None


def _ask(home: Path) -> str:
    command = [str(home / "bin" / "java"), "-version"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stderr
    except (OSError, subprocess.SubprocessError):
        return ""
