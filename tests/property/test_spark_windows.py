"""The incremental evaluation of windows against brute force: every tick, every window, every event, no tiles.

One job checks many entities: the example's number is a join key. Definitions are spelled twice, for the product and for
the oracle, which share no code.

The arithmetic alone, without Spark and over more definitions: tests/unit/test_window_kernel.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from random import Random
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless.core.time import from_us
from skewless.spark.window_view import Ticks, evaluated, of_touched, read_events, touched_span
from tests.support.bits import bits
from tests.support.frames import assert_same_rows, frame, rows_of
from tests.support.oracle_windows import Event, window_values
from tests.support.window_cases import CASES, EVENTS, Case, drawn, event_rows, through_of, view_of

pytestmark = [pytest.mark.spark, pytest.mark.slow]


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


@pytest.mark.parametrize("are_many", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_windows_of_touched_entities_alone_make_the_full_evaluation_of_what_was_known(
    spark: SparkSession, name: str, are_many: bool
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
        ticks = Ticks(min(least_us, before_us), before_us, through_of(case))
        span = touched_span(view, good, changed, ticks, are_many=are_many)
        near = of_touched(view, good, span)
        fresh = evaluated(view, near, after_us=ticks.after_us, through_us=through_of(case))
        stood = [row for row in known if row[2] <= before_us]
        before += [(place, *row) for row in stood]
        columns = ", ".join(f"`{field.name}` {field.dataType.simpleString()}" for field in fresh.schema)
        history = frame(spark, columns, [(*row[:2], from_us(row[2]), *row[3:]) for row in stood])
        for found, rows in ((fresh_ones, fresh), (replaced, span.of(history))):
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
