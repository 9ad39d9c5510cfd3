"""WindowView: declared aggregates over trailing windows, evaluated only at the ticks where they change.

Every aggregate here is a count or an integer sum, so a window is a difference: an event adds at the tick at which its
tile enters the window and subtracts at the tick at which it leaves. A running total over a key's ticks then gives
every window exactly, in one sort, whatever the number of ticks (difference arrays, as in summed-area tables).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from skewless.core.aggregate import Aggregate
from skewless.core.names import EVENT_TIMESTAMP, FLAG
from skewless.core.time import duration_us, to_us
from skewless.core.view import WindowView
from skewless.errors import DefinitionError
from skewless.spark.dtypes import identities, identity, spark_type
from skewless.spark.transform import Judged, judged

_TICK, _TILE = "_tick_us", "_tile_us"
#: Beyond 2**53 a double no longer tells whole units apart.
_LARGEST_EXACT = float(2**53)


@dataclass(frozen=True, slots=True)
class Part:
    """One running total: what an aggregate, or one side of a ratio, needs for one window.

    Attributes:
        name: Its column.
        aggregate: Count, sum (with a hidden count of its values) or distinct count.
        over_us: Length of the window.
    """

    name: str
    aggregate: Aggregate
    over_us: int

    @property
    def seen(self) -> str:
        """The column that counts a sum's non-null values: a sum of none is null."""
        return f"{self.name}_n"

    @property
    def columns(self) -> tuple[str, ...]:
        """The running totals that it keeps."""
        return (self.name, self.seen) if self.aggregate.kind == "sum" else (self.name,)


def read_events(view: WindowView, rows: DataFrame, *, start_us: int) -> Judged:
    """Run the `events` transform over source rows and set aside what cannot be computed with.

    Args:
        view: The definition.
        rows: Source rows, event time under `event_timestamp`.
        start_us: The generation's start.

    Raises:
        DefinitionError: The transform lacks a key, the event time or a column that an aggregate reads.
    """
    events = view.events(rows)
    needed = [*view.entity.key_names, EVENT_TIMESTAMP]
    parts = [part.aggregate for part in _parts(view)]
    needed += [aggregate.column for aggregate in parts if aggregate.column is not None]
    missing = sorted(set(needed) - set(events.columns))
    if missing:
        message = f"The events of view '{view.name}' lack {missing} (they have {sorted(events.columns)}). Select them."
        raise DefinitionError(message)
    return judged(events, view, start_us=start_us, poison=_poison(events, parts))


def evaluated(view: WindowView, events: DataFrame, *, after_us: int | None, through_us: int) -> DataFrame:
    """The values of the ticks of `(after_us, through_us]` where they differ from the tick before.

    An event at exactly a tick belongs to the next one: windows are `[tick - over, tick)`. Null values do not take
    part. An entity's first row is at the first tick at which one of its events changes a value; when the last event
    leaves the longest window, a row of empties says so.

    Args:
        view: The definition.
        events: Good rows of `read_events`; all of them, or at least those of the longest window before `after_us`.
        after_us: Ticks up to this one are known already; None evaluates from the view's start.
        through_us: The last tick.

    Returns:
        Keys, `event_timestamp`, features, `_flag` (always empty).
    """
    keys = view.entity.key_names
    parts = tuple(_parts(view))
    columns = [column for part in parts for column in part.columns]
    deltas = reduce(DataFrame.unionByName, _deltas(view, _in_reach(view, events), parts, columns))
    floor_us = _floor_us(view, after_us)
    if floor_us is not None:
        deltas = deltas.withColumn(_TICK, F.greatest(F.col(_TICK), F.lit(floor_us)))
    due = deltas.filter(F.col(_TICK) <= through_us)
    totals = due.groupBy(*keys, _TICK).agg(*(F.sum(column).alias(column) for column in columns))
    past = Window.partitionBy(*keys).orderBy(_TICK)
    running = past.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    summed = totals.select(*keys, _TICK, *(F.sum(column).over(running).alias(column) for column in columns))
    values = summed.select(*keys, _TICK, *(_value(view, name).alias(name) for name in view.feature_names))
    same = identities({feature.name: feature.dtype for feature in view.features})
    compared = values.withColumn("_same", same).withColumn("_before", F.lag("_same").over(past))
    # where no tick came before, nothing is in any window: so an entity begins, and begins again, by the same rule
    before = F.coalesce(F.col("_before"), _empties(view))
    is_new = F.col("_same") != before
    fresh = compared.filter(is_new if after_us is None else is_new & (F.col(_TICK) > after_us))
    tick = F.timestamp_micros(_TICK).alias(EVENT_TIMESTAMP)
    return fresh.select(*keys, tick, *view.feature_names, F.lit("").alias(FLAG))


