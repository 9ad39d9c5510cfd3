"""The oracle's served log, its bitwise comparison and its replay, by hand-computed tables."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.support.bits import same_bits
from tests.support.oracle import ABORTED, DELETED, RETRACTED, Generation, Row, World, served_rows

KEY, OTHER = (1, "a"), (1, "b")


def log(*rows: tuple, fates: tuple = ()) -> list[tuple]:
    """(entity, generation, state, event time, value) of rows (entity, event time, generation, value, flag)."""
    numbers = sorted({row[2] for row in rows})
    generations = tuple(Generation(number, dict(fates).get(number, "published")) for number in numbers)
    said = tuple(Row(row[0], row[1], row[2], {"v": row[3]}, *row[4:]) for row in rows)
    served = served_rows(World(("v",), said, generations, ()))
    return [(one.key, one.gen, one.state, one.event_us, one.values["v"]) for one in served]


def test_served_log_holds_only_entities_whose_current_value_changed() -> None:
    assert log((KEY, 5, 10, "x"), (OTHER, 5, 10, "y"), (KEY, 15, 20, "z")) == [
        (KEY, 10, "present", 5, "x"),
        (OTHER, 10, "present", 5, "y"),
        (KEY, 20, "present", 15, "z"),
    ]


def test_served_log_is_silent_about_a_late_row_that_is_not_current() -> None:
    assert log((KEY, 9, 10, "x"), (KEY, 5, 20, "late")) == [(KEY, 10, "present", 9, "x")]


def test_served_log_is_silent_about_a_restatement_of_the_same() -> None:
    assert log((KEY, 5, 10, "x"), (KEY, 5, 20, "x")) == [(KEY, 10, "present", 5, "x")]


def test_served_log_tells_minus_zero_from_zero() -> None:
    assert [row[1] for row in log((KEY, 5, 10, 0.0), (KEY, 5, 20, -0.0))] == [10, 20]


def test_served_log_tells_a_new_event_time_of_an_equal_value() -> None:
    assert [row[1] for row in log((KEY, 5, 10, "x"), (KEY, 15, 20, "x"))] == [10, 20]


def test_served_log_deletion_and_absence_carry_no_values() -> None:
    assert log((KEY, 5, 10, "x"), (KEY, 6, 20, None, DELETED), (KEY, 6, 30, None, RETRACTED)) == [
        (KEY, 10, "present", 5, "x"),
        (KEY, 20, "deleted", 6, None),
        (KEY, 30, "present", 5, "x"),
    ]
    assert log((KEY, 5, 10, "x"), (KEY, 5, 20, None, RETRACTED))[-1] == (KEY, 20, "absent", None, None)


def test_served_log_is_silent_about_what_never_was_there() -> None:
    assert log((KEY, 5, 10, None, RETRACTED)) == []


def test_served_log_compares_with_the_published_generation_before() -> None:
    rows = ((KEY, 5, 10, "x"), (KEY, 5, 20, "aborted"), (KEY, 5, 30, "x"))
    assert log(*rows, fates=((20, ABORTED),)) == [(KEY, 10, "present", 5, "x")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (float("nan"), -float("nan")),
        (None, None),
        ([1.0, float("nan")], (1.0, float("nan"))),
        (b"x", bytearray(b"x")),
        ({"a": 1, "b": None}, {"b": None, "a": 1}),
    ],
)
def test_comparison_of_equal_bits_is_equal(one: Any, other: Any) -> None:
    assert same_bits(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (0.0, -0.0),
        (1, 1.0),
        (1, True),
        (1.0, True),
        (None, 0),
        (None, ""),
        (None, float("nan")),
        (None, []),
        ("", []),
        ("1", b"1"),
        (Decimal("1.0"), Decimal("1.00")),
        ([1, 2], [2, 1]),
        ([0.0], [-0.0]),
        (float("inf"), float("-inf")),
        (0.1 + 0.2, 0.3),
        ({"a": None}, {}),
    ],
)
def test_comparison_of_different_bits_is_different(one: Any, other: Any) -> None:
    assert not same_bits(one, other)
    assert not same_bits(other, one)
