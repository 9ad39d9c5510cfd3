"""SnapshotView: any PySpark over sources that were cut at the tick, so that no future row can leak by construction."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from skewless.core.names import EVENT_TIMESTAMP, FLAG
from skewless.core.resolver import DELETED
from skewless.core.time import duration_us, from_us, to_us
from skewless.core.view import SnapshotView
from skewless.spark.dtypes import identities
from skewless.spark.transform import promised_columns
from skewless.spark.value_tables import later_than

_NUMBER, _AT = "_number", "_at"


def due_ticks(view: SnapshotView, *, earliest_us: int, after_us: int | None, through_us: int) -> tuple[int, ...]:
    """The ticks to evaluate: those of `(after_us, through_us]`, and the one before them to compare with.

    Args:
        view: The definition.
        earliest_us: Event time of the earliest source row.
        after_us: Ticks up to this one are known already; None begins with the view's start or the earliest row.
        through_us: The last tick.
    """
    start_us = earliest_us + 1 if view.start is None else max(to_us(view.start), earliest_us + 1)
    first_us = view.schedule.ceil_us(start_us)
    if after_us is not None:
        first_us = max(first_us, view.schedule.floor_us(after_us))
    return tuple(view.schedule.ticks_us(first_us, through_us))


def taken(view: SnapshotView, sources: Mapping[str, DataFrame], ticks: tuple[int, ...]) -> DataFrame:
    """Run the transform at each tick.

    Args:
        view: The definition.
        sources: Name → rows, event time under `event_timestamp`.
        ticks: What `due_ticks` gave, at least one.

    Returns:
        Keys, features, `event_timestamp` (the tick); keys may still be null.
    """
    return reduce(DataFrame.unionByName, [_at_tick(view, sources, tick) for tick in ticks])


def evaluated(view: SnapshotView, snapshots: DataFrame, ticks: tuple[int, ...], *, after_us: int | None) -> DataFrame:
    """The values of ticks where they differ from the tick before; entities that vanish get a `deleted` row.

    Two rows of one entity at one tick are settled by all features in order, the greatest winning.

    Args:
        view: The definition.
        snapshots: Good rows of `taken`.
        ticks: The ticks that were taken.
        after_us: Only rows of later ticks are returned.

    Returns:
        Keys, `event_timestamp`, features, `_flag`.
    """
    keys, names = view.entity.key_names, view.feature_names
    values, since = F.struct(*names), F.unix_micros(EVENT_TIMESTAMP) - F.lit(ticks[0])
    # one shuffle serves the settling of ties, the comparison of ticks and what the caller compares them with
    by_key = snapshots.withColumn(_NUMBER, (since / F.lit(view.schedule.every_us)).cast("int")).repartition(*keys)
    same = identities(view.feature_types)
    single = by_key.groupBy(*keys, _NUMBER).agg(F.max_by(values, same).alias("row")).select(*keys, _NUMBER, "row.*")
    order = Window.partitionBy(*keys).orderBy(_NUMBER)
    compared = single.withColumn("_same", same).select(
        *keys,
        *names,
        _NUMBER,
        "_same",
        F.lag("_same").over(order).alias("_before"),
        F.lag(_NUMBER).over(order).alias("_last"),
        F.coalesce(F.lead(_NUMBER).over(order), F.lit(len(ticks))).alias("_next"),
    )
    number = F.col(_NUMBER)
    was_away = F.col("_last").isNull() | (F.col("_last") < number - 1)
    is_new = was_away | (F.col("_same") != F.col("_before"))
    is_gone = (F.col("_next") > number + 1) & (number + 1 < len(ticks))
    # a union of both would evaluate every snapshot twice
    said = F.array(F.when(is_new, _said(number, "")), F.when(is_gone, _said(number + 1, DELETED)))
    rows = compared.select(*keys, *names, F.inline(F.filter(said, lambda one: one.isNotNull())))
    tick = F.timestamp_micros(F.lit(ticks[0]) + F.col(_AT) * F.lit(view.schedule.every_us))
    kept = (F.when(F.col(FLAG) == "", F.col(name)).alias(name) for name in names)
    return rows.select(*keys, tick.alias(EVENT_TIMESTAMP), *kept, FLAG).filter(later_than(after_us))


def _said(number: Column, flag: str) -> Column:
    return F.struct(number.alias(_AT), F.lit(flag).alias(FLAG))


def _at_tick(view: SnapshotView, sources: Mapping[str, DataFrame], tick_us: int) -> DataFrame:
    time, as_of = F.col(EVENT_TIMESTAMP), F.lit(from_us(tick_us))
    cut = {}
    for name, rows in sources.items():
        past = time < as_of
        if name in view.lookback:
            past &= time >= F.lit(from_us(tick_us - duration_us(view.lookback[name])))
        cut[name] = rows.filter(past)
    promised = {**view.entity.keys, **view.feature_types}
    return promised_columns(view, view.transform(cut, as_of), promised).withColumn(EVENT_TIMESTAMP, as_of)