def reach_us(view: WindowView) -> int:
    """How far before a tick its events may lie: the longest window and one tile, in microseconds."""
    return longest_us(view) + view.tile_us


def longest_us(view: WindowView) -> int:
    """The longest window, in microseconds."""
    return max(duration_us(one.over) for one in view.aggregates.values() if one.over is not None)


def _in_reach(view: WindowView, events: DataFrame) -> DataFrame:
    """Without the events that the view's first tick no longer sees."""
    if view.start is None:
        return events
    first_us = view.schedule.ceil_us(to_us(view.start))
    return events.filter(F.unix_micros(EVENT_TIMESTAMP) >= first_us - longest_us(view))


def _floor_us(view: WindowView, after_us: int | None) -> int | None:
    """Everything earlier is folded into this tick, so that running totals start from what was known there."""
    first_us = None if view.start is None else view.schedule.ceil_us(to_us(view.start))
    if after_us is None:
        return first_us
    known_us = view.schedule.floor_us(after_us)
    return known_us if first_us is None else max(first_us, known_us)


def _parts_of(feature: str, aggregate: Aggregate) -> tuple[Part, ...]:
    windows = enumerate(aggregate.windows())
    return tuple(Part(f"_{number}_{feature}", one, duration_us(one.over)) for number, one in windows if one.over)


def _parts(view: WindowView) -> Iterator[Part]:
    for name, aggregate in view.aggregates.items():
        yield from _parts_of(name, aggregate)


def _empties(view: WindowView) -> Column:
    """The identities of the values over empty windows: 0 for counts, null for the rest."""
    found = []
    for feature in view.features:
        is_count = view.aggregates[feature.name].kind in {"count", "count_distinct"}
        empty = F.lit(0 if is_count else None).cast(spark_type(feature.dtype))
        found.append(identity(empty, feature.dtype).alias(feature.name))
    return F.struct(*found)


def _poison(events: DataFrame, aggregates: list[Aggregate]) -> dict[str, Column]:
    floats = {field.name for field in events.schema.fields if field.dataType.simpleString() in {"double", "float"}}
    found: dict[str, Column] = {}
    for aggregate in aggregates:
        # an integer summed in decimal units passes 2**53 as well; one that is summed as an integer does not
        if aggregate.kind == "sum" and (aggregate.column in floats or aggregate.scale):
            value = F.col(str(aggregate.column)).cast("double")
            limit = F.lit(_LARGEST_EXACT / 10**aggregate.scale)
            bad = F.isnan(value) | (F.abs(value) >= limit)
            column = str(aggregate.column)
            found[column] = found[column] | bad if column in found else bad
    return found


def _deltas(view: WindowView, events: DataFrame, parts: tuple[Part, ...], columns: list[str]) -> Iterator[DataFrame]:
    # a tile is counted from the schedule's own alignment, so that its end is a tick whenever it can be
    offset = view.schedule.offset_us
    since = F.unix_micros(EVENT_TIMESTAMP) - offset
    tiled = events.withColumn(_TILE, since - F.pmod(since, F.lit(view.tile_us)) + offset)
    plain = tuple(part for part in parts if part.aggregate.kind != "count_distinct")
    if plain:
        yield _plain_deltas(view, tiled, plain, columns)
    distinct = [part for part in parts if part.aggregate.kind == "count_distinct"]
    for column, where in dict.fromkeys((part.aggregate.column, part.aggregate.where) for part in distinct):
        same = tuple(p for p in distinct if (p.aggregate.column, p.aggregate.where) == (column, where))
        yield _distinct_deltas(view, tiled, same, columns)


