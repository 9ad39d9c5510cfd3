"""History and served: what stands, what is newest, and how rows get in."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from skewless.spark.value_tables import (
    ValueTables,
    as_served,
    current,
    later_than,
    newest_served,
    of_generations,
    standing,
)
from tests.support.frames import assert_same_rows
from tests.support.statements import HISTORY, NAN, STATES, T0, VIEW, said

pytestmark = pytest.mark.spark


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
    assert first.rows == 2
    assert_same_rows(tables.read(tables.history), [(1, T0, NAN, ("",), 7, ""), (2, T0, -0.0, None, 7, "")])
    assert_same_rows(tables.read(tables.history, first.version - 1), [])
    with pytest.raises(PySparkException):
        spark.sql(f"DELETE FROM delta.`{tables.history}` WHERE user_id = 1")
    with pytest.raises(Exception, match="NOT NULL"):
        tables.append(tables.history, said(spark, (None, T0, 1.0, None, "")), generation=8, run_id="r2")
