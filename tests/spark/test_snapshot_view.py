"""SnapshotView: what its transform sees at a tick, and what is said from tick to tick."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless.core.dtypes import Float64, Int64, Timestamp
from skewless.core.entity import Entity
from skewless.core.source import DeltaSource
from skewless.core.time import days, to_us
from skewless.core.view import Feature, SnapshotView
from skewless.spark.evaluate import reached_us
from skewless.spark.snapshot_view import due_ticks, evaluated, taken
from skewless.spark.source_changes import IS_ADDED
from skewless.spark.span import Span
from tests.support.frames import assert_same_rows, at, frame, moment, rows_of, us

pytestmark = pytest.mark.spark

RAW = "user_id bigint, event_timestamp timestamp, spend double"
T0, DAY = us("2017-10-01"), 86_400_000_000
D = [us(f"2017-10-0{day}") for day in range(1, 9)]
SOURCE = DeltaSource(
    "buys", path="raw/buys", event_timestamp="at", schema={"at": Timestamp, "user_id": Int64, "spend": Float64}
)


def newest(sources: Any, _: Any) -> DataFrame:
    return sources["buys"].groupBy("user_id").agg(F.max_by("spend", "event_timestamp").alias("spend"))


def view_of(**changes: Any) -> SnapshotView:
    given = {
        "name": "spend",
        "entity": Entity("user", {"user_id": Int64}),
        "sources": (SOURCE,),
        "transform": newest,
        "features": (Feature("spend", Float64),),
    }
    return SnapshotView(**{**given, **changes})


def told(
    spark: SparkSession, view: SnapshotView, rows: list[tuple[Any, ...]], *, through: int, after_us: int | None = None
) -> DataFrame:
    return of_span(spark, view, rows, Span(after_us, until_us=through))


def of_span(spark: SparkSession, view: SnapshotView, rows: list[tuple[Any, ...]], span: Span) -> DataFrame:
    ticks = due_ticks(view, span, earliest_us=D[0])
    return evaluated(view, taken(view, {"buys": frame(spark, RAW, rows)}, ticks), ticks).filter(span.within)


def test_snapshot_sees_events_before_its_tick_and_not_the_one_at_it(spark: SparkSession) -> None:
    rows = [(1, at("2017-10-01T23:59:59.999999"), 1.0), (2, at("2017-10-02"), 2.0)]
    assert_same_rows(told(spark, view_of(), rows, through=D[1]), [(1, D[1], 1.0, "")])


def test_snapshot_with_a_lookback_sees_its_first_instant_and_nothing_before(spark: SparkSession) -> None:
    view = view_of(lookback={"buys": days(2)})
    rows = [(1, at("2017-10-01"), 1.0), (2, at("2017-10-01T00:00:00.000001"), 2.0), (3, at("2017-10-02"), 3.0)]
    ticks = (D[2] - 1, D[2], D[2] + 1)
    seen = taken(view_of(lookback={"buys": days(2)}), {"buys": frame(spark, RAW, rows)}, ticks)
    expected = [
        (1, D[2] - 1),
        (2, D[2] - 1),
        (3, D[2] - 1),
        (1, D[2]),
        (2, D[2]),
        (3, D[2]),
        (2, D[2] + 1),
        (3, D[2] + 1),
    ]
    assert_same_rows(seen.select("user_id", "event_timestamp"), expected)
    gone = told(spark, view, rows[:1] + rows[2:], through=D[4])
    expected = [(1, D[1], 1.0, ""), (1, D[3], None, "deleted"), (3, D[2], 3.0, ""), (3, D[4], None, "deleted")]
    assert_same_rows(gone, expected)


def test_entity_that_vanishes_is_deleted_once_and_may_come_back(spark: SparkSession) -> None:
    view = view_of(lookback={"buys": days(1)})
    rows = [(1, at("2017-10-01T12:00:00"), 1.0), (1, at("2017-10-04T12:00:00"), 1.0)]
    expected = [(1, D[1], 1.0, ""), (1, D[2], None, "deleted"), (1, D[4], 1.0, ""), (1, D[5], None, "deleted")]
    assert_same_rows(told(spark, view, rows, through=D[6]), expected)


def test_value_that_does_not_change_is_not_stated_again(spark: SparkSession) -> None:
    rows = [
        (1, at("2017-10-01T12:00:00"), 1.0),
        (1, at("2017-10-03T12:00:00"), 1.0),
        (1, at("2017-10-05T12:00:00"), 2.0),
    ]
    assert_same_rows(told(spark, view_of(), rows, through=D[6]), [(1, D[1], 1.0, ""), (1, D[5], 2.0, "")])


def test_sign_of_zero_is_a_change_and_nan_after_nan_is_not(spark: SparkSession) -> None:
    nan = float("nan")
    rows = [
        *((1, at(f"2017-10-0{day}T12:00:00"), value) for day, value in ((1, 0.0), (2, -0.0), (3, -0.0))),
        *((2, at(f"2017-10-0{day}T12:00:00"), value) for day, value in ((1, nan), (2, nan), (3, None))),
    ]
    expected = [(1, D[1], 0.0, ""), (1, D[2], -0.0, ""), (2, D[1], nan, ""), (2, D[3], None, "")]
    assert_same_rows(told(spark, view_of(), rows, through=D[4]), expected)


@pytest.mark.parametrize("step", [1, -1])
def test_rows_of_one_entity_at_one_tick_are_settled_by_bits_in_any_order(spark: SparkSession, step: int) -> None:
    view = view_of(transform=lambda sources, _: sources["buys"].select("user_id", "spend"))
    rows = [
        (1, at("2017-10-01"), 0.0),
        (1, at("2017-10-01"), -0.0),
        (2, at("2017-10-01"), None),
        (2, at("2017-10-01"), 1.0),
    ]
    assert_same_rows(told(spark, view, rows[::step], through=D[1]), [(1, D[1], 0.0, ""), (2, D[1], 1.0, "")])


@pytest.mark.parametrize("after", [2, 4])
def test_snapshots_after_a_tick_equal_the_full_ones_behind_it(spark: SparkSession, after: int) -> None:
    view = view_of(lookback={"buys": days(1)})
    rows = [
        *((1, at(f"2017-10-0{day}T12:00:00"), 1.0) for day in (1, 2, 4)),
        *((2, at(f"2017-10-0{day}T12:00:00"), float(day)) for day in (2, 3, 5)),
    ]
    full = [
        *[(1, D[1], 1.0, ""), (1, D[3], None, "deleted"), (1, D[4], 1.0, ""), (1, D[5], None, "deleted")],
        *[
            (2, D[2], 2.0, ""),
            (2, D[3], 3.0, ""),
            (2, D[4], None, "deleted"),
            (2, D[5], 5.0, ""),
            (2, D[6], None, "deleted"),
        ],
    ]
    assert_same_rows(
        told(spark, view, rows, through=D[6], after_us=D[after]), [row for row in full if row[1] > D[after]]
    )


def test_ticks_due_begin_behind_the_earliest_row_and_keep_the_one_before() -> None:
    view = view_of(every=timedelta(days=1), offset=timedelta(hours=6))
    six = 6 * 3_600_000_000
    assert due_ticks(view, Span(None, until_us=D[2]), earliest_us=D[0] + six - 1) == (D[0] + six, D[1] + six)
    assert due_ticks(view, Span(None, until_us=D[2]), earliest_us=D[0] + six) == (D[1] + six,)
    assert due_ticks(view, Span(D[1] + six, until_us=D[2] + six), earliest_us=D[0]) == (D[1] + six, D[2] + six)
    assert due_ticks(view, Span(None, until_us=D[0]), earliest_us=D[0]) == ()
    begun = view_of(start=at("2017-10-03T00:00:00"))
    assert due_ticks(begun, Span(None, until_us=D[3]), earliest_us=D[0]) == (D[2], D[3])
    skipping = Span(D[1], until_us=D[7], skipped=(D[3], D[5]))
    assert due_ticks(view_of(), skipping, earliest_us=D[0]) == (D[1], D[2], D[3], D[5], D[6], D[7])


def test_late_rows_change_no_tick_beyond_their_lookback_and_the_one_after_it(spark: SparkSession) -> None:
    """What is skipped stands; with what is told around it, it is what an evaluation of everything says."""
    view, rng = view_of(lookback={"buys": days(2)}), Random(5)

    def drawn(count: int, begin_us: int, end_us: int) -> list[tuple[Any, ...]]:
        return [
            (rng.randrange(60), moment(rng.randrange(begin_us, end_us)), float(rng.randrange(3))) for _ in range(count)
        ]

    before, late = drawn(200, T0, T0 + 12 * DAY), drawn(30, T0 + 3 * DAY, T0 + 4 * DAY)
    reach_us = reached_us(view, {"buys": frame(spark, RAW, late).withColumn(IS_ADDED, F.lit(True))})
    assert reach_us == T0 + 6 * DAY
    first_us, known_us, through_us = min(to_us(time) for _, time, _ in late), T0 + 9 * DAY, T0 + 12 * DAY
    span, whole = Span(first_us, until_us=through_us, skipped=(reach_us, known_us)), Span(until_us=through_us)
    stood, wanted = (set(rows_of(of_span(spark, view, rows, whole))) for rows in (before, [*before, *late]))
    told_now = set(rows_of(of_span(spark, view, [*before, *late], span)))
    again = {row for row in stood if first_us < row[1] <= reach_us or known_us < row[1]}
    assert (stood - again) | told_now == wanted
    assert told_now != again


def test_source_without_a_lookback_is_reached_to_the_end(spark: SparkSession) -> None:
    changed = frame(spark, RAW, [(1, moment(D[0]), 1.0)]).withColumn(IS_ADDED, F.lit(True))
    assert reached_us(view_of(), {"buys": changed}) is None
