"""What benches share: the peak memory of a measured block, Python workers included, and what figures depend on."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from time import sleep
from typing import Any


def machine(packages: Iterable[str]) -> dict[str, Any]:
    """What figures depend on: date, cores, memory, and the versions of Python and of some packages."""
    return {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "cores": os.cpu_count(),
        "memory_gb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
    }


def peak_of_children() -> AbstractContextManager[Callable[[], int]]:
    """The greatest memory of Spark and its Python workers together, looked at five times a second."""
    return peak_of(started())


@contextmanager
def peak_of(roots: Collection[int]) -> Iterator[Callable[[], int]]:
    """The greatest memory of these processes and their descendants together, looked at five times a second."""
    greatest, done = [0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            greatest[0] = max(greatest[0], resident(roots))
            sleep(0.2)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lambda: greatest[0]
    finally:
        done.set()
        watcher.join()


def resident(roots: Collection[int]) -> int:
    """Resident memory of processes and their descendants, in bytes; shared pages count once per process."""
    found, of_parent, waiting = 0, children(), list(roots)
    while waiting:
        pid = waiting.pop()
        waiting += of_parent.get(pid, ())
        try:
            found += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
        except OSError:
            continue  # it ended meanwhile
    return found


def started() -> tuple[int, ...]:
    """The processes that this one started."""
    return tuple(children().get(os.getpid(), ()))


def children() -> dict[int, list[int]]:
    """Process → its children."""
    found: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        found.setdefault(parent, []).append(int(stat.parent.name))
    return found
