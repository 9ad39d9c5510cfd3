"""skewless.core's rule by hand-computed tables; the oracle's own tables, and the properties, are elsewhere."""

from __future__ import annotations

from datetime import timedelta

import pytest

from skewless.core.resolver import DELETED, RETRACTED, HistoryRow, fresh_us, row_status, state, value_status
from skewless.core.time import Schedule
from skewless.core.timeline import Pointer, Revision, Timeline
from skewless.core.vector import Status


def rows(*table: tuple) -> list[HistoryRow]:
    """(event time, generation, value, flag) → rows."""
    return [HistoryRow(event_us, gen, {"v": value}, *flag) for event_us, gen, value, *flag in table]


@pytest.mark.parametrize(
    ("generation", "instant_us", "value"),
    [(1, 49, None), (1, 50, "x"), (1, 59, "x"), (1, 60, "y"), (2, 60, "x"), (3, 60, "z"), (9, 99, "z")],
)
def test_state_takes_newest_statement_of_newest_standing_event(
    generation: int, instant_us: int, value: str | None
) -> None:
    said = rows((60, 3, "z"), (50, 1, "x"), (60, 2, None, RETRACTED), (60, 1, "y"))
    for order in (said, said[::-1]):
        found = state(order, generation, instant_us)
        assert (found.values["v"] if found else None) == value


def test_state_keeps_a_deletion_as_a_row() -> None:
    found = state(rows((50, 1, "x"), (60, 1, None, DELETED)), 1, 60)
    assert found is not None
    assert found.flag == DELETED


@pytest.mark.parametrize(
    ("is_known", "is_deleted", "age_us", "ttl_us", "status"),
    [
        (False, False, 0, 1, Status.NOT_FOUND),
        (True, True, 9, 1, Status.DELETED),
        (True, False, 10, 10, Status.EXPIRED),
        (True, False, 9, 10, Status.PRESENT),
        (True, False, 10**18, None, Status.PRESENT),
    ],
)
def test_row_status_ttl_met_exactly_expires(
    is_known: bool, is_deleted: bool, age_us: int, ttl_us: int | None, status: Status
) -> None:
    assert row_status(is_known=is_known, is_deleted=is_deleted, age_us=age_us, ttl_us=ttl_us) is status


@pytest.mark.parametrize("row", list(Status))
def test_value_status_null_only_within_a_present_row(row: Status) -> None:
    assert value_status(row, None) is (Status.NULL if row is Status.PRESENT else row)
    assert value_status(row, 0.0) is row


@pytest.mark.parametrize(("instant_us", "through_us", "fresh"), [(72, 100, 63), (73, 100, 73), (73, 63, 63)])
def test_fresh_tick_view_is_lesser_of_through_and_last_tick(instant_us: int, through_us: int, fresh: int) -> None:
    beat = Schedule(timedelta(microseconds=10), timedelta(microseconds=3))
    assert fresh_us(event_us=13, instant_us=instant_us, through_us=through_us, schedule=beat) == fresh


def test_fresh_row_view_is_its_event_time() -> None:
    assert fresh_us(event_us=13, instant_us=72, through_us=100, schedule=None) == 13


def test_timeline_switches_at_the_instant_itself() -> None:
    one, two = (Revision(number, number * 100, {}) for number in (1, 2))
    moves = Timeline((one, two))
    assert [moves.at(instant) for instant in (99, 100, 199, 200)] == [None, one, one, two]


def test_timeline_steps_leave_out_what_does_not_move_the_view() -> None:
    old, new = Pointer("t", 10, 10), Pointer("t", 20, 20)
    views = ({"w": old}, {"v": old}, {"v": old, "w": new}, {"v": new}, {"v": old})
    moves = Timeline(tuple(Revision(number, number * 100, each) for number, each in enumerate(views, 1)))
    assert [(step.from_us, step.revision, step.pointer) for step in moves.steps("v")] == [
        (200, 2, old),
        (400, 4, new),
        (500, 5, old),
    ]


def test_timeline_published_generations_belong_to_one_table() -> None:
    views = ({"v": Pointer("v1", 10, 10)}, {"v": Pointer("v2", 20, 20)}, {"v": Pointer("v1", 10, 10)}, {})
    moves = Timeline(tuple(Revision(number, number * 100, each) for number, each in enumerate(views, 1)))
    assert moves.published("v", "v1") == {10}
    assert moves.published("v", "v2") == {20}
    assert moves.published("w", "v1") == frozenset()
