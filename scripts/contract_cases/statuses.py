"""Statuses: everything that a reader knows of a view and an entity → status, value, event time, age.

Each rule has cases whose status is written by hand. A plain oracle works out the same; where the two differ no file is
written. A grid over states, ages, ttls and ticks follows, by the oracle alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

_DAY = 86_400_000_000
#: 2017-10-02T00:00Z.
_T0 = 1_506_902_400_000_000
_REFERENCE, _TABLE = "spend@1", "spend__v1_0a1b2c3d"
_DELETED, _ABSENT = 1, 2


class Row(NamedTuple):
    """One stored row of the entity, with one feature."""

    gen: int
    event_us: int | None
    state: int | None
    value: int | None


class Case(NamedTuple):
    """What a reader knows; as a rule one present row of generation 5 at T0, published, read at T0."""

    rows: tuple[Row, ...] = (Row(5, _T0, None, 7),)
    now_us: int = _T0
    generation: int = 5
    through_us: int = _T0
    ttl_us: int | None = None
    schedule_us: tuple[int, int] | None = None
    #: What the revision in force says: `reference` and `table`; None without a revision.
    points_at: tuple[str, str] | None = (_REFERENCE, _TABLE)
    is_key_null: bool = False
    #: rows, late (nobody answered in time) or failed (the store said no).
    reply: str = "rows"


def oracle(case: Case) -> dict[str, Any]:
    """The decision table of the contract page, top to bottom."""
    is_published = case.points_at == (_REFERENCE, _TABLE)
    if case.is_key_null:
        return _expected("NOT_FOUND", generation=case.generation if is_published else None)
    if not is_published:
        return _expected("UNPUBLISHED")
    if case.reply != "rows":
        return _expected({"late": "TIMEOUT", "failed": "ERROR"}[case.reply], generation=case.generation)
    row = max((row for row in case.rows if row.gen <= case.generation), key=lambda row: row.gen, default=None)
    if row is None or row.state == _ABSENT or row.event_us is None:
        return _expected("NOT_FOUND", generation=case.generation)
    return _of_row(case, row, row.event_us)


def _of_row(case: Case, row: Row, event_us: int) -> dict[str, Any]:
    fresh_at = event_us
    if case.schedule_us is not None:
        every, offset = case.schedule_us
        fresh_at = min(case.through_us, case.now_us - (case.now_us - offset) % every)
    age = case.now_us - fresh_at
    told = {"event_us": event_us, "age_us": age, "generation": case.generation, "row_generation": row.gen}
    if row.state == _DELETED:
        return _expected("DELETED", **told)
    if case.ttl_us is not None and age >= case.ttl_us:
        return _expected("EXPIRED", **told)
    return _expected("NULL" if row.value is None else "PRESENT", value=row.value, **told)


def _expected(status: str, **told: int | None) -> dict[str, Any]:
    names = ("value", "event_us", "age_us", "generation", "row_generation")
    return {"status": status, **{name: _text(told.get(name)) for name in names}}


def _text(number: int | None) -> str | None:
    # JSON's numbers are doubles to many readers: whatever has 64 bits is text.
    return None if number is None else str(number)


_VALUE, _NULL = Row(5, _T0, None, 7), Row(5, _T0, None, None)
_GONE, _UNKNOWN = Row(6, _T0 + 1, _DELETED, None), Row(6, None, _ABSENT, None)
_DAILY, _AT_SIX = (_DAY, 0), (_DAY, _DAY // 4)

_BY_HAND: tuple[tuple[str, str, Case], ...] = (
    ("a value is present", "PRESENT", Case()),
    ("zero is a value", "PRESENT", Case(rows=(Row(5, _T0, None, 0),))),
    ("a row whose feature is null", "NULL", Case(rows=(_NULL,))),
    ("no revision is in force", "UNPUBLISHED", Case(points_at=None)),
    ("the revision knows another version only", "UNPUBLISHED", Case(points_at=("spend@2", "spend__v2_0a1b2c3d"))),
    ("the revision points into another table", "UNPUBLISHED", Case(points_at=(_REFERENCE, "spend__v1_ffffffff"))),
    ("a null key of a published view", "NOT_FOUND", Case(is_key_null=True)),
    ("a null key of a view without revision", "NOT_FOUND", Case(is_key_null=True, points_at=None)),
    ("nobody answered in time", "TIMEOUT", Case(reply="late")),
    ("the store refused", "ERROR", Case(reply="failed")),
    ("no revision comes before no answer", "UNPUBLISHED", Case(reply="late", points_at=None)),
    ("no row", "NOT_FOUND", Case(rows=())),
    ("rows of later generations only", "NOT_FOUND", Case(generation=4)),
    ("a row of the very generation counts", "PRESENT", Case(generation=5)),
    ("an older row counts until it is replaced", "PRESENT", Case(generation=9)),
    ("the newest generation wins, not the newest event", "PRESENT",
     Case((_VALUE, Row(6, _T0 - 1, None, 8)), generation=6)),
    ("a later row waits for its pointer", "PRESENT", Case((_VALUE, Row(6, _T0, None, 8)))),
    ("a pointer that was rolled back hides later rows", "PRESENT", Case((_VALUE, _GONE), through_us=_T0 - _DAY)),
    ("generations below zero are generations", "PRESENT", Case((Row(-7, _T0, None, 7),), generation=-7)),
    ("an absent row hides an older one", "NOT_FOUND", Case((_VALUE, _UNKNOWN), generation=6)),
    ("an absent row with an event time", "NOT_FOUND", Case((Row(5, _T0, _ABSENT, None),))),
    ("a row without event time", "NOT_FOUND", Case((Row(5, None, None, 7),))),
    ("a deleted row", "DELETED", Case((_VALUE, _GONE), generation=6, now_us=_T0 + 5)),
    ("a deleted row beyond the ttl", "DELETED", Case((_GONE,), generation=6, ttl_us=1, now_us=_T0 + _DAY)),
    ("an entity that came back", "PRESENT", Case((_GONE, Row(7, _T0 + 2, None, 9)), generation=7, now_us=_T0 + 2)),
    ("an age that equals the ttl", "EXPIRED", Case(ttl_us=10, now_us=_T0 + 10)),
    ("an age one microsecond less than the ttl", "PRESENT", Case(ttl_us=10, now_us=_T0 + 9)),
    ("a null beyond the ttl", "EXPIRED", Case((_NULL,), ttl_us=10, now_us=_T0 + 10)),
    ("no ttl never expires", "PRESENT", Case(now_us=_T0 + 100_000 * _DAY)),
    ("an event of the future is not old", "PRESENT", Case(ttl_us=1, now_us=_T0 - 5)),
    ("an event before 1970", "PRESENT", Case((Row(5, -1_500_001, None, 7),), now_us=-1_500_000, ttl_us=2)),
    ("a tick view is as fresh as its pointer", "PRESENT",
     Case((Row(5, _T0 - 30 * _DAY, None, 7),), schedule_us=_DAILY, ttl_us=2 * _DAY, now_us=_T0 + 2 * _DAY - 1)),
    ("a tick view whose pointer stands still", "EXPIRED",
     Case((Row(5, _T0 - 30 * _DAY, None, 7),), schedule_us=_DAILY, ttl_us=2 * _DAY, now_us=_T0 + 2 * _DAY)),
    ("a tick view is never fresher than its last tick", "EXPIRED",
     Case(schedule_us=_DAILY, through_us=_T0 + 9 * _DAY, ttl_us=5, now_us=_T0 + 5)),
    ("an instant that is a tick", "PRESENT", Case(schedule_us=_DAILY, through_us=_T0 + 9 * _DAY, ttl_us=1)),
    ("ticks with an offset", "EXPIRED",
     Case(schedule_us=_AT_SIX, through_us=_T0 + 9 * _DAY, ttl_us=_DAY * 3 // 4, now_us=_T0)),
    ("ticks before 1970 are rounded down, not to zero", "EXPIRED",
     Case((Row(5, -3 * _DAY, None, 7),), schedule_us=_DAILY, through_us=0, ttl_us=_DAY - 1, now_us=-1)),
    ("a tick view that was rolled back is as old as where it points", "EXPIRED",
     Case((_VALUE, Row(6, _T0, None, 8)), schedule_us=_DAILY, through_us=_T0 - _DAY, ttl_us=_DAY, now_us=_T0)),
)  # fmt: skip


class OracleDisagrees(Exception):
    """A status that was written by hand is not the oracle's."""


