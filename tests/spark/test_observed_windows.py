"""Windows at observation times: their edges. Whole histories: tests/property/test_spark_observed_windows.py."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from skewless.core.aggregate import Aggregate, Count, LastN, Sum
from skewless.core.dtypes import Int64, String, Timestamp
from skewless.core.entity import Entity
from skewless.core.source import DeltaSource
from skewless.core.time import days
from skewless.core.view import WindowView
from skewless.spark import observed_windows
from skewless.spark.observed_windows import Asking, observed
from skewless.spark.point_in_time.bucket import buckets_of
from skewless.spark.window_view import read_events
from tests.support.frames import assert_same_rows, at, frame, us

pytestmark = [pytest.mark.spark, pytest.mark.usefixtures("interpreted")]

RAW = "shop string, user string, event_timestamp timestamp, number bigint, n bigint"
SPINE = "user string, label int, t timestamp, shop string"


def view_of(**aggregates: Aggregate) -> WindowView:
    schema = {"at": Timestamp, "shop": String, "user": String, "number": Int64, "n": Int64}
    return WindowView(
        name="spend",
        entity=Entity("customer", {"shop": String, "user": String}),
        source=DeltaSource("buys", path="raw/buys", event_timestamp="at", schema=schema, tie_break=("number",)),
        events=lambda rows: rows,
        aggregates=aggregates,
        ttl=days(1),
        start=at("2030-01-01"),
    )


def told(
    spark: SparkSession,
    view: WindowView,
    events: list[tuple[str | None, str | None, datetime | None, int, int | None]],
    spine: list[tuple[str | None, int, datetime | None, str | None]],
    *,
    buckets: int = 2,
) -> DataFrame:
    used = read_events(view, frame(spark, RAW, events), start_us=us("2029-01-01")).used
    return observed(view, used, Asking.of(frame(spark, SPINE, spine), "t"), buckets=buckets)


def test_each_edge_of_a_window_is_a_rule(spark: SparkSession) -> None:
    """One shop per rule; the observation is 2017-10-09, the window two days."""
    moment = at("2017-10-09")
    events = [
        ("an event at the observation does not count", "b", moment, 1, 1),
        ("one a microsecond earlier does", "b", at("2017-10-08T23:59:59.999999"), 1, 1),
        ("one at the beginning of the window counts", "b", at("2017-10-07"), 1, 1),
        ("one a microsecond before it does not", "b", at("2017-10-06T23:59:59.999999"), 1, 1),
        ("before 1970 it is the same", "b", at("1961-05-01T00:00:00.000001"), 1, 1),
        ("a window without a value sums to null", "b", at("2017-10-08"), 1, None),
        (None, "b", at("2017-10-08"), 1, 1),
        ("an event without a time is set aside", "b", None, 1, 1),
    ]
    spine = [("b", 1, moment, shop) for shop, *_ in events]
    spine += [
        ("b", 1, moment, "one at the beginning of the window counts"),
        ("b", 2, None, "one at the beginning of the window counts"),
        (None, 2, moment, "one at the beginning of the window counts"),
        ("b", 3, moment, "an unknown entity has empty windows"),
        ("b", 3, at("1961-05-02"), "before 1970 it is the same"),
        ("b", 3, at("1961-05-03T00:00:00.000001"), "before 1970 it is the same"),
        ("b", 3, at("1961-05-03T00:00:00.000002"), "before 1970 it is the same"),
    ]
    counts = [0, 1, 1, 0, 0, 1, None, 0, 1, None, None, 0, 1, 1, 0]
    sums = [None, 1, 1, None, None, None, None, None, 1, None, None, None, 1, 1, None]
    view = view_of(n=Count(over=days(2)), total=Sum("n", over=days(2), dtype=Int64))
    wanted = [
        (user, label, None if time is None else us(time.isoformat().removesuffix("+00:00")), shop, count, total)
        for (user, label, time, shop), count, total in zip(spine, counts, sums, strict=True)
    ]
    assert_same_rows(told(spark, view, events, spine), wanted)


def test_keys_of_several_columns_are_never_one_text(spark: SparkSession) -> None:
    moment = at("2017-10-09")
    events = [
        ("a|b", "c", at("2017-10-08"), 1, 1),
        ("a", "b|c", at("2017-10-08"), 1, 2),
        ("", "", at("2017-10-08"), 1, 4),
    ]
    spine = [("c", 0, moment, "a|b"), ("b|c", 1, moment, "a"), ("|b|c", 2, moment, "a"), ("", 3, moment, "")]
    found = told(spark, view_of(n=Sum("n", over=days(2), dtype=Int64)), events, spine, buckets=1)
    assert_same_rows(found.select("label", "n"), [(0, 1), (1, 2), (2, None), (3, 4)])


@pytest.fixture
def small_batches(spark: SparkSession) -> Iterator[None]:
    name = "spark.sql.execution.arrow.maxRecordsPerBatch"
    before = spark.conf.get(name)
    spark.conf.set(name, "3")
    yield
    spark.conf.set(name, str(before))


@pytest.mark.usefixtures("small_batches")
def test_a_hot_key_over_several_batches_is_one_key_and_ties_are_the_sources(spark: SparkSession) -> None:
    events = [("a", "b", at(f"2017-10-{1 + number // 4:02}"), -number, number) for number in range(40)]
    spine = [("b", day, at(f"2017-10-{day:02}"), "a") for day in range(1, 13)]
    view = view_of(c0=Count(over=days(3)), latest=LastN("n", 2, over=days(3), dtype=Int64))
    wanted = []
    for day in range(1, 13):
        inside = [number for number in range(40) if day - 3 <= 1 + number // 4 < day]
        # of one instant the greatest by `number`, which is -n, is the latest
        inside.sort(key=lambda number: (number // 4, -number))
        wanted.append((day, len(inside), tuple(inside[::-1][:2]) or None))
    assert_same_rows(told(spark, view, events, spine).select("label", "c0", "latest"), wanted)


def test_a_spine_without_rows_or_times_gives_its_rows(spark: SparkSession) -> None:
    events = [("a", "b", at("2017-10-08"), 1, 1)]
    assert_same_rows(told(spark, view_of(n=Count(over=days(2))), events, []), [])
    assert_same_rows(
        told(spark, view_of(n=Count(over=days(2))), events, [("b", 1, None, "a")]), [("b", 1, None, "a", None)]
    )


def test_entities_and_times_that_nobody_asks_for_do_not_travel_and_more_keys_than_few_do(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, moment = view_of(n=Count(over=days(2))), at("2017-10-09")
    spine = Asking.of(frame(spark, SPINE, [("b", 1, moment, "a"), ("b", 1, at("2017-10-10"), "a")]), "t")
    times = [at(f"2017-10-{day:02}") for day in range(5, 13)]
    rows: list[Any] = [(shop, "b", time, 1, 1) for shop in ("a", "z") for time in times]
    events = read_events(view, frame(spark, RAW, rows), start_us=us("2029-01-01")).used
    near = observed_windows._near(view, events, spine)
    assert_same_rows(near.select("shop", "event_timestamp"), [("a", us(f"2017-10-{day:02}")) for day in (7, 8, 9)])
    monkeypatch.setattr(observed_windows, "FEW", 1)
    assert observed_windows._near(view, events, spine).count() == 6


def test_buckets_are_as_many_as_rows_need_and_two_at_least() -> None:
    assert [buckets_of(rows) for rows in (0, 1_500_000, 1_500_001)] == [2, 2, 3]
