"""Windows at observation times against brute force: every spine row, every window, every event; many entities per job.

The arithmetic alone, without Spark and over more definitions: tests/unit/test_observed_kernel.py.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless.core.time import from_us
from skewless.spark.observed_windows import Asking, observed
from skewless.spark.window_view import evaluated, read_events
from tests.support.frames import assert_same_rows, frame, rows_of
from tests.support.oracle_windows import Event, value_at
from tests.support.window_cases import CASES, EVENTS, Case, drawn, event_rows, through_of, view_of

pytestmark = [pytest.mark.spark, pytest.mark.slow]

SPINE = "entity string, seen timestamp, label int, example int"
#: Label, key, time.
Observation = tuple[int, tuple[int | None, str | None], int | None]


def observations(case: Case, events: list[Event], *, seed: int) -> list[Observation]:
    """Around each event, and around the end of each window that begins at it; of entities that nobody knows, too."""
    rng = Random(seed)
    lengths = sorted({part.over_us for one in case.brute.values() for part in (one, *one.parts)})
    found: list[Observation] = []
    for key, event_us, _ in events:
        time = event_us + rng.choice((0, *lengths)) + rng.choice((0, 0, 1, -1, rng.randrange(case.every)))
        found += [(len(found), key, time)] * rng.choice((1, 1, 1, 2))
    first, time = events[0][0], events[0][1]
    strangers = [((-1, "a"), time), ((None, "a"), time), ((0, None), time), (first, None), ((None, None), None)]
    return found + [(place, key, time) for key, time in strangers for place in (-1, -1)]


def spine_of(spark: SparkSession, asked: list[Observation]) -> DataFrame:
    rows = [(key[1], None if time is None else from_us(time), label, key[0]) for label, key, time in asked]
    return frame(spark, SPINE, Random(1).sample(rows, len(rows)))


def told(spark: SparkSession, case: Case, events: list[Event], asked: list[Observation], *, buckets: int) -> DataFrame:
    rows = event_rows(events)
    dealt = frame(spark, EVENTS, Random(buckets).sample(rows, len(rows)), partitions=3)
    view = view_of(case)
    used = read_events(view, dealt, start_us=2**57).used
    return observed(view, used, Asking.of(spine_of(spark, asked), "seen"), buckets=buckets)


def brute_rows(case: Case, events: list[Event], asked: list[Observation]) -> list[tuple[Any, ...]]:
    found = []
    own: dict[Any, list[tuple[int, dict[str, Any]]]] = {}
    for key, event_us, columns in events:
        own.setdefault(key, []).append((event_us, columns))
    for label, key, time in asked:
        is_whole = time is not None and None not in key
        values = [value_at(own.get(key, []), one, time) if is_whole else None for one in case.brute.values()]
        found.append((key[1], time, label, key[0], *values))
    return found


@pytest.mark.parametrize("buckets", [1, 200])
def test_windows_at_observations_equal_brute_force_in_any_number_of_buckets(spark: SparkSession, buckets: int) -> None:
    """One bucket for all cases; for many, the one whose values hang on the order of events and on no order at all."""
    for name in CASES if buckets == 1 else ("extremes",):
        case = CASES[name]
        events = drawn(case, seed=3, examples=150 if buckets == 1 else 30)
        asked = observations(case, events, seed=4)
        assert_same_rows(told(spark, case, events, asked, buckets=buckets), brute_rows(case, events, asked))


@pytest.mark.parametrize("name", ["extremes", "daily", "uneven"])
def test_windows_at_ticks_equal_what_the_view_states_there(spark: SparkSession, name: str) -> None:
    case, view = CASES[name], view_of(CASES[name])
    events = frame(spark, EVENTS, event_rows(drawn(case, seed=11, examples=60))).persist()
    stated = evaluated(view, events, after_us=None, through_us=through_of(case)).drop("_flag").persist()
    spine = stated.select("example", "entity", F.col("event_timestamp").alias("seen"))
    found = observed(view, events, Asking.of(spine, "seen"), buckets=3)
    wanted = rows_of(stated)
    assert len(wanted) > 60
    assert_same_rows(found, wanted)
    for one in (events, stated):
        one.unpersist()
