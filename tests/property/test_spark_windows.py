"""The incremental evaluation of windows against brute force: every tick, every window, every event, no tiles.

One job checks many entities: the example's number is a join key. Definitions are spelled twice, for the product and for
the oracle, which share no code.

The arithmetic alone, without Spark and over more definitions: tests/unit/test_window_kernel.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import reduce
from random import Random
from typing import Any, NamedTuple

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless.core import aggregate as product
from skewless.core.dtypes import Bool, Float64, Int32, Int64, String, Timestamp
from skewless.core.entity import Entity
from skewless.core.source import DeltaSource
from skewless.core.time import from_us
from skewless.core.view import WindowView
from skewless.spark.span import Span
from skewless.spark.window_view import evaluated, of_touched, read_events, touched_entities
from tests.support.bits import bits
from tests.support.frames import assert_same_rows, frame, rows_of
from tests.support.oracle_windows import Agg, Event, mean, window_values

pytestmark = [pytest.mark.spark, pytest.mark.slow]

HOUR = 3_600_000_000
EVENTS = "example int, entity string, event_timestamp timestamp, x double, n bigint, s string, clicked boolean"
POOL = {
    "x": (None, 0.0, -0.0, 0.1, 0.2, 0.30000049999, 0.0000005, -0.0000005, 1e-9, 2.675, -17.25, 123456.789012),
    "n": (None, 0, 1, 1, -5, 2**40),
    "s": (None, "", "a", "b", "A", "ä\u0000"),
    "clicked": (True, False, None),
}


def sql_clicked(columns: dict[str, Any]) -> bool | None:
    return columns["clicked"]


def sql_n_positive(columns: dict[str, Any]) -> bool | None:
    return None if columns["n"] is None else columns["n"] > 0


class Case(NamedTuple):
    """One definition in the product's words and in the oracle's."""

    every: int
    offset: int
    start: int | None
    declared: dict[str, product.Aggregate]
    brute: dict[str, Agg]
    begins: int


def over(us: int) -> timedelta:
    return timedelta(microseconds=us)


def daily() -> Case:
    """Many kinds over 1, 7 and 3 periods; ticks an hour after midnight."""
    day, week, three = 24 * HOUR, 7 * 24 * HOUR, 3 * 24 * HOUR
    declared = {
        "events_1": product.Count(over=over(day)),
        "events_7": product.Count(over=over(week)),
        "clicks_7": product.Count(over=over(week), where="clicked"),
        "filled_3": product.Count("s", over=over(three)),
        "sum_3": product.Sum("x", over=over(three)),
        "units_7": product.Sum("n", over=over(week), dtype=Int64, where="n > 0"),
        "kinds_1": product.CountDistinct("s", over=over(day)),
        "kinds_7": product.CountDistinct("s", over=over(week)),
        "xs_3": product.CountDistinct("x", over=over(three), where="clicked"),
        "mean_7": product.Mean("x", over=over(week), where="n > 0"),
        "rate_7": product.Ratio(product.Count(where="clicked"), product.Count(), over=over(week)),
        "share_3": product.Ratio(product.Sum("x"), product.CountDistinct("s"), over=over(three)),
    }
    brute = {
        "events_1": Agg("count", day),
        "events_7": Agg("count", week),
        "clicks_7": Agg("count", week, where=sql_clicked),
        "filled_3": Agg("count", three, "s"),
        "sum_3": Agg("sum", three, "x", scale=6),
        "units_7": Agg("sum", week, "n", sql_n_positive),
        "kinds_1": Agg("count_distinct", day, "s"),
        "kinds_7": Agg("count_distinct", week, "s"),
        "xs_3": Agg("count_distinct", three, "x", sql_clicked),
        "mean_7": mean("x", week, where=sql_n_positive),
        "rate_7": Agg("ratio", week, parts=(Agg("count", week, where=sql_clicked), Agg("count", week))),
        "share_3": Agg("ratio", three, parts=(Agg("sum", three, "x", scale=6), Agg("count_distinct", three, "s"))),
    }
    return Case(day, HOUR, None, declared, brute, -10 * day)


def uneven() -> Case:
    """Windows that are no multiple of the period, one shorter than it, another scale, a start, an odd offset."""
    five, two = 5 * HOUR, 2 * HOUR + 1_000_000
    declared = {
        "n_5": product.Count(over=over(five)),
        "n_2": product.Count(over=over(two), where="coalesce(clicked, true)"),
        "sum_2": product.Sum("x", over=over(two), scale=2),
        "mean_5": product.Mean("x", over=over(five), scale=2),
        "kinds_2": product.CountDistinct("s", over=over(two)),
    }
    brute = {
        "n_5": Agg("count", five),
        "n_2": Agg("count", two, where=lambda columns: columns["clicked"] is not False),
        "sum_2": Agg("sum", two, "x", scale=2),
        "mean_5": mean("x", five, scale=2),
        "kinds_2": Agg("count_distinct", two, "s"),
    }
    begins = 1_506_816_000_000_000
    return Case(3 * HOUR, HOUR + 7, begins + 17 * HOUR, declared, brute, begins)


def smallest() -> Case:
    """Periods and windows of microseconds around 1970, so that every event touches an edge."""
    declared = {
        "n_2": product.Count(over=over(2)),
        "n_9": product.Count(over=over(9)),
        "sum_9": product.Sum("n", over=over(9), dtype=Int64),
        "kinds_5": product.CountDistinct("s", over=over(5)),
    }
    brute = {
        "n_2": Agg("count", 2),
        "n_9": Agg("count", 9),
        "sum_9": Agg("sum", 9, "n"),
        "kinds_5": Agg("count_distinct", 5, "s"),
    }
    return Case(3, 2, None, declared, brute, -20)


def extremes() -> Case:
    """What cannot be undone: least, greatest, first, last, deviation; ties by the columns that are read."""
    day, week, three = 24 * HOUR, 7 * 24 * HOUR, 3 * 24 * HOUR
    declared = {
        "least_3": product.Min("x", over=over(three)),
        "least_7": product.Min("n", over=over(week), dtype=Int64, where="clicked"),
        "most_1": product.Max("x", over=over(day)),
        "most_7": product.Max("s", over=over(week), dtype=String),
        "clicked_3": product.Max("clicked", over=over(three), dtype=Bool),
        "first_7": product.First("s", over=over(week), dtype=String),
        "last_3": product.Last("x", over=over(three)),
        "last_7": product.Last("n", over=over(week), dtype=Int64, where="n > 0"),
        "spread_7": product.Stddev("x", over=over(week)),
        "spread_3": product.Stddev("x", over=over(three), where="clicked", scale=2),
        "middle_7": product.Quantile("x", 0.5, over=over(week)),
        "high_3": product.Quantile("n", "0.95", over=over(three), dtype=Int64, where="clicked"),
        "latest_7": product.LastN("s", 3, over=over(week), dtype=String),
        "often_3": product.TopK("s", 2, over=over(three), dtype=String, where="n > 0"),
        "often_7": product.TopK("x", 3, over=over(week)),
    }
    ties = ("s", "x", "n")
    brute = {
        "least_3": Agg("min", three, "x"),
        "least_7": Agg("min", week, "n", sql_clicked),
        "most_1": Agg("max", day, "x"),
        "most_7": Agg("max", week, "s"),
        "clicked_3": Agg("max", three, "clicked"),
        "first_7": Agg("first", week, "s", ties=ties),
        "last_3": Agg("last", three, "x", ties=ties),
        "last_7": Agg("last", week, "n", sql_n_positive, ties=ties),
        "spread_7": Agg("stddev", week, "x", scale=6),
        "spread_3": Agg("stddev", three, "x", sql_clicked, scale=2),
        "middle_7": Agg("quantile", week, "x", q="0.5"),
        "high_3": Agg("quantile", three, "n", sql_clicked, q="0.95"),
        "latest_7": Agg("last_n", week, "s", ties=ties, n=3),
        "often_3": Agg("top_k", three, "s", sql_n_positive, n=2),
        "often_7": Agg("top_k", week, "x", n=3),
    }
    return Case(day, 0, None, declared, brute, -3 * day)


CASES = {"extremes": extremes(), "daily": daily(), "uneven": uneven(), "smallest": smallest()}


def view_of(case: Case) -> WindowView:
    schema = {"seen_at": Timestamp, "x": Float64, "n": Int64, "s": String, "clicked": Bool}
    return WindowView(
        name="windows",
        entity=Entity("thing", {"example": Int32, "entity": String}),
        source=DeltaSource("events", path="raw/events", event_timestamp="seen_at", schema=schema),
        events=lambda rows: rows,
        aggregates=case.declared,
        every=over(case.every),
        offset=over(case.offset),
        start=None if case.start is None else from_us(case.start),
    )


def drawn(case: Case, *, seed: int, examples: int) -> list[Event]:
    """Events of many entities: at ticks, 1 µs to either side, at equal times, in bursts with silence between."""
    rng = Random(seed)
    span = 12 if case.every > 100 else 14
    events: list[Event] = []
    for number in range(examples):
        key = (number, rng.choice(("a", "", "null", "ä")))
        for _ in range(rng.choice((1, 1, 2, 3, 6, 12))):
            tick = case.begins - (case.begins - case.offset) % case.every + case.every * rng.randrange(span)
            event_us = tick + rng.choice((0, -1, 1, rng.randrange(case.every)))
            for _ in range(rng.choice((1, 1, 1, 2))):
                events.append((key, event_us, {name: rng.choice(pool) for name, pool in POOL.items()}))
    return events


def event_rows(events: list[Event]) -> list[tuple[Any, ...]]:
    return [(*key, from_us(event_us), *columns.values()) for key, event_us, columns in events]


def through_of(case: Case) -> int:
    """A tick at which something changes, before the last events have left."""
    return case.begins - (case.begins - case.offset) % case.every + 11 * case.every


def brute_rows(case: Case, events: list[Event]) -> list[tuple[Any, ...]]:
    rules = {"every_us": case.every, "offset_us": case.offset, "start_us": case.start}
    rows = window_values(events, case.brute, **rules, through_us=through_of(case))
    return [(*key, tick, *values.values(), "") for key, tick, values in rows]


@contextmanager
def shuffled_into(spark: SparkSession, partitions: int) -> Iterator[None]:
    """Exactly so many shuffle partitions, none of them merged."""
    wanted = {"spark.sql.shuffle.partitions": str(partitions), "spark.sql.adaptive.enabled": "false"}
    before = {name: spark.conf.get(name) for name in wanted}
    try:
        for name, value in wanted.items():
            spark.conf.set(name, value)
        yield
    finally:
        for name, value in before.items():
            spark.conf.set(name, value)


def halved(case: Case) -> Case:
    """One aggregate of each kind: two hundred partitions are slow enough."""
    kept = ("events_1", "clicks_7", "sum_3", "kinds_7", "mean_7")
    declared, brute = ({name: part[name] for name in kept} for part in (case.declared, case.brute))
    return case._replace(declared=declared, brute=brute)


@pytest.mark.parametrize("name", CASES)
def test_windows_of_generated_events_equal_brute_force(spark: SparkSession, name: str) -> None:
    case = CASES[name]
    events = drawn(case, seed=3, examples=150)
    told = evaluated(
        view_of(case), frame(spark, EVENTS, event_rows(events)), after_us=None, through_us=through_of(case)
    )
    assert_same_rows(told, brute_rows(case, events))


@pytest.mark.parametrize("partitions", [1, 3, 200])
def test_windows_on_any_number_of_partitions_are_the_same_bits(spark: SparkSession, partitions: int) -> None:
    case = halved(CASES["daily"])
    events = drawn(case, seed=4, examples=25)
    dealt = Random(partitions).sample(event_rows(events), len(events))
    rows = frame(spark, EVENTS, dealt, partitions=min(partitions, 8))
    with shuffled_into(spark, partitions):
        told = rows_of(evaluated(view_of(case), rows, after_us=None, through_us=through_of(case)))
    assert_same_rows(told, brute_rows(case, events))


@pytest.mark.parametrize("name", CASES)
def test_windows_of_touched_entities_alone_make_the_full_evaluation_of_what_was_known(
    spark: SparkSession, name: str
) -> None:
    """Events come and go; of each touched entity its later ticks are told again, of all others nothing."""
    case, view, rng = CASES[name], view_of(CASES[name]), Random(6)
    events, gone = drawn(case, seed=5, examples=100), drawn(case, seed=7, examples=100)
    come = [event for event in events if rng.random() < 0.1]
    gone = [event for event in gone if rng.random() < 0.1]
    then = [*(event for event in events if not any(event is one for one in come)), *gone]
    good = frame(spark, EVENTS, event_rows(events)).persist()
    changed = frame(spark, EVENTS, event_rows([*come, *gone]))
    known, wanted = brute_rows(case, then), brute_rows(case, events)
    fresh_ones, replaced, before = [], [], []
    first_us = case.begins - (case.begins - case.offset) % case.every
    for place, steps in enumerate((4, 8, 11)):
        before_us, least_us = first_us + steps * case.every, min(time_us for _, time_us, _ in [*come, *gone])
        touched = touched_entities(view, good, changed, before_us=before_us, through_us=through_of(case))
        near = of_touched(view, good, Span.of_touched(least_us, touched))
        fresh = evaluated(view, near, after_us=least_us, through_us=through_of(case))
        stood = [row for row in known if row[2] <= before_us]
        before += [(place, *row) for row in stood]
        columns = ", ".join(f"`{field.name}` {field.dataType.simpleString()}" for field in fresh.schema)
        history = frame(spark, columns, [(*row[:2], from_us(row[2]), *row[3:]) for row in stood])
        for found, rows in ((fresh_ones, fresh), (replaced, Span(least_us, touched).of(history))):
            found.append(rows.select(F.lit(place).alias("place"), *fresh.columns))
    told = Counter(bits(row) for row in before)
    told.subtract(bits(row) for row in rows_of(reduce(DataFrame.unionByName, replaced)))
    assert 0 < told.total() < len(before), "some statements are told again, and some stand"
    told.update(bits(row) for row in rows_of(reduce(DataFrame.unionByName, fresh_ones)))
    assert told == Counter(bits((place, *row)) for place in range(3) for row in wanted)
    good.unpersist()


def test_windows_of_null_keys_and_values_without_a_sum_are_set_aside(spark: SparkSession) -> None:
    rows = [
        (1, "a", from_us(5), 1.0, 1, "s", True),
        (1, None, from_us(5), 1.0, 1, "s", True),
        (1, "a", None, 1.0, 1, "s", True),
        (1, "a", from_us(5), float("nan"), 1, "s", True),
        (1, "a", from_us(5), float("-inf"), 1, "s", False),
        (1, "a", from_us(11), None, None, None, None),
    ]
    judged = read_events(view_of(CASES["daily"]), frame(spark, EVENTS, rows), start_us=10)
    assert_same_rows(judged.used.select("entity", "x"), [("a", 1.0)])
    told = judged.quarantined.select(F.col("_errors")[0]["rule"].alias("rule"))
    rules = ["null_key", "null_event_time", "poison", "poison", "future_event"]
    assert_same_rows(told, [(rule,) for rule in rules])
