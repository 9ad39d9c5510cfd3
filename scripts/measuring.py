"""Peak memory of a measured block: of Spark, and of the Python workers that it started."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep


@contextmanager
def peak_of_children() -> Iterator[Callable[[], int]]:
    """The greatest memory of Spark and its Python workers together, looked at five times a second."""
    greatest, done = [0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            greatest[0] = max(greatest[0], resident_of_children())
            sleep(0.2)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lambda: greatest[0]
    finally:
        done.set()
        watcher.join()


def resident_of_children() -> int:
    """Resident memory of all descendants of this process, in bytes; shared pages count once per process."""
    found, of_parent = 0, children()
    waiting = [int(Path("/proc/self").resolve().name)]
    while waiting:
        for pid in of_parent.get(waiting.pop(), ()):
            waiting.append(pid)
            try:
                found += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
            except OSError:
                continue  # it ended meanwhile
    return found


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
