"""Who holds a lease: a process, named so that another one can tell whether it still lives."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Holder:
    """A process.

    Attributes:
        who: What it does, for people: a run, a job, a user.
        host: The machine's name, for people.
        place: Where its process number means something: one boot of one machine, and one process namespace of it.
        pid: Its process number there.
        started: When it started, in that place's own count; numbers are given out again, this is not.
    """

    who: str
    host: str
    place: str
    pid: int
    started: str

    @staticmethod
    def here(who: str) -> Holder:
        """This process."""
        pid = os.getpid()
        return Holder(who, socket.gethostname(), _place(), pid, _started(pid) or "")

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> Holder:
        """Read what `to_document` wrote."""
        return Holder(**document)

    def to_document(self) -> dict[str, object]:
        """Its JSON form."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.who} (process {self.pid} on {self.host})"

    def is_gone(self) -> bool:
        """True when it certainly does not run any more: it is of this place, and no such process is here."""
        return self.place == _place() and _started(self.pid) != self.started


def _place() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {(_PROC / 'self/ns/pid').readlink()}"
    except OSError:  # no Linux: trust the machine's name
        return socket.gethostname()


def _started(pid: int) -> str | None:
    """When a process started, "" where that cannot be told; None when there is no such process or it is a zombie."""
    if not _PROC.is_dir() or not (_PROC / "self").exists():
        return "" if _answers(pid) else None
    try:
        state, *others = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in {"Z", "X"} else others[18]  # field 22 of proc(5), after pid and command


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
