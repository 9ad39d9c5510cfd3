"""WindowView: the edges of a window, and what is set aside. Whole histories: tests/property/test_spark_windows.py."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from math import inf, nextafter
from random import Random
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless.core.aggregate import Aggregate, Count, CountDistinct, Mean, Sum
from skewless.core.dtypes import Float64, Int64, Timestamp
from skewless.core.entity import Entity
from skewless.core.source import DeltaSource
from skewless.core.time import days
from skewless.core.view import WindowView
from skewless.errors import DefinitionError
from skewless.spark.transform import Tally
from skewless.spark.window_kernel import AFTER
from skewless.spark.window_view import _units, evaluated, read_events
from tests.support.frames import assert_same_rows, at, frame, us

pytestmark = pytest.mark.spark

SCALES = (1, 2, 6)
RAW = "user_id bigint, event_timestamp timestamp, x double, n bigint, clicked boolean"
D = [us(f"2017-10-{day:02}") for day in range(1, 20)]
SCHEMA = {"at": Timestamp, "user_id": Int64, "x": Float64, "n": Int64}


def view_of(**aggregates: Aggregate) -> WindowView:
    return WindowView(
        name="spend",
        entity=Entity("user", {"user_id": Int64}),
        source=DeltaSource("buys", path="raw/buys", event_timestamp="at", schema=SCHEMA),
        events=lambda rows: rows,
        aggregates=aggregates,
    )


def told(
    spark: SparkSession, view: WindowView, rows: list[tuple[Any, ...]], *, through: int, after_us: int | None = None
) -> DataFrame:
    events = frame(spark, RAW, rows)
    if after_us is not None:
        events = events.withColumn(AFTER, F.lit(after_us))
    return evaluated(view, events, after_us=after_us, through_us=through)


def test_event_at_a_tick_belongs_to_the_next_one_and_leaves_with_its_window(spark: SparkSession) -> None:
    rows = [(1, at("2017-10-02"), 1.0, 1, True), (2, at("2017-10-01T23:59:59.999999"), 1.0, 1, True)]
    expected = [(1, D[2], 1, ""), (1, D[4], 0, ""), (2, D[1], 1, ""), (2, D[3], 0, "")]
    assert_same_rows(told(spark, view_of(n=Count(over=days(2))), rows, through=D[8]), expected)


def test_empty_window_counts_zero_and_sums_null(spark: SparkSession) -> None:
    view = view_of(
        n=Count(over=days(1)),
        kinds=CountDistinct("n", over=days(1)),
        x=Sum("x", over=days(1)),
        m=Mean("x", over=days(1)),
    )
    rows = [(1, at("2017-10-01T12:00:00"), None, 7, True)]
    assert_same_rows(
        told(spark, view, rows, through=D[8]), [(1, D[1], 1, 1, None, None, ""), (1, D[2], 0, 0, None, None, "")]
    )


def test_sum_of_values_that_cancel_is_zero_and_not_null(spark: SparkSession) -> None:
    rows = [(1, at("2017-10-01T12:00:00"), 0.1, 1, True), (1, at("2017-10-01T13:00:00"), -0.1, 1, True)]
    assert_same_rows(told(spark, view_of(x=Sum("x", over=days(1))), rows, through=D[1]), [(1, D[1], 0.0, "")])


def test_sum_of_tenths_is_the_decimal_sum(spark: SparkSession) -> None:
    rows = [(1, at(f"2017-10-01T0{hour}:00:00"), 0.1, 1, True) for hour in range(6)]
    assert_same_rows(told(spark, view_of(x=Sum("x", over=days(1))), rows, through=D[1]), [(1, D[1], 0.6, "")])


@pytest.mark.parametrize("kind", ["double", "float"])
def test_value_is_rounded_by_its_decimal_spelling_half_away_from_zero(spark: SparkSession, kind: str) -> None:
    rng, cases = Random(7), []
    for scale in SCALES:
        step = Decimal(1).scaleb(-scale)
        for _ in range(500):
            middle = (rng.randrange(-(10 ** rng.randrange(1, 10)), 10**9) + Decimal("0.5")) * step
            cases += [(float(middle), scale), (nextafter(float(middle), inf), scale), (rng.uniform(-1e9, 1e9), scale)]
            cases.append((float(rng.randrange(2**52) * step), scale))
    rows = spark.createDataFrame([(place, *one) for place, one in enumerate(cases)], f"place int, x {kind}, scale int")
    chosen = F.coalesce(*(F.when(F.col("scale") == scale, _units(F.col("x"), scale)) for scale in SCALES))
    found = {
        row[0]: row[1] for row in rows.filter(F.abs("x") * F.pow(10, "scale") < 2**53).select("place", chosen).collect()
    }
    expected = {}
    for place in found:
        x, scale = cases[place]
        spelled = Decimal(repr(x if kind == "double" else float(np.float32(x))))
        expected[place] = int(spelled.scaleb(scale).quantize(Decimal(1), ROUND_HALF_UP))
    assert len(found) > 5_000
    assert found == expected


def test_integer_too_large_for_a_sum_in_doubles_is_set_aside(spark: SparkSession) -> None:
    """In units of 10**-6 it passes 2**53: its sum would not be exact, or break the whole run."""
    view = view_of(total=Sum("n", over=days(1)))
    rows = [(1, at("2017-10-01"), None, n, True) for n in (9_007_199_254, 9_007_199_255, -(10**13), 2**63 - 1, None)]
    parts = read_events(view, frame(spark, RAW, rows), start_us=D[9])
    assert_same_rows(parts.used.select("n"), [(9_007_199_254,), (None,)])
    assert {row["_errors"][0]["column"] for row in parts.quarantined.collect()} == {"n"}


def test_integer_summed_as_an_integer_is_never_too_large_by_itself(spark: SparkSession) -> None:
    view = view_of(total=Sum("n", over=days(1), dtype=Int64))
    rows = [(1, at("2017-10-01"), None, 2**62, True), (2, at("2017-10-01"), None, -(2**63), True)]
    assert read_events(view, frame(spark, RAW, rows), start_us=D[9]).count() == Tally(2, 0)
    assert_same_rows(told(spark, view, rows[:1], through=D[1]), [(1, D[1], 2**62, "")])


def test_entity_whose_events_change_no_value_is_not_stated(spark: SparkSession) -> None:
    view = view_of(clicks=Count(over=days(2), where="clicked"))
    rows = [(1, at("2017-10-01T12:00:00"), 1.0, 1, False), (1, at("2017-10-09T12:00:00"), 1.0, 1, False)]
    assert_same_rows(told(spark, view, rows, through=D[12]), [])
    assert_same_rows(told(spark, view, rows, through=D[12], after_us=D[7]), [])


def test_events_without_a_column_that_an_aggregate_reads_are_refused(spark: SparkSession) -> None:
    with pytest.raises(DefinitionError, match=r"lack \['gone'\]") as caught:
        read_events(
            view_of(n=Count("gone", over=days(1))),
            frame(spark, RAW, [(1, at("2017-10-01"), 1.0, 1, True)]),
            start_us=D[9],
        )
    assert "\n" not in str(caught.value)