def status_cases() -> Iterator[dict[str, Any]]:
    """The cases by hand, then the grid.

    Raises:
        OracleDisagrees: Hand and oracle differ.
    """
    for name, status, case in _BY_HAND:
        found = oracle(case)["status"]
        if found != status:
            raise OracleDisagrees(f"'{name}' is {status} by hand and {found} by the oracle. One of them is wrong.")
        yield _json(name, case)
    for number, case in enumerate(_grid()):
        yield _json(f"grid {number}", case)


def _grid() -> Iterator[Case]:
    newest = (_VALUE, _NULL, Row(5, _T0, _DELETED, None), Row(5, None, _ABSENT, None))
    for row, ttl_us, schedule_us, late in product(newest, (None, _DAY), (None, _AT_SIX), (0, 1, 2)):
        yield Case((Row(3, _T0 - _DAY, None, 1), row), _T0 + late * _DAY // 2, ttl_us=ttl_us, schedule_us=schedule_us)


def _json(name: str, case: Case) -> dict[str, Any]:
    pointer = [_text(case.generation), _text(case.through_us)]
    views = None if case.points_at is None else {case.points_at[0]: [case.points_at[1], *pointer]}
    schedule = None if case.schedule_us is None else [str(each) for each in case.schedule_us]
    return {
        "name": name,
        "view": {
            "reference": _REFERENCE, "table": _TABLE, "ttl_us": _text(case.ttl_us), "schedule_us": schedule,
        },
        "views_in_force": views,
        "is_key_null": case.is_key_null,
        "reply": case.reply,
        "rows": [[_text(row.gen), _text(row.event_us), row.state, _text(row.value)] for row in case.rows],
        "now_us": str(case.now_us),
        "expected": oracle(case),
    }  # fmt: skip
