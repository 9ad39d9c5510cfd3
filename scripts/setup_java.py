"""Java 17 for the set-up: found, or installed by the system's package manager, or else one line to type."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from setup_jars import Stop

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "openjdk-17-jre-headless"


def provide_java(say: Callable[[str], None] | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the home of a Java 17; install one when it is missing and `say` is given.

    Raises:
        Stop: None is there and none could be installed.
    """
    found = _found(environ)
    if found or say is None:
        return found
    if _can_install():
        say(f"installing Java 17 ({PACKAGE})")
        install(PACKAGE)
        found = _found(environ)
    if not found:
        raise Stop(f"Java 17 is missing. {_cure()} Or set JAVA_HOME to a Java 17.", exit_code=2)
    return found


def install(package: str) -> bool:
    """Install a package of the system when that is possible as is; False when it is not."""
    if not _can_install():
        return False
    for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", package]):
        _apt(arguments)
    return True


def _found(environ: Mapping[str, str]) -> Path | None:
    # the package is not importable before its dependencies are installed, this one file of it is
    finder: Any = runpy.run_path(str(ROOT / "skewless" / "config" / "java.py"))["find_java_home"]
    home: Path | None = finder(environ)
    return home


def _can_install() -> bool:
    if shutil.which("apt-get") is None:
        return False
    if os.geteuid() == 0:
        return True
    if shutil.which("sudo") is None:
        return False
    return subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0


def _apt(arguments: list[str]) -> None:
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    command = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *arguments]
    subprocess.run(command, check=False, capture_output=True, stdin=subprocess.DEVNULL)


def _cure() -> str:
    lines = {
        "apt-get": f"Type: sudo apt-get install {PACKAGE}",
        "dnf": "Type: sudo dnf install java-17-openjdk-headless",
        "brew": "Type: brew install openjdk@17",
    }
    known = [line for program, line in lines.items() if shutil.which(program)]
    return (known[0] if known else "Install OpenJDK 17.") + "."
