"""Starting, recognizing and ending the node's process, by its recorded id and never by name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from skewless.node import launch

_GRACE = timedelta(seconds=10)


def spawn(command: Sequence[str], *, folder: Path, console: Path, die_with_parent: bool) -> int:
    """Start a command in a session of its own and return its process id.

    Args:
        command: Program and arguments.
        folder: Its working folder.
        console: File that takes what it prints.
        die_with_parent: Let the kernel end it when the calling thread's process ends, however that happens.
    """
    shim = [sys.executable, "-I", "-S", str(Path(launch.__file__)), str(folder)]
    shim.append(str(os.getpid()) if die_with_parent else "0")
    output = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    return os.posix_spawn(
        sys.executable,
        [*shim, *command],
        {"PATH": os.defpath, "LANG": "C.UTF-8"},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(console), output, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )


def is_running(pid: int, mark: str) -> bool:
    """True when the process lives and has `mark` among its arguments; ids are reused, so an id alone proves nothing."""
    with suppress(ChildProcessError):
        # takes a dead child of ours out of the process table, where it would look alive
        os.waitpid(pid, os.WNOHANG)
    return mark in _arguments(pid)


def end(pid: int, mark: str) -> None:
    """Ask the process to stop, and kill it when it has not after ten seconds; somebody else's is left alone."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        if not is_running(pid, mark):
            return
        with suppress(ProcessLookupError):
            os.kill(pid, sent)
        wait_until(lambda: not is_running(pid, mark), _GRACE)


def wait_until(
    condition: Callable[[], bool], limit: timedelta, *, pause: timedelta = timedelta(milliseconds=50)
) -> bool:
    """Wait until the condition holds; False when it does not within the limit."""
    deadline = time.monotonic() + limit.total_seconds()
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause.total_seconds())
    return True


def _arguments(pid: int) -> list[str]:
    if not Path("/proc/self").exists():
        asked = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()
    for _ in range(50):
        try:
            shown = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            return []
        if shown or state[:1] in (["Z"], ["X"]):
            return shown.split("\0")
        # a live process without arguments is in the middle of becoming another program
        time.sleep(0.01)
    return []
