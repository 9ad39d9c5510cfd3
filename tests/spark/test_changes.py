"""What a new evaluation changes: the statements to be made, and the entities that a push has to send."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from skewless.spark.changes import BARE, CHANGE, NEWEST, compared, newly_served, not_outdated
from tests.support.frames import assert_same_rows
from tests.support.statements import HISTORY, NAN, STATES, T0, VIEW, said

pytestmark = pytest.mark.spark


def changes(spark: SparkSession, fresh: list[tuple[Any, ...]], known: list[tuple[Any, ...]]) -> Any:
    history = said(spark, *[(*row, 5) for row in known], schema=HISTORY)
    told = compared(VIEW, said(spark, *fresh), history).filter(F.col(CHANGE).isNotNull())
    return told.select("user_id", "event_timestamp", "spend", "tags", "_flag", CHANGE)


def test_statement_that_stands_already_is_not_made_again(spark: SparkSession) -> None:
    same = [(1, T0, NAN, ["a"], ""), (2, T0, None, None, ""), (3, T0, -0.0, [], ""), (4, T0, None, None, "deleted")]
    assert_same_rows(changes(spark, same, same), [])


def test_statement_that_is_new_is_made(spark: SparkSession) -> None:
    fresh = [(1, T0, 1.0, ["a"], ""), (1, T0 + 1, 1.0, ["a"], ""), (2, T0, None, None, "deleted")]
    told = [(1, T0 + 1, 1.0, ("a",), "", "new"), (2, T0, None, None, "deleted", "new")]
    assert_same_rows(changes(spark, fresh, fresh[:1]), told)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((0.0, ["a"]), (-0.0, ["a"])),
        ((None, ["a"]), (NAN, ["a"])),
        ((1.0, None), (1.0, [])),
        ((1.0, []), (1.0, [""])),
        ((1.0, ["a", "b"]), (1.0, ["b", "a"])),
    ],
)
def test_statement_of_other_bits_is_corrected(
    spark: SparkSession, before: tuple[Any, ...], after: tuple[Any, ...]
) -> None:
    told = changes(spark, [(1, T0, *after, "")], [(1, T0, *before, "")])
    tags = None if after[1] is None else tuple(after[1])
    assert_same_rows(told, [(1, T0, after[0], tags, "", "corrected")])


def test_statement_that_no_longer_stands_is_retracted_without_values(spark: SparkSession) -> None:
    known = [(1, T0, 1.0, ["a"], ""), (1, T0 + 1, 2.0, ["b"], ""), (2, T0, None, None, "deleted")]
    told = [(1, T0 + 1, None, None, "retracted", "retracted"), (2, T0, None, None, "retracted", "retracted")]
    assert_same_rows(changes(spark, known[:1], known), told)


def test_value_where_a_deletion_stood_is_corrected(spark: SparkSession) -> None:
    told = changes(spark, [(1, T0, None, None, "")], [(1, T0, None, None, "deleted")])
    assert_same_rows(told, [(1, T0, None, None, "", "corrected")])


def served(spark: SparkSession, before: list[tuple[Any, ...]], after: list[tuple[Any, ...]]) -> Any:
    """What is sent when rows of generation 5 were sent before, each after one of generation 4."""
    older = [(user, T0 - 9, 99.0, None, "", 4) for user, *_ in before]
    sent = said(spark, *[(*row, 5) for row in before], *older, schema=f"{STATES}, _gen bigint")
    return newly_served(VIEW, said(spark, *after, schema=STATES), sent)


def test_only_the_newest_generation_of_an_instant_is_compared(spark: SparkSession) -> None:
    history = said(
        spark,
        *[(1, T0, 1.0, None, "", 5), (1, T0, 2.0, None, "", 6), (2, T0, 1.0, None, "", 5)],
        *[(2, T0, None, None, "retracted", 6), (3, T0, None, None, "retracted", 5), (4, T0, 4.0, None, "", 5)],
        schema=HISTORY,
    )
    fresh = said(spark, (1, T0, 2.0, None, ""), (2, T0, 1.0, None, ""), (4, T0, 5.0, None, ""))
    told = compared(VIEW, fresh, history).select("user_id", "spend", CHANGE)
    assert_same_rows(told, [(2, 1.0, "new"), (4, 5.0, "corrected")])


def test_newest_statement_of_a_touched_entity_is_told_and_so_is_one_with_nothing_left(spark: SparkSession) -> None:
    history = said(
        spark,
        *[(1, T0 + 1, 1.0, None, "", 5), (2, T0, 2.0, None, "", 5), (3, T0, 3.0, None, "", 5)],
        *[(4, T0, 4.0, None, "", 5), (4, T0 + 9, 4.0, None, "", 5)],
        schema=HISTORY,
    )
    fresh = said(
        spark,
        *[(1, T0, 0.0, None, ""), (1, T0 + 1, 1.0, None, ""), (2, T0, 2.0, None, ""), (4, T0, 4.0, None, "")],
    )
    told = compared(VIEW, fresh, history).select("user_id", "event_timestamp", "spend", CHANGE, NEWEST, BARE)
    expected = [
        *[(1, T0, 0.0, "new", False, False), (1, T0 + 1, 1.0, None, True, False)],
        *[(3, T0, None, "retracted", False, True), (4, T0 + 9, None, "retracted", False, False)],
        (4, T0, 4.0, None, True, False),
    ]
    assert_same_rows(told, expected)


def test_served_rows_are_present_deleted_and_absent(spark: SparkSession) -> None:
    before = [(1, T0, 1.0, None, ""), (2, T0, 2.0, None, ""), (3, T0, 3.0, None, ""), (4, T0, 4.0, None, "")]
    after = [
        (1, T0, 1.0, None, ""),
        (2, T0 + 1, None, None, "deleted"),
        (3, T0, -3.0, None, ""),
        (4, None, None, None, "absent"),
        (5, T0, 5.0, None, ""),
        (6, None, None, None, "absent"),
    ]
    told = served(spark, before, after)
    expected = [
        (2, T0 + 1, None, None, "deleted"),
        (3, T0, -3.0, None, ""),
        (4, None, None, None, "absent"),
        (5, T0, 5.0, None, ""),
    ]
    assert_same_rows(told, expected)


def test_served_rows_tell_of_bits_and_event_times_and_nothing_else(spark: SparkSession) -> None:
    before = [(1, T0, 0.0, None, ""), (2, T0, NAN, [], ""), (3, T0, 3.0, None, ""), (4, None, None, None, "absent")]
    after = [(1, T0, -0.0, None, ""), (2, T0, NAN, [], ""), (3, T0 + 1, 3.0, None, "")]
    told = served(spark, before, after)
    assert_same_rows(told, [(1, T0, -0.0, None, ""), (3, T0 + 1, 3.0, None, "")])
    back = served(spark, before[3:], [(4, T0, 4.0, None, "")])
    assert_same_rows(back, [(4, T0, 4.0, None, "")])


def test_scattered_range_in_which_something_was_retracted_leaves_the_entity_to_all_of_its_history(
    spark: SparkSession,
) -> None:
    fresh = [(1, T0, 1.0, ["a"], ""), (2, T0, 2.0, ["a"], "")]
    known = said(spark, (1, T0 + 1, 9.0, ["a"], "", 5), schema=HISTORY)
    bare = compared(VIEW, said(spark, *fresh), known, is_scattered=True).select("user_id", NEWEST, BARE)
    assert_same_rows(bare, [(1, True, True), (1, False, True), (2, True, False)])
    bare = compared(VIEW, said(spark, *fresh), known).select("user_id", NEWEST, BARE)
    assert_same_rows(bare, [(1, True, False), (1, False, False), (2, True, False)])


def test_entity_of_which_something_newer_is_served_is_outdated(spark: SparkSession) -> None:
    after = said(spark, *((user, T0, 1.0, [], "") for user in range(5)))
    served = [(0, T0 - 1, 0.0, [], "", 5), (1, T0, 0.0, [], "", 5), (2, T0 + 1, 0.0, [], "", 5)]
    # what was newer once was taken back since; and 3 is absent
    served += [(1, T0 + 9, 0.0, [], "", 4), (3, T0 + 9, 0.0, [], "", 4), (3, None, None, None, "absent", 5)]
    told = not_outdated(VIEW, after, said(spark, *served, schema=f"{STATES}, _gen bigint"))
    assert_same_rows(told.select("user_id"), [(0,), (1,), (3,), (4,)])
