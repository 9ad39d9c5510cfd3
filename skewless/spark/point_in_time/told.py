"""g(T): what readers were told to use at the time of each spine row."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from skewless.spark.point_in_time.inputs import Reach, ViewValues

TOLD = "_told"
_BUCKET, _STEPS = "_bucket", "_steps"
#: So few instants are looked up in an array that every row carries.
_FEW = 32


@dataclass(frozen=True, slots=True)
class _Told:
    """What holds from an instant on: per view (generation, through, revision), None before its first."""

    from_us: int
    views: tuple[tuple[int | None, int | None, int | None], ...]


def with_told(placed: DataFrame, values: Sequence[ViewValues], reach: Reach, *, at: str) -> DataFrame:
    """Add what readers were told at each row's time, as a struct with one field per view, in their order.

    The instants lie in equal buckets of time, each with its own and the one that was in force when it began; rows find
    theirs by the number of the bucket, in a broadcast join on equality. Instants outside of the reach are folded.

    Args:
        placed: Rows with the time in a column.
        values: The views.
        reach: How far the rows reach.
        at: Name of the column, microseconds; null is told nothing.
    """
    told = _of_reach(values, reach)
    schema = _schema(len(values))
    time_us = F.col(at)
    if reach.first_us is None or reach.last_us is None or not told:
        return placed.withColumn(TOLD, F.lit(None).cast(schema))
    if len(told) <= _FEW:
        return placed.withColumn(TOLD, _latest(F.array(*(_literal(one, schema) for one in told)), time_us))
    width = -(-(reach.last_us - reach.first_us + 1) // (2 * len(told)))
    instants = [one.from_us for one in told]
    rows = []
    for number in range((reach.last_us - reach.first_us) // width + 1):
        begins = reach.first_us + number * width
        brought_in = max(bisect_right(instants, begins) - 1, 0)
        ends = bisect_right(instants, begins + width - 1)
        rows.append((number, [_tuple(one) for one in told[brought_in:ends]]))
    listed = T.StructType([T.StructField(_BUCKET, T.LongType()), T.StructField(_STEPS, T.ArrayType(schema))])
    buckets = placed.sparkSession.createDataFrame(rows, listed)
    numbered = placed.withColumn(_BUCKET, F.expr(f"({at} - {reach.first_us}L) div {width}L"))
    found = numbered.join(F.broadcast(buckets), _BUCKET, "left")
    return found.withColumn(TOLD, _latest(F.col(_STEPS), time_us)).drop(_BUCKET, _STEPS)


def told_field(place: int, name: str) -> Column:
    """What was told of a view: its `generation`, `through_us` or `revision`; null before the first."""
    return F.col(f"{TOLD}.v{place}.{name}")


def _of_reach(values: Sequence[ViewValues], reach: Reach) -> list[_Told]:
    """What was told within a reach, and the last of before."""
    moments = {step.from_us for one in values for step in one.steps}
    moments |= {from_us for one in values for from_us, _ in one.revisions}
    first_us, last_us = reach.first_us or 0, reach.last_us or 0
    within = sorted(one for one in moments if one <= last_us)
    started = max(bisect_right(within, first_us) - 1, 0)
    starts = [[step.from_us for step in one.steps] for one in values]
    numbers = [[from_us for from_us, _ in one.revisions] for one in values]
    found = []
    for moment in within[started:]:
        views = []
        for one, steps, revisions in zip(values, starts, numbers, strict=True):
            step, revision = bisect_right(steps, moment), bisect_right(revisions, moment)
            pointer = one.steps[step - 1].pointer if step else None
            views.append(
                (
                    pointer.generation if pointer else None,
                    pointer.through_us if pointer else None,
                    one.revisions[revision - 1][1] if revision else None,
                )
            )
        found.append(_Told(moment, tuple(views)))
    return found


def _latest(steps: Column, time_us: Column) -> Column:
    return F.try_element_at(F.filter(steps, lambda one: one["from_us"] <= time_us), F.lit(-1))


def _schema(views: int) -> T.StructType:
    of_view = T.StructType([T.StructField(name, T.LongType()) for name in ("generation", "through_us", "revision")])
    return T.StructType(
        [T.StructField("from_us", T.LongType()), *(T.StructField(f"v{place}", of_view) for place in range(views))]
    )


def _tuple(one: _Told) -> tuple[object, ...]:
    return (one.from_us, *one.views)


def _literal(one: _Told, schema: T.StructType) -> Column:
    fields = [F.lit(one.from_us).alias("from_us")]
    fields += [F.struct(*map(F.lit, told)).alias(f"v{place}") for place, told in enumerate(one.views)]
    return F.struct(*fields).cast(schema)
