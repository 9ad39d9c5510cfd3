"""History and served: what a new evaluation changes, and which entities a push has to send."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from skewless.core.dtypes import Array, Float64, Int64, String, Timestamp
from skewless.core.entity import Entity
from skewless.core.source import DeltaSource
from skewless.core.view import Feature, RowView
from skewless.spark.value_tables import (
    ValueTables,
    as_served,
    changed_current,
    changed_statements,
    current,
    later_than,
    newest_served,
    of_generations,
    standing,
)
from tests.support.frames import assert_same_rows, frame, moment

pytestmark = pytest.mark.spark

VIEW = RowView(
    name="spend",
    entity=Entity("user", {"user_id": Int64}),
    source=DeltaSource("buys", path="raw/buys", event_timestamp="at", schema={"at": Timestamp}),
    transform=lambda rows: rows,
    features=(Feature("spend", Float64), Feature("tags", Array(String))),
)
STATEMENTS = "user_id bigint, event_timestamp timestamp, spend double, tags array<string>, _flag string"
HISTORY = f"{STATEMENTS}, _gen bigint"
STATES = "user_id bigint, event_timestamp timestamp, spend double, tags array<string>, _state string"
T0 = 1_506_902_400_000_000
NAN = float("nan")


def said(spark: SparkSession, *rows: tuple[Any, ...], schema: str = STATEMENTS) -> Any:
    """Statements or states of (user, event µs, spend, tags, flag or state, …)."""
    return frame(spark, schema, [(user, moment(event_us), *rest) for user, event_us, *rest in rows])


def changes(spark: SparkSession, fresh: list[tuple[Any, ...]], known: list[tuple[Any, ...]]) -> Any:
    return changed_statements(VIEW, said(spark, *fresh), said(spark, *known))


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


def test_standing_statements_are_the_newest_unless_retracted(spark: SparkSession) -> None:
    history = said(
        spark,
        *[(1, T0, 5.0, None, "", 5), (1, T0, 6.0, None, "", 6), (1, T0 + 1, 5.0, None, "", 5)],
        *[(1, T0 + 1, None, None, "retracted", 6), (2, T0, None, None, "retracted", 5), (2, T0, 7.0, None, "", 7)],
        schema=HISTORY,
    )
    assert_same_rows(standing(VIEW, history), [(1, T0, 6.0, None, "", 6), (2, T0, 7.0, None, "", 7)])
    old = standing(VIEW, of_generations(history, [5]))
    assert_same_rows(old, [(1, T0, 5.0, None, "", 5), (1, T0 + 1, 5.0, None, "", 5)])
    assert_same_rows(current(VIEW, old), [(1, T0 + 1, 5.0, None, "", 5)])
    assert_same_rows(of_generations(history, []), [])


def test_served_rows_are_present_deleted_and_absent(spark: SparkSession) -> None:
    before = [(1, T0, 1.0, None, ""), (2, T0, 2.0, None, ""), (3, T0, 3.0, None, ""), (4, T0, 4.0, None, "")]
    after = [
        (1, T0, 1.0, None, ""),
        (2, T0 + 1, None, None, "deleted"),
        (3, T0, -3.0, None, ""),
        (5, T0, 5.0, None, ""),
    ]
    told = changed_current(VIEW, said(spark, *before, schema=STATES), said(spark, *after, schema=STATES))
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
    told = changed_current(VIEW, said(spark, *before, schema=STATES), said(spark, *after, schema=STATES))
    assert_same_rows(told, [(1, T0, -0.0, None, ""), (3, T0 + 1, 3.0, None, "")])
    back = changed_current(
        VIEW, said(spark, *before[3:], schema=STATES), said(spark, (4, T0, 4.0, None, ""), schema=STATES)
    )
    assert_same_rows(back, [(4, T0, 4.0, None, "")])


def test_newest_served_row_is_the_one_of_the_newest_generation(spark: SparkSession) -> None:
    rows = said(
        spark,
        (1, T0 + 9, 5.0, None, "", 5),
        (1, T0, 6.0, None, "", 6),
        (2, None, None, None, "absent", 5),
        schema=f"{STATES}, _gen bigint",
    )
    assert_same_rows(newest_served(VIEW, rows), [(1, T0, 6.0, None, "", 6), (2, None, None, None, "absent", 5)])


def test_later_than_leaves_the_instant_itself_out(spark: SparkSession) -> None:
    rows = said(spark, (1, T0, 1.0, None, ""), (2, T0 + 1, 2.0, None, ""))
    assert_same_rows(rows.filter(later_than(T0)).select("user_id"), [(2,)])
    assert_same_rows(rows.filter(later_than(None)).select("user_id"), [(1,), (2,)])


def test_as_served_turns_flags_into_states(spark: SparkSession) -> None:
    told = as_served(VIEW, said(spark, (1, T0, 1.0, ["a"], ""), (2, T0, None, None, "deleted")))
    assert told.columns == ["user_id", "event_timestamp", "spend", "tags", "_state"]
    assert_same_rows(told, [(1, T0, 1.0, ("a",), ""), (2, T0, None, None, "deleted")])


def test_tables_append_each_generation_once_and_never_change_a_row(spark: SparkSession, tmp_path: Path) -> None:
    tables = ValueTables(spark, str(tmp_path), VIEW, timedelta(days=400))
    tables.create()
    rows = said(spark, (1, T0, NAN, [""], ""), (2, T0, -0.0, None, ""))
    first = tables.append(tables.history, rows, generation=7, run_id="r1")
    again = tables.append(tables.history, rows, generation=7, run_id="r1")
    assert first == again
    assert_same_rows(tables.read(tables.history), [(1, T0, NAN, ("",), 7, ""), (2, T0, -0.0, None, 7, "")])
    assert_same_rows(tables.read(tables.history, first - 1), [])
    with pytest.raises(PySparkException):
        spark.sql(f"DELETE FROM delta.`{tables.history}` WHERE user_id = 1")
    with pytest.raises(Exception, match="NOT NULL"):
        tables.append(tables.history, said(spark, (None, T0, 1.0, None, "")), generation=8, run_id="r2")
