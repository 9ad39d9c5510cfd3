"""Set-up in one go: Python packages, Java 17 and the jars of Delta and Cassandra. Standard library only.

Run by `make setup` with the system's Python. Everything that is there already is left alone; when nothing is missing
the script ends at once. Exit codes: 0 done, 2 something to install or correct first, 75 a download failed, try again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from setup_jars import CASSANDRA, DELTA, JarDownload, Stop
from setup_java import provide_java

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "skewless-setup.json"
LOCK = ROOT / "requirements.lock"
OLDEST = (3, 10)


def main() -> int:
    """Bring the checkout to the point where `make demo` and `make test` can run."""
    if is_complete():
        return 0
    try:
        started = time.monotonic()
        with held(ROOT):
            if not is_complete():
                set_up()
                say(f"ready after {time.monotonic() - started:.0f} s")
    except Stop as stop:
        print(f"setup: {stop}", file=sys.stderr)
        return stop.exit_code
    return 0


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Let one set-up at a time work on a checkout."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def set_up() -> None:
    """Do every step that is missing, the quickest to fail first."""
    STAMP.unlink(missing_ok=True)
    java_home = provide_java(say)
    make_venv()
    install_packages()
    site = Path(run_quietly([str(PYTHON), "-c", "import pyspark; print(pyspark.__path__[0])"], what="import pyspark"))
    for wanted in (DELTA, CASSANDRA):
        JarDownload(wanted, ROOT, java_home=java_home, ivy_folder=site.resolve() / "jars").ensure(say)
    STAMP.write_text(json.dumps(expected_stamp()), encoding="utf-8")


def is_complete() -> bool:
    """True when the stamp was written for exactly these files and what it vouches for is still there."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return (
        stamp == expected_stamp()
        and PYTHON.exists()
        and DELTA.is_present(ROOT)
        and CASSANDRA.is_present(ROOT)
        and provide_java(None) is not None
    )


def expected_stamp() -> dict[str, str]:
    """Hashes of everything that decides what is installed."""
    files = [LOCK, ROOT / "pyproject.toml", DELTA.list_file(ROOT), CASSANDRA.list_file(ROOT)]
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    return {**hashes, "folder": str(ROOT)}


def make_venv() -> None:
    """Create the virtual environment unless a working one is there."""
    pip_version = [str(PYTHON), "-m", "pip", "--version"]
    if PYTHON.exists() and subprocess.run(pip_version, capture_output=True, check=False).returncode == 0:
        return
    say(f"creating .venv with Python {sys.version_info.major}.{sys.version_info.minor}")
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        raise Stop(
            f"Python's venv module could not make .venv ({last_line(made.stdout + made.stderr)}). "
            f"On Debian or Ubuntu type: sudo apt-get install {package}",
            exit_code=2,
        )


def install_packages() -> None:
    """Install what the lock names, each file checked against its hash, then the package itself."""
    say("installing the locked Python packages (1 to 4 minutes the first time)")
    pip = [str(PYTHON), "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", "install"]
    # compiling what is never imported would take longer than the download
    locked = ["--require-hashes", "--no-deps", "--no-compile", "-r", str(LOCK)]
    run_quietly([*pip, *locked], what="install the locked packages")
    # its build tools come from the lock too, so nothing unpinned is fetched here
    run_quietly([*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)], what="install skewless itself")


def run_quietly(command: list[str], *, what: str) -> str:
    """Run a command and return its last line of output.

    Raises:
        Stop: It failed.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        log = VENV / "setup.log"
        log.write_text(done.stdout + done.stderr, encoding="utf-8")
        raise Stop(f"could not {what}: {reason(done.stderr)} The whole output is in {log}; then run it again.")
    return last_line(done.stdout)


def reason(stderr: str) -> str:
    """The line of a failed command's output that says most."""
    errors = [line.strip() for line in stderr.splitlines() if line.upper().startswith("ERROR")]
    return (errors[-1] if errors else last_line(stderr)).rstrip(".") + "."


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no output"


def say(message: str) -> None:
    """One line of progress."""
    print(f"setup: {message}", flush=True)


def use_newer_python() -> None:
    """Go on in a newer Python of the system when this one is too old."""
    if sys.version_info >= OLDEST:
        return
    for name in ("python3.12", "python3.11", "python3.13", "python3.10"):
        found = shutil.which(name)
        if found:
            os.execv(found, [found, *sys.argv])  # noqa: S606 -- this very script, no shell wanted
    wanted = ".".join(map(str, OLDEST))
    print(
        f"setup: Python {wanted} or newer is needed. On Debian or Ubuntu type: sudo apt-get install python3",
        file=sys.stderr,
    )
    sys.exit(2)


if __name__ == "__main__":
    use_newer_python()
    sys.exit(main())
