"""Generated batches as the product takes them: a definition that fits a plan, its timeline, what the join reads.

A batch is a view of its own; `ViewValues` are put together as `skewless/flows/point_in_time.py` does.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from pyspark.sql import SparkSession

from skewless.core.dtypes import Int32, String, parse_dtype
from skewless.core.dtypes import Timestamp as TimestampType
from skewless.core.entity import Entity
from skewless.core.source import DeltaSource
from skewless.core.timeline import Pointer, Revision, Step, Timeline
from skewless.core.view import Feature, FeatureView, RowView, SnapshotView
from skewless.spark.point_in_time.inputs import ViewValues
from tests.support.frames import frame, moment
from tests.support.histories import FEATURES, HISTORY, SERVED, Batch, history_rows, served_rows
from tests.support.oracle import PUBLISHED
from tests.support.timeline_replay import pushed
from tests.support.timelines import Plan

THING = Entity("thing", {"example": Int32, "entity": String})
SOURCE = DeltaSource("things", path="raw/things", event_timestamp="seen_at", schema={"seen_at": TimestampType})


def view_of(batch: Batch) -> FeatureView:
    """A definition with the keys and features of the examples and the time rules of the plan."""
    plan = batch.plan
    shared = {
        "name": f"v{batch.number}",
        "entity": THING,
        "features": tuple(Feature(name, parse_dtype(dtype)) for name, dtype in FEATURES.items()),
        "ttl": None if plan.ttl_us is None else timedelta(microseconds=plan.ttl_us),
        "availability_delay": timedelta(microseconds=plan.delay_us),
    }
    if plan.every_us is None:
        return RowView(source=SOURCE, transform=_never_run, **shared)
    ticks = {"every": timedelta(microseconds=plan.every_us), "offset": timedelta(microseconds=plan.offset_us)}
    return SnapshotView(sources=(SOURCE,), transform=_never_run, **shared, **ticks)


def timeline_of(plan: Plan, view: str, table: str) -> Timeline:
    """The plan's revisions as a project's, with another view that moves at each of them."""
    through = {one.number: one.through_us for one in plan.generations}
    revisions = []
    for one in plan.revisions:
        views = {"other": Pointer("other__v1_00000000", one.number, 0)}
        if one.points_at is not None:
            views[view] = Pointer(table, one.points_at, through[one.points_at])
        revisions.append(Revision(one.number, one.visible_from_us, views))
    return Timeline(tuple(revisions))


def values_of(spark: SparkSession, batch: Batch) -> ViewValues:
    """What the join reads of a batch: history and served with the rows of every attempt, given up or not."""
    view = view_of(batch)
    table = f"{view.name}__v1_00000000"
    timeline = timeline_of(batch.plan, view.name, table)
    steps = timeline.steps(view.name)
    return ViewValues(
        view=view,
        history=frame(spark, HISTORY, history_rows(batch.examples)),
        served=frame(
            spark, SERVED, [_spelled(row) for row in (*served_rows(batch.examples), *_never_published(batch))]
        ),
        published=timeline.published(view.name, table),
        steps=steps,
        newest=steps[-1] if steps else None,
        revisions=tuple((one.visible_from_us, one.number) for one in timeline.revisions),
    )


def as_known(values: ViewValues, known_us: int) -> ViewValues:
    """The same as readers of an instant knew it."""
    return replace(values, newest=step_at(values.steps, known_us))


def step_at(steps: tuple[Step, ...], instant_us: int) -> Step | None:
    """The step in force at an instant."""
    return next((step for step in reversed(steps) if step.from_us <= instant_us), None)


def _never_published(batch: Batch) -> list[tuple[Any, ...]]:
    """Served rows of refused and aborted generations: they are in the table, and must not count."""
    attempts = [one.number for one in batch.plan.generations if one.fate != PUBLISHED]
    return [
        (*row.key, row.gen, moment(row.event_us), *row.values.values(), row.state)
        for example in batch.examples
        for number in attempts
        for row in pushed(example.world, number)
    ]


def _spelled(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """As the product spells it: of what is present nothing is said."""
    return (*row[:-1], "" if row[-1] == "present" else row[-1])


def _never_run(*_: object) -> object:
    raise AssertionError