def _plain_deltas(view: WindowView, tiled: DataFrame, parts: tuple[Part, ...], columns: list[str]) -> DataFrame:
    """Counts and sums per tile, added where the tile enters and taken away where it leaves each window."""
    keys = view.entity.key_names
    partial = {column: total for part in parts for column, total in _partials(part)}
    tiles = tiled.groupBy(*keys, _TILE).agg(*(total.alias(column) for column, total in partial.items()))

    def at(tick: Column, signs: dict[str, int]) -> Column:
        moved = {column: F.col(column) * sign for column, sign in signs.items() if sign}
        return F.struct(tick.alias(_TICK), *(moved.get(c, F.lit(0).cast("long")).alias(c) for c in columns))

    enters = at(_enter(view), dict.fromkeys(partial, 1))
    leaves = [
        at(_leave(view, over), {c: -1 for part in parts if part.over_us == over for c in part.columns})
        for over in sorted({part.over_us for part in parts})
    ]
    return tiles.select(*keys, F.inline(F.array(enters, *leaves)))


def _distinct_deltas(view: WindowView, tiled: DataFrame, parts: tuple[Part, ...], columns: list[str]) -> DataFrame:
    """One more where a value begins to be in the window, one less where it ceases; touching stays do not count.

    Args:
        view: The definition.
        tiled: Events with their tile.
        parts: Distinct counts of one column under one condition, over several windows.
        columns: Every running total of the view.
    """
    keys, aggregate = view.entity.key_names, parts[0].aggregate
    value = F.col(str(aggregate.column)).alias("_value")
    seen = tiled.filter(_takes_part(aggregate)).select(*keys, value, _TILE).distinct()
    order = Window.partitionBy(*keys, "_value").orderBy(_TILE)
    stays = seen.select(
        *keys, _TILE, F.lag(_TILE).over(order).alias("_before"), F.lead(_TILE).over(order).alias("_next")
    )

    def edge(tick: Column, moved: dict[str, Column]) -> Column:
        return F.struct(tick.alias(_TICK), *(moved.get(c, F.lit(0)).cast("long").alias(c) for c in columns))

    begins, ceases = {}, []
    for part in parts:
        is_first = F.coalesce(_leave(view, part.over_us, "_before") < _enter(view), F.lit(True))
        is_last = F.coalesce(_enter(view, "_next") > _leave(view, part.over_us), F.lit(True))
        begins[part.name] = is_first.cast("long")
        ceases.append(edge(_leave(view, part.over_us), {part.name: -is_last.cast("long")}))
    return stays.select(*keys, F.inline(F.array(edge(_enter(view), begins), *ceases)))


def _ceil(view: WindowView, instant: Column) -> Column:
    return instant + F.pmod(F.lit(view.schedule.offset_us) - instant, F.lit(view.schedule.every_us))


def _enter(view: WindowView, tile: str = _TILE) -> Column:
    """The first tick that has the whole tile behind it."""
    return _ceil(view, F.col(tile) + view.tile_us)


def _leave(view: WindowView, over_us: int, tile: str = _TILE) -> Column:
    """The first tick whose window begins behind the tile."""
    return _ceil(view, F.col(tile) + view.tile_us + over_us)


def _takes_part(aggregate: Aggregate) -> Column:
    condition = F.lit(True) if aggregate.where is None else F.coalesce(F.expr(aggregate.where), F.lit(False))
    return condition if aggregate.column is None else condition & F.col(aggregate.column).isNotNull()


def _partials(part: Part) -> Iterator[tuple[str, Column]]:
    takes_part = _takes_part(part.aggregate)
    if part.aggregate.kind == "sum":
        value = F.col(str(part.aggregate.column))
        scale = part.aggregate.scale
        # rounded by its decimal spelling, half away from zero; the product of such a number is whole but for an ulp
        units = F.rint(F.round(value, scale) * F.lit(float(10**scale))) if scale else value
        yield part.name, F.coalesce(F.sum(F.when(takes_part, units.cast("long"))), F.lit(0).cast("long"))
        yield part.seen, F.count(F.when(takes_part, F.lit(1)))
    else:
        yield part.name, F.count(F.when(takes_part, F.lit(1)))


def _value(view: WindowView, feature: str) -> Column:
    aggregate = view.aggregates[feature]
    values = [_plain_value(part) for part in _parts_of(feature, aggregate)]
    if aggregate.kind != "ratio":
        return values[0]
    numerator, denominator = (value.cast("double") for value in values)
    return F.when(denominator != 0, numerator / denominator)


def _plain_value(part: Part) -> Column:
    if part.aggregate.kind != "sum":
        return F.col(part.name)
    scale = part.aggregate.scale
    total = F.col(part.name) / F.lit(float(10**scale)) if scale else F.col(part.name)
    return F.when(F.col(part.seen) > 0, total)
