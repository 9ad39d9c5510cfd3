"""The Spark join against the oracle, over hundreds of generated histories.

One job per batch: the three modes are joined to one spine and collected together. A spine row of a null key or time is
answered NOT_FOUND, and still tells which generation and revision readers were told to use (as the online client does);
the oracle leaves that open.

Flipped one at a time in a scratch copy, and seen to fail:

- point_in_time/window.py: spine before values at one position; ttl `>=` → `>`; `<=` of the step and of the revision;
  newest generation left out, all of them counted; no delay (position, instant of freshness); rows of attempts given up
  counted (served, history); freshness without `through`, without the tick, without the offset, towards zero before
  1970; served rows ordered by event time; eras not kept apart; the second key left out; EXPIRED before DELETED; values
  of withheld rows shown; absent rows answered; event-time marked as simulated.
- value_tables.standing: oldest statement wins; retracted statements kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless.core.service import FeatureService
from skewless.spark.point_in_time.hot import HotEntity
from skewless.spark.point_in_time.inputs import ViewValues
from skewless.spark.point_in_time.join import joined
from skewless.spark.point_in_time.using import Engine, Using
from skewless.spark.read import head_version
from skewless.spark.sorted_copy import find_copy, make_copy, sorted_rows
from skewless.spark.training import laid_out
from skewless.spark.value_tables import ValueTables
from tests.support import oracle
from tests.support.frames import assert_same_rows, frame, rows_of
from tests.support.histories import SPINE, Batch, Example, make_batches, spine_rows, spine_us
from tests.support.spark_batches import THING, as_known, values_of

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.usefixtures("interpreted")]

EVERY_MODE = ("as-served", "event-time", "as-known")


# between them: row and tick views with and without ttl, one that never was published, rolled back to the end, reverts
@pytest.mark.parametrize(("seed", "engine"), [(9, Engine.WINDOW), (22, Engine.BUCKET)])
def test_join_of_generated_histories_equals_oracle_in_every_mode(
    spark: SparkSession, seed: int, engine: Engine
) -> None:
    for batch in make_batches(seed, timelines=8, examples=25, spine=14):
        values = values_of(spark, batch)
        known_us = batch.plan.revisions[len(batch.plan.revisions) // 2].visible_from_us if batch.plan.revisions else 0
        spine = frame(spark, SPINE, spine_rows(batch.examples))
        few = spine.select(*THING.key_names).distinct() if engine is Engine.BUCKET else None
        using = Using(engine, buckets=3, hot=tuple(hot(batch.examples[::3])), few=few)
        told = [
            answered(spine, values, "as-served", using, as_served=True),
            answered(spine, values, "event-time", using, as_served=False),
            answered(spine, as_known(values, known_us), "as-known", using, as_served=False),
        ]
        expected = [row for mode in EVERY_MODE for row in wanted(batch, mode, known_us)]
        assert_same_rows(reduce(DataFrame.unionByName, told), expected)


def test_join_by_sorted_copies_and_later_rows_equals_oracle_in_every_mode(spark: SparkSession, tmp_path: Path) -> None:
    for batch in make_batches(31, timelines=3, examples=25, spine=14):
        values = with_copies(spark, values_of(spark, batch), tmp_path)
        known_us = batch.plan.revisions[len(batch.plan.revisions) // 2].visible_from_us if batch.plan.revisions else 0
        spine = frame(spark, SPINE, spine_rows(batch.examples))
        using = Using(Engine.BUCKET, buckets=3)
        told = [
            answered(spine, values, "as-served", using, as_served=True),
            answered(spine, values, "event-time", using, as_served=False),
            answered(spine, as_known(values, known_us), "as-known", using, as_served=False),
        ]
        expected = [row for mode in EVERY_MODE for row in wanted(batch, mode, known_us)]
        assert_same_rows(reduce(DataFrame.unionByName, told), expected)


def with_copies(spark: SparkSession, values: ViewValues, folder: Path) -> ViewValues:
    """The same in Delta tables, half of the rows in sorted copies, the others appended later."""
    tables = ValueTables(spark, str(folder), values.view, timedelta(days=30))
    tables.create()
    made = {}
    for name in ("history", "served"):
        rows, path = getattr(values, name), getattr(tables, name)
        is_early = F.pmod(F.xxhash64(*rows.columns), F.lit(2)) == 0
        for part in (rows.filter(is_early), rows.filter(~is_early)):
            part.write.format("delta").mode("append").save(path)
            copy = find_copy(tables, name) or make_copy(tables, name, rows_of_bucket=part.count() // 4 + 1)
        assert copy.buckets in {2, 4, 8}
        made[f"sorted_{name}"] = sorted_rows(tables, name, head_version(spark, path))
        made[name] = tables.read(path)
    return replace(values, **made)


def hot(examples: Sequence[Example]) -> Iterator[HotEntity]:
    """Entities whose time is cut where the spine asks, which is where statements stand too."""
    for example in examples:
        row = next((one for one in spine_us([example]) if one[1] is not None), None)
        cuts = sorted({one[2] for one in spine_us([example]) if one[2] is not None})[1:6]
        if row is not None and cuts:
            yield HotEntity({"example": example.number, "entity": row[1]}, rows=0, cuts=tuple(cuts))


def answered(spine: DataFrame, values: ViewValues, mode: str, using: Using, *, as_served: bool) -> DataFrame:
    """Mode, the spine's columns, and everything that is told of the view and of each feature."""
    name = values.view.name
    service = FeatureService("svc", features=[values.view])
    told = joined(spine, [values], time_column="at", as_served=as_served, using=using)
    laid = laid_out(told, told, service, with_status=True)
    facts = [F.col(f"{name}.{fact}") for fact in ("event_us", "age_us", "generation", "is_simulated")]
    # which revision is a question of as-served alone: the others are told by their caller
    revision = F.col(f"{name}.revision")
    features = [F.col(f"{name}__{feature}{end}") for feature in values.view.feature_names for end in ("", "__status")]
    ends = [column.alias(f"c{place}") for place, column in enumerate([*facts, revision, *features])]
    return laid.select(F.lit(mode).alias("mode"), *spine.columns, *ends)


