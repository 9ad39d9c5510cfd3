"""Which files of a table may go, and which are held by whom; decided without Spark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DataFile:
    """A data file that lies there.

    Attributes:
        path: Where.
        bytes: How large it is.
        modified_ms: When it was written.
    """

    path: str
    bytes: int
    modified_ms: int


@dataclass(frozen=True, slots=True)
class TableFiles:
    """The data files of a table, by name.

    Attributes:
        listed: Those that lie there.
        newest: Those that its newest version consists of.
        dropped_ms: Of those that it no longer has, when they were dropped; as far as the log remembers.
        pinned: Who holds → the files that the versions held consist of.
    """

    listed: Mapping[str, DataFile] = field(hash=False)
    newest: frozenset[str]
    dropped_ms: Mapping[str, int] = field(hash=False)
    pinned: Mapping[str, frozenset[str]] = field(hash=False)


@dataclass(frozen=True, slots=True)
class VacuumPlan:
    """What becomes of files that the newest version does not need and that are old enough.

    Attributes:
        going: Those that nobody holds, by name.
        held: Those that somebody holds → who.
        held_bytes: How large the held ones are.
    """

    going: Mapping[str, DataFile] = field(hash=False)
    held: Mapping[str, tuple[str, ...]] = field(hash=False)
    held_bytes: int

    @property
    def going_bytes(self) -> int:
        """How large those are that go."""
        return sum(one.bytes for one in self.going.values())

    @property
    def holders(self) -> tuple[str, ...]:
        """Everybody for whom a file is held, sorted."""
        return tuple(sorted({who for names in self.held.values() for who in names}))


def plan_vacuum(files: TableFiles, *, before_ms: int) -> VacuumPlan:
    """Decide.

    A file goes when the newest version does not have it, nobody holds a version that has it, and it was dropped before
    an instant; one of which the log says nothing, when it was written before it: what a writer that died left.

    Args:
        files: The files.
        before_ms: The instant; what was dropped at it stays.
    """
    going, held = {}, {}
    for name, file in files.listed.items():
        if name in files.newest or files.dropped_ms.get(name, file.modified_ms) >= before_ms:
            continue
        holders = tuple(sorted(who for who, needed in files.pinned.items() if name in needed))
        if holders:
            held[name] = holders
        else:
            going[name] = file
    return VacuumPlan(going, held, sum(files.listed[name].bytes for name in held))


def longer_retention(age_days: int, *, now_days: int, horizon_days: int) -> int | None:
    """For how many days a table has to keep its versions, so that the oldest that is held stays readable.

    It is prolonged by a whole horizon when less than half of one is left: no vacuum for half a horizon loses nothing.

    Args:
        age_days: Age of the oldest version that is held.
        now_days: For how long versions are kept now.
        horizon_days: The training horizon.

    Returns:
        The days; None while those of now are enough.
    """
    return None if age_days + horizon_days // 2 < now_days else age_days + horizon_days
