"""Engine `window`: one running `last` over the values of an entity, for any size, spilling to disk.

As-served, a spine row stands at the generation that readers were told to use, among served rows ordered by generation;
before a view's first publish it stands at its time less the availability delay, among history rows ordered by event
time (the simulated era). Event-time and as-known put every row among history rows. Values at an equal position come
before the spine, so a value at the very instant counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from skewless.core.names import EVENT_TIMESTAMP, FLAG, GENERATION, STATE
from skewless.core.resolver import ABSENT, DELETED
from skewless.core.time import duration_us
from skewless.core.timeline import Step
from skewless.core.vector import Status
from skewless.core.view import FeatureView
from skewless.spark.dtypes import spark_schema
from skewless.spark.value_tables import of_generations, standing

_AT, _ERA, _SIDE, _CARRY, _ROW = "_at_us", "_era", "_side", "_carry", "_row"
_SERVED_ERA, _SIMULATED_ERA, _NO_TIME, _NO_ERA = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class ViewValues:
    """What the join needs to know of one view.

    Attributes:
        view: The definition.
        history: Its history, rows of any generation.
        served: Its served rows, of any generation.
        published: The generations that some revision pointed at.
        steps: g(T).
        newest: The step that stands for "newest": of the newest revision, or of the one asked for.
        revisions: (visible from, number) of every revision, those that do not move the view included.
    """

    view: FeatureView
    history: DataFrame
    served: DataFrame
    published: frozenset[int]
    steps: tuple[Step, ...]
    newest: Step | None
    revisions: tuple[tuple[int, int], ...] = ()


def joined(spine: DataFrame, values: Sequence[ViewValues], *, time_column: str, as_served: bool) -> DataFrame:
    """Join the features of several views to a spine.

    Args:
        spine: Key columns of every view, a timestamp column, whatever else; any number of rows, repeats included.
        values: The views.
        time_column: The observation time; a value at exactly that time counts. Null is answered NOT_FOUND.
        as_served: True asks what readers were given then; False asks the newest history (event-time join).

    Returns:
        The spine's columns, then per view one struct named like it: `status` (of the row), `event_us`, `age_us`,
        `generation`, `revision`, `is_simulated`, and `values` with the features (null unless the status is PRESENT).
    """
    result = spine
    for one in values:
        result = _with_view(result, one, time_column=time_column, as_served=as_served)
    return result


def _with_view(spine: DataFrame, values: ViewValues, *, time_column: str, as_served: bool) -> DataFrame:
    keys = values.view.entity.key_names
    if values.newest is None:
        nothing = _unpublished(values, time_column=time_column, as_served=as_served)
        return spine.withColumn(values.view.name, nothing)
    observed = _observed(spine, values, time_column=time_column, as_served=as_served)
    rows = observed.unionByName(_value_rows(values, as_served=as_served), allowMissingColumns=True)
    order = Window.partitionBy(*keys, _ERA).orderBy(_AT, _SIDE)
    so_far = order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    winner = F.last(_ROW, ignorenulls=True).over(so_far).alias("_winner")
    found = rows.select(_SIDE, _CARRY, "_observed_us", "_instant_us", "_step", "_revision", _ERA, winner).filter(
        F.col(_SIDE) == 1
    )
    return found.select(f"{_CARRY}.*", _answer(values.view).alias(values.view.name))


def _observed(spine: DataFrame, values: ViewValues, *, time_column: str, as_served: bool) -> DataFrame:
    """Spine rows with the position at which they stand among the values."""
    time_us = F.unix_micros(F.col(f"`{time_column}`"))
    keys = [F.col(f"`{key}`") for key in values.view.entity.key_names]
    placed = spine.select(*keys, F.struct("*").alias(_CARRY), time_us.alias("_observed_us"))
    newest = _step(values.newest)
    if not as_served:
        era = F.when(F.col("_observed_us").isNull(), _NO_TIME).otherwise(_NO_ERA)
        nowhere = F.lit(None).cast("long")
        timed = placed.withColumns({"_step": newest, "_revision": nowhere, _ERA: era})
        timed = timed.withColumn("_instant_us", F.col("_observed_us"))
        return timed.withColumns({_AT: F.col("_instant_us"), _SIDE: F.lit(1)})
    past = F.filter(F.array(*map(_step, values.steps)), lambda step: step["from_us"] <= F.col("_observed_us"))
    told = placed.withColumn("_told", F.try_element_at(past, F.lit(-1)))
    era = (
        F.when(F.col("_observed_us").isNull(), _NO_TIME)
        .when(F.col("_told").isNotNull(), _SERVED_ERA)
        .otherwise(_SIMULATED_ERA)
    )
    delayed = F.col("_observed_us") - F.lit(values.view.delay_us)
    revision = F.when(F.col("_told").isNotNull(), _revision_at(values, F.col("_observed_us")))
    timed = told.withColumns({"_step": F.coalesce(F.col("_told"), newest), "_revision": revision, _ERA: era})
    instant = F.when(F.col(_ERA) == _SERVED_ERA, F.col("_observed_us")).otherwise(delayed)
    at = F.when(F.col(_ERA) == _SERVED_ERA, F.col("_step.generation")).otherwise(delayed)
    return timed.withColumns({"_instant_us": instant, _AT: at, _SIDE: F.lit(1)}).drop("_told")


def _value_rows(values: ViewValues, *, as_served: bool) -> DataFrame:
    """Value rows with their position: history by event time, served rows by generation."""
    view, newest = values.view, values.newest
    generation = newest.pointer.generation if newest is not None else 0
    counting = [number for number in values.published if number <= generation]
    history = standing(view, of_generations(values.history, counting))
    event_us = F.unix_micros(EVENT_TIMESTAMP)
    era = _SIMULATED_ERA if as_served else _NO_ERA
    past = _positioned(view, history, at=event_us, era=era, state=FLAG)
    if not as_served:
        return past
    served = of_generations(values.served, values.published)
    return past.unionByName(_positioned(view, served, at=F.col(GENERATION), era=_SERVED_ERA, state=STATE))


def _positioned(view: FeatureView, rows: DataFrame, *, at: Column, era: int, state: str) -> DataFrame:
    features = F.struct(*view.feature_names).alias("values")
    row = F.struct(F.unix_micros(EVENT_TIMESTAMP).alias("event_us"), F.col(state).alias("state"), features)
    return rows.select(
        *view.entity.key_names, at.alias(_AT), F.lit(era).alias(_ERA), F.lit(0).alias(_SIDE), row.alias(_ROW)
    )


def _revision_at(values: ViewValues, instant_us: Column) -> Column:
    """The number of the revision in force at an instant, whether or not it moves the view; null before the first."""
    nothing = F.lit(None).cast("long")
    if not values.revisions:
        return nothing
    pairs = (F.struct(F.lit(at).alias("from_us"), F.lit(number).alias("number")) for at, number in values.revisions)
    seen = F.filter(F.array(*pairs), lambda each: each["from_us"] <= instant_us)
    return F.try_element_at(seen, F.lit(-1))["number"].cast("long")


def _step(step: Step | None) -> Column:
    pointer = step.pointer if step is not None else None
    return F.struct(
        F.lit(step.from_us if step else None).cast("long").alias("from_us"),
        F.lit(pointer.generation if pointer else None).cast("long").alias("generation"),
        F.lit(pointer.through_us if pointer else None).cast("long").alias("through_us"),
    )


def _answer(view: FeatureView) -> Column:
    """The answer of the contract to a winner."""
    event_us, state = F.col("_winner.event_us"), F.col("_winner.state")
    age_us = F.col("_observed_us") - _fresh_us(view, event_us)
    is_expired = F.lit(False) if view.ttl is None else age_us >= F.lit(duration_us(view.ttl))
    is_known = F.col("_winner").isNotNull() & (state != ABSENT)
    status = (
        F.when(~is_known | F.col("_winner").isNull(), Status.NOT_FOUND.value)
        .when(state == DELETED, Status.DELETED.value)
        .when(is_expired, Status.EXPIRED.value)
        .otherwise(Status.PRESENT.value)
    )
    is_simulated = F.col(_ERA) == _SIMULATED_ERA
    return F.struct(
        status.alias("status"),
        F.when(is_known, event_us).alias("event_us"),
        F.when(is_known, age_us).alias("age_us"),
        F.when(F.col(_ERA) != _NO_TIME, F.col("_step.generation")).alias("generation"),
        F.col("_revision").alias("revision"),
        is_simulated.alias("is_simulated"),
        F.when(status == Status.PRESENT.value, F.col("_winner.values")).alias("values"),
    )


def _fresh_us(view: FeatureView, event_us: Column) -> Column:
    """The instant through which the value is known to hold."""
    if not view.has_ticks:
        return event_us
    every, offset = F.lit(view.schedule.every_us), F.lit(view.schedule.offset_us)
    instant = F.col("_instant_us")
    last_tick = instant - F.pmod(instant - offset, every)
    return F.least(F.col("_step.through_us"), last_tick)


def _unpublished(values: ViewValues, *, time_column: str, as_served: bool) -> Column:
    fields = spark_schema(values.view.feature_types)
    missing = F.lit(None).cast("long")
    required = (*values.view.entity.key_names, time_column)
    asks_nothing = F.greatest(*(F.col(f"`{column}`").isNull() for column in required))
    status = F.when(asks_nothing, Status.NOT_FOUND.value).otherwise(Status.UNPUBLISHED.value)
    time_us = F.unix_micros(F.col(f"`{time_column}`"))
    return F.struct(
        status.alias("status"),
        missing.alias("event_us"),
        missing.alias("age_us"),
        missing.alias("generation"),
        (_revision_at(values, time_us) if as_served else missing).alias("revision"),
        F.lit(False).alias("is_simulated"),
        F.lit(None).cast(fields).alias("values"),
    )
