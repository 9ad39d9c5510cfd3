"""The one rule of the contract (design 01 §4) on plain rows.

The offline joins are this rule in Spark's terms; the client needs its second half only, because the served rows it
reads already are the winners of the first. Both are tested against an oracle that shares no code with this file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from skewless.core.time import Schedule
from skewless.core.vector import Status

DELETED = "deleted"
RETRACTED = "retracted"
ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One statement about an entity.

    Attributes:
        event_us: The time that it speaks for.
        generation: The generation that said so.
        values: Feature → value.
        flag: "" for a value, `deleted` or `retracted`.
    """

    event_us: int
    generation: int
    values: Mapping[str, object] = field(hash=False)
    flag: str = ""


def state(rows: Iterable[HistoryRow], generation: int, instant_us: int) -> HistoryRow | None:
    """The row that holds for one entity: newest event time, and per event time the newest statement.

    Args:
        rows: The entity's rows of published generations, in any order.
        generation: Statements of later generations do not count; its own do.
        instant_us: Rows of later event times do not count; a row at the instant does.
    """
    newest: dict[int, HistoryRow] = {}
    for row in rows:
        if row.generation <= generation and row.event_us <= instant_us:
            held = newest.get(row.event_us)
            if held is None or row.generation > held.generation:
                newest[row.event_us] = row
    standing = [row for row in newest.values() if row.flag != RETRACTED]
    return max(standing, key=lambda row: row.event_us, default=None)


def row_status(*, is_known: bool, is_deleted: bool, age_us: int, ttl_us: int | None) -> Status:
    """The status that a row gives to all its features, PRESENT meaning 'look at each value'.

    A value whose age equals the ttl is too old.
    """
    if not is_known:
        return Status.NOT_FOUND
    if is_deleted:
        return Status.DELETED
    if ttl_us is not None and age_us >= ttl_us:
        return Status.EXPIRED
    return Status.PRESENT


def value_status(row: Status, value: object) -> Status:
    """The status of one feature within a row."""
    return Status.NULL if row is Status.PRESENT and value is None else row


def fresh_us(*, event_us: int, instant_us: int, through_us: int, schedule: Schedule | None) -> int:
    """The instant through which a value is known to hold.

    Args:
        event_us: The time that the row speaks for.
        instant_us: The instant at which the state was taken.
        through_us: The tick through which the generation was evaluated.
        schedule: The ticks of the view; None for a RowView, whose values are as old as their event.
    """
    if schedule is None:
        return event_us
    return min(through_us, schedule.floor_us(instant_us))