def wanted(batch: Batch, mode: str, known_us: int) -> list[tuple[Any, ...]]:
    return [
        (mode, *row, *content(expected(example, row, mode, known_us)))
        for example in batch.examples
        for row in spine_us([example])
    ]


def expected(example: Example, row: tuple[Any, ...], mode: str, known_us: int) -> oracle.Answer:
    _, entity, at_us, _ = row
    told = ask(example, (example.number, entity), at_us, mode, known_us)
    if entity is not None or at_us is None:
        return told
    told_to_use = ask(example, (example.number, "no such entity"), at_us, mode, known_us)
    return oracle.Answer(**{**vars(told), "generation": told_to_use.generation, "revision": told_to_use.revision})


def ask(example: Example, key: oracle.Key, at_us: int | None, mode: str, known_us: int) -> oracle.Answer:
    if mode == "as-served":
        return oracle.as_served(example.world, key, at_us)
    if mode == "event-time":
        return oracle.event_time(example.world, key, at_us)
    told = oracle.as_known(example.world, key, at_us, known_us=known_us)
    return oracle.Answer(**{**vars(told), "revision": None})


def content(told: oracle.Answer) -> tuple[Any, ...]:
    values = [one for name in told.values for one in (told.values[name], told.statuses[name])]
    return (told.event_us, told.age_us, told.generation, told.simulated, told.revision, *values)


@pytest.mark.parametrize("engine", list(Engine))
def test_join_of_two_views_answers_each_as_if_it_were_alone(spark: SparkSession, engine: Engine) -> None:
    batches = make_batches(5, timelines=2, examples=20, spine=10)
    examples = [example for batch in batches for example in batch.examples]
    spine = frame(spark, SPINE, spine_rows(examples))
    values = [values_of(spark, batch) for batch in batches]
    told = joined(spine, values, time_column="at", as_served=True, using=Using(engine, buckets=3))
    together = told.select(*spine.columns, *_structs(values))
    expected_rows = []
    for example, row in ((one, row) for one in examples for row in spine_us([one])):
        told_by = [_alone(batch, example, row) for batch in batches]
        expected_rows.append((*row, *told_by))
    assert_same_rows(rows_of(together), expected_rows)


def _structs(values: list[ViewValues]) -> list[Any]:
    return [F.struct(F.col(f"{one.view.name}.status"), F.col(f"{one.view.name}.event_us")) for one in values]


def _alone(batch: Batch, example: Example, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """The oracle's answer of one view to a spine row of any example."""
    own = {one.number: one for one in batch.examples}.get(example.number)
    world = own.world if own else batch.examples[0].world
    told = oracle.as_served(world, (example.number, row[1]), row[2])
    status = next(iter(told.statuses.values()))
    return ("PRESENT" if status == "NULL" else status, told.event_us)
