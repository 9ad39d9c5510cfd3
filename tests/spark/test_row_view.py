"""RowView: one value row per (keys, event time), whatever the order in which source rows arrive."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from skewless.core.dtypes import Float64, Int64, Timestamp
from skewless.core.entity import Entity
from skewless.core.source import DeltaSource
from skewless.core.view import Feature, RowView
from skewless.errors import DefinitionError
from skewless.spark.row_view import evaluated, transformed
from skewless.spark.transform import FeaturesMissing, Tally
from tests.support.frames import assert_same_rows, at, frame, us

pytestmark = pytest.mark.spark

RAW = "user_id bigint, event_timestamp timestamp, spend double, visits bigint, number bigint"
DAY = at("2017-10-02")
DAY_US = us("2017-10-02")


def view_of(**changes: Any) -> RowView:
    tie_break = changes.pop("tie_break", ("number",))
    schema = {"at": Timestamp, "user_id": Int64, "spend": Float64, "visits": Int64, "number": Int64}
    given = {
        "name": "spend",
        "entity": Entity("user", {"user_id": Int64}),
        "source": DeltaSource("buys", path="raw/buys", event_timestamp="at", schema=schema, tie_break=tie_break),
        "transform": lambda rows: rows if tie_break else rows.drop("number"),
        "features": (Feature("spend", Float64), Feature("visits", Int64)),
    }
    return RowView(**{**given, **changes})


def told(spark: SparkSession, view: RowView, rows: list[tuple[Any, ...]], *, start_us: int = 2 * DAY_US) -> Any:
    return evaluated(view, transformed(view, frame(spark, RAW, rows), start_us=start_us).used)


@pytest.mark.parametrize("step", [1, -1])
def test_rows_of_equal_time_are_settled_by_the_tie_break_in_any_order(spark: SparkSession, step: int) -> None:
    rows = [(1, DAY, 9.0, 9, 1), (1, DAY, 1.0, None, 3), (1, DAY, 5.0, 5, 2), (1, DAY, 7.0, 7, None)][::step]
    assert_same_rows(told(spark, view_of(), rows), [(1, DAY_US, 1.0, None, "")])


@pytest.mark.parametrize("step", [1, -1])
def test_rows_of_equal_time_and_tie_break_are_settled_by_the_features_in_order(spark: SparkSession, step: int) -> None:
    rows = [(1, DAY, 5.0, 1, 1), (1, DAY, 5.0, 2, 1), (1, DAY, None, 9, 1), (1, DAY, 4.0, 9, 1)][::step]
    assert_same_rows(told(spark, view_of(), rows), [(1, DAY_US, 5.0, 2, "")])
    assert_same_rows(told(spark, view_of(tie_break=()), rows), [(1, DAY_US, 5.0, 2, "")])


@pytest.mark.parametrize("step", [1, -1])
def test_rows_that_differ_in_the_sign_of_zero_alone_are_settled_in_any_order(spark: SparkSession, step: int) -> None:
    rows = [(1, DAY, -0.0, 1, 1), (1, DAY, 0.0, 1, 1)][::step]
    assert_same_rows(told(spark, view_of(), rows), [(1, DAY_US, 0.0, 1, "")])


def test_rows_one_microsecond_apart_are_two_values(spark: SparkSession) -> None:
    rows = [(1, DAY, 1.0, 1, 1), (1, at("2017-10-02T00:00:00.000001"), 2.0, 2, 1), (2, DAY, 3.0, 3, 1)]
    expected = [(1, DAY_US, 1.0, 1, ""), (1, DAY_US + 1, 2.0, 2, ""), (2, DAY_US, 3.0, 3, "")]
    assert_same_rows(told(spark, view_of(), rows), expected)


def test_rows_without_key_or_time_and_of_the_future_are_set_aside(spark: SparkSession) -> None:
    rows = [
        (None, DAY, 1.0, 1, 1),
        (2, None, 2.0, 2, 1),
        (3, at("2017-10-02T00:00:00.000001"), 3.0, 3, 1),
        (4, DAY, 4.0, 4, 1),
    ]
    parts = transformed(view_of(), frame(spark, RAW, rows), start_us=DAY_US)
    assert_same_rows(parts.used.select("user_id"), [(4,)])
    assert parts.count() == Tally(4, 3, next_us=DAY_US + 1)
    found = {row["_errors"][0]["rule"] for row in parts.quarantined.collect()}
    assert found == {"null_key", "null_event_time", "future_event"}


def test_rows_are_counted_with_the_first_action_and_otherwise_by_a_job(spark: SparkSession) -> None:
    rows = frame(spark, RAW, [(None, DAY, 1.0, 1, 1), (2, DAY, 2.0, 2, 1)])
    acts = (lambda used: used.collect(), lambda used: used.filter(F.lit(False)).collect(), lambda _: None)
    for act in acts:
        parts = transformed(view_of(), rows, start_us=DAY_US).observed()
        act(parts.used)
        # the second action needs no row, so that Spark leaves the counting out
        assert parts.count() == Tally(2, 1)


@pytest.mark.parametrize(
    ("transform", "error", "says"),
    [
        (lambda rows: rows.drop("visits"), FeaturesMissing, r"promises \['visits'\], but its transform returned only"),
        (lambda rows: rows.drop("number"), FeaturesMissing, r"promises \['number'\]"),
        (lambda rows: rows.withColumn("visits", rows.spend), DefinitionError, "promises 'visits' as int64"),
        (lambda rows: rows.withColumn("more", rows.spend), DefinitionError, r"does not promise: \['more'\]"),
    ],
)
def test_transform_that_breaks_its_promise_is_refused_in_one_line(
    spark: SparkSession, transform: Any, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        transformed(view_of(transform=transform), frame(spark, RAW, [(1, DAY, 1.0, 1, 1)]), start_us=DAY_US)
    assert "\n" not in str(caught.value)
