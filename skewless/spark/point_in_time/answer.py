"""The answer of the contract to a winner: status, age, and where the value comes from."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from skewless.core.time import duration_us
from skewless.core.vector import Status
from skewless.core.view import FeatureView
from skewless.spark.dtypes import spark_schema
from skewless.spark.point_in_time.inputs import ViewValues
from skewless.spark.point_in_time.positions import AT, IS_ABSENT, IS_DELETED, IS_SERVED, SAYS, Slots, winner
from skewless.spark.point_in_time.told import told_field


def answer(values: ViewValues, place: int, slots: Slots, *, as_served: bool) -> Column:
    """The answer of one view to a spine row, as a struct.

    Args:
        values: The view; it is published.
        place: Its number among those of its key set.
        slots: Where features lie.
        as_served: False leaves eras and revisions out.
    """
    view, won = values.view, winner(place)
    was_told = told_field(place, "generation").isNotNull() if as_served else F.lit(False)
    is_simulated = F.col(AT).isNotNull() & ~was_told if as_served else F.lit(False)
    generation, through_us = (
        F.coalesce(*((told_field(place, name),) if as_served else ()), F.lit(newest))
        for name, newest in zip(("generation", "through_us"), _newest(values), strict=True)
    )
    instant_us = F.when(is_simulated, F.col(AT) - F.lit(view.delay_us)).otherwise(F.col(AT))
    event_us, says = F.col(f"{won}.event_us"), F.col(f"{won}.says").bitwiseAND(F.lit(SAYS))
    age_us = F.col(AT) - _fresh_us(view, event_us, instant_us=instant_us, through_us=through_us)
    is_expired = F.lit(False) if view.ttl is None else age_us >= F.lit(duration_us(view.ttl))
    # what was simulated for the time before tells nothing of the time after
    is_of_era = (F.col(f"{won}.says").bitwiseAND(F.lit(IS_SERVED)) != 0) == was_told
    is_known = F.coalesce(is_of_era & (says != IS_ABSENT), F.lit(False))
    status = (
        F.when(~is_known, Status.NOT_FOUND.value)
        .when(says == IS_DELETED, Status.DELETED.value)
        .when(is_expired, Status.EXPIRED.value)
        .otherwise(Status.PRESENT.value)
    )
    features = F.struct(*(F.col(f"{won}.s{slots.places[place][name]}").alias(name) for name in values.features))
    return F.struct(
        status.alias("status"),
        F.when(is_known, event_us).alias("event_us"),
        F.when(is_known, age_us).alias("age_us"),
        F.when(F.col(AT).isNotNull(), generation).alias("generation"),
        (F.when(was_told, told_field(place, "revision")) if as_served else _nothing()).alias("revision"),
        is_simulated.alias("is_simulated"),
        F.when(status == Status.PRESENT.value, features).alias("values"),
    )


def unpublished(values: ViewValues, place: int, *, asks_nothing: Column, as_served: bool) -> Column:
    """The answer of a view that never was published."""
    status = F.when(asks_nothing, Status.NOT_FOUND.value).otherwise(Status.UNPUBLISHED.value)
    return F.struct(
        status.alias("status"),
        _nothing().alias("event_us"),
        _nothing().alias("age_us"),
        _nothing().alias("generation"),
        (told_field(place, "revision") if as_served else _nothing()).alias("revision"),
        F.lit(False).alias("is_simulated"),
        F.lit(None).cast(spark_schema(values.features)).alias("values"),
    )


def _newest(values: ViewValues) -> tuple[int | None, int | None]:
    pointer = values.newest.pointer if values.newest is not None else None
    return (pointer.generation, pointer.through_us) if pointer is not None else (None, None)


def _fresh_us(view: FeatureView, event_us: Column, *, instant_us: Column, through_us: Column) -> Column:
    """The instant through which the value is known to hold."""
    if not view.has_ticks:
        return event_us
    every, offset = F.lit(view.schedule.every_us), F.lit(view.schedule.offset_us)
    last_tick = instant_us - F.pmod(instant_us - offset, every)
    return F.least(through_us, last_tick)


def _nothing() -> Column:
    return F.lit(None).cast("long")
