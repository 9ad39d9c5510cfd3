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
from skewless.spark.span import Span
from skewless.spark.transform import promised_columns

_NUMBER, _AT = "_number", "_at"


def due_ticks(view: SnapshotView, span: Span, *, earliest_us: int) -> tuple[int, ...]:
    """The ticks of a span, and the ones before them to compare with.

    Args:
        view: The definition.
        span: The span; it has an end.
        earliest_us: Event time of the earliest source row.
    """
    after_us, until_us = span.after_us, int(span.until_us or 0)
    start_us = earliest_us + 1 if view.start is None else max(to_us(view.start), earliest_us + 1)
    first_us = view.schedule.ceil_us(start_us)
    if after_us is not None:
        first_us = max(first_us, view.schedule.floor_us(after_us))
    if span.skipped is None:
        return tuple(view.schedule.ticks_us(first_us, until_us))
    from_us, to = span.skipped
    before = view.schedule.ticks_us(first_us, from_us)
    return tuple(dict.fromkeys((*before, *view.schedule.ticks_us(max(first_us, view.schedule.floor_us(to)), until_us))))


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


def evaluated(view: SnapshotView, snapshots: DataFrame, ticks: tuple[int, ...]) -> DataFrame:
    """The values of ticks where they differ from the tick before; entities that vanish get a `deleted` row.

    Two rows of one entity at one tick are settled by all features in order, the greatest winning.

    Args:
        view: The definition.
        snapshots: Good rows of `taken`.
        ticks: The ticks that were taken, in order. What is said of one that follows no tick before it means nothing.

    Returns:
        Keys, `event_timestamp`, features, `_flag`.
    """
    keys, names = view.entity.key_names, view.feature_names
    values, runs = F.struct(*names), _runs(ticks, view.schedule.every_us)
    # one shuffle serves the settling of ties, the comparison of ticks and what the caller compares them with
    by_key = snapshots.withColumn(_NUMBER, _number(runs, view.schedule.every_us)).repartition(*keys)
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
    tick = F.timestamp_micros(_tick(runs, view.schedule.every_us))
    kept = (F.when(F.col(FLAG) == "", F.col(name)).alias(name) for name in names)
    return rows.select(*keys, tick.alias(EVENT_TIMESTAMP), *kept, FLAG)


def _runs(ticks: tuple[int, ...], every_us: int) -> list[tuple[int, int]]:
    """Where ticks follow each other without a gap: (number, tick) of the first of each run, the last run first."""
    starts = [number for number, tick in enumerate(ticks) if number == 0 or tick - ticks[number - 1] != every_us]
    return [(number, ticks[number]) for number in reversed(starts)]


def _number(runs: list[tuple[int, int]], every_us: int) -> Column:
    time = F.unix_micros(EVENT_TIMESTAMP)
    found = ((time >= first, F.lit(number) + (time - first) / every_us) for number, first in runs)
    return F.coalesce(*(F.when(*one) for one in found)).cast("int")


def _tick(runs: list[tuple[int, int]], every_us: int) -> Column:
    found = ((F.col(_AT) >= number, F.lit(first) + (F.col(_AT) - number) * F.lit(every_us)) for number, first in runs)
    return F.coalesce(*(F.when(*one) for one in found))


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
