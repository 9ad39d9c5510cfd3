"""Window views in the product's words and in the oracle's, and events that touch the edges of their windows."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any, NamedTuple

from skewless.core import aggregate as product
from skewless.core.dtypes import Bool, Float64, Int32, Int64, String, Timestamp
from skewless.core.entity import Entity
from skewless.core.source import DeltaSource
from skewless.core.time import from_us
from skewless.core.view import WindowView
from tests.support.oracle_windows import Agg, Event, mean

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
