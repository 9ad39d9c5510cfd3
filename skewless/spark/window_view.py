"""WindowView: declared aggregates over trailing windows, evaluated only at the ticks where they change.

Spark reads, projects and sorts the events, one shuffle by key; `window_kernel` does the arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import IntegralType

from skewless.core.aggregate import Aggregate
from skewless.core.names import EVENT_TIMESTAMP, FLAG
from skewless.core.time import duration_us, to_us
from skewless.core.view import WindowView
from skewless.errors import DefinitionError
from skewless.spark.dtypes import holds, spark_schema
from skewless.spark.span import Span
from skewless.spark.transform import Judged, judged, value_columns
from skewless.spark.value_tables import later_than
from skewless.spark.window_kernel import AFTER, TIME, WindowKernel
from skewless.spark.window_ranges import Part, Value

#: Beyond 2**53 a double no longer tells whole units apart.
_LARGEST_EXACT = float(2**53)
#: Below 2**40 a double's ulp is below a 4,000th; so much nearer than a half is clear.
_CLEAR, _NEAR = float(2**40), 0.499
_SUMMED = frozenset({"sum", "stddev"})
_IN_ORDER = frozenset({"first", "last", "last_n"})
_CHOSEN = frozenset({"min", "max", "quantile", "top_k", *_IN_ORDER})


@dataclass(frozen=True, slots=True)
class _Input:
    """What a part reads of an event; parts over several windows read the same.

    Attributes:
        kind: value, distinct, units (whole units of `scale`) or taking (null where an event does not take part).
        column: Of the events; None reads nothing of them.
        where: Condition for taking part.
        scale: Decimal digits of a sum.
    """

    kind: str
    column: str | None
    where: str | None
    scale: int = 0

    @staticmethod
    def of(aggregate: Aggregate, events: DataFrame) -> _Input:
        """What a plain aggregate reads."""
        column, where = aggregate.column, aggregate.where
        if aggregate.kind in {"count", "count_distinct"}:
            return _Input("taking" if aggregate.kind == "count" else "distinct", column, where)
        is_whole = column is not None and isinstance(events.schema[column].dataType, IntegralType)
        if aggregate.kind in _SUMMED and not (is_whole and aggregate.scale == 0):
            return _Input("units", column, where, aggregate.scale)
        return _Input("value", column, where)


def _inputs(plain: Iterable[Aggregate], events: DataFrame) -> dict[Aggregate, _Input | None]:
    """What each plain aggregate reads, as few columns as can be; None for every event, of which nothing is read."""
    wanted = {one: _Input.of(one, events) for one in plain}
    carried = {(one.column, one.where): one for one in wanted.values() if one.kind in {"value", "units"}}
    found: dict[Aggregate, _Input | None] = {}
    for aggregate, one in wanted.items():
        is_every = one.kind == "taking" and one.column is None and one.where is None
        # what is null exactly where the counted column is
        same = carried.get((one.column, one.where), one) if one.kind == "taking" else one
        found[aggregate] = None if is_every else same
    return found


@dataclass(frozen=True, slots=True)
class Reading:
    """What a kernel reads of events, and the features that it makes of it.

    Attributes:
        values: The features, in order; their parts name the inputs.
        inputs: Columns over the events, null where an event does not take part.
        ties: Columns that order events of one instant; none when their order does not matter.
    """

    values: tuple[Value, ...]
    inputs: tuple[Column, ...]
    ties: tuple[Column, ...]

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the inputs."""
        return tuple(f"_{place}" for place in range(len(self.inputs)))

    @property
    def tie_names(self) -> tuple[str, ...]:
        """The names of the ties."""
        return tuple(f"_tie_{place}" for place in range(len(self.ties)))


def reading(view: WindowView, events: DataFrame) -> Reading:
    """What the aggregates of a view read of its events, as few columns as can be."""
    plain = [one for aggregate in view.aggregates.values() for one in aggregate.windows()]
    inputs = _inputs(plain, events)
    needed = [one for one in dict.fromkeys(inputs.values()) if one is not None]
    names: dict[_Input | None, str] = {one: f"_{place}" for place, one in enumerate(needed)}
    return Reading(
        values=tuple(
            Value(name, tuple(_part(one, names.get(inputs[one])) for one in aggregate.windows()))
            for name, aggregate in view.aggregates.items()
        ),
        inputs=tuple(_read(one, events).alias(names[one]) for one in needed),
        ties=tuple(column.alias(f"_tie_{place}") for place, column in enumerate(_ties(view, events))),
    )


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
    parts = [one for aggregate in view.aggregates.values() for one in aggregate.windows()]
    needed += [part.column for part in parts if part.column is not None]
    missing = sorted(set(needed) - set(events.columns))
    if missing:
        message = f"The events of view '{view.name}' lack {missing} (they have {sorted(events.columns)}). Select them."
        raise DefinitionError(message)
    _refuse_other_types(view, events)
    return judged(events, view, start_us=start_us, poison=_poison(events, parts))


def evaluated(view: WindowView, events: DataFrame, *, after_us: int | None, through_us: int) -> DataFrame:
    """The values of the ticks of `(after_us, through_us]` where they differ from the tick before.

    An event at exactly a tick belongs to the next one: windows are `[tick - over, tick)`. Null values do not take
    part. An entity's first row is at the first tick at which one of its events changes a value; when the last event
    leaves the longest window, a row of empties says so.

    Args:
        view: The definition.
        events: Good rows of `read_events`; of some entities all those in reach of the ticks that are asked for. With
            `_after_us`, only later ticks of their entity are asked for.
        after_us: The least `_after_us`; None evaluates from the view's start.
        through_us: The last tick.

    Returns:
        Keys, `event_timestamp`, features, `_flag` (always empty).
    """
    keys, what = view.entity.key_names, reading(view, events)
    kernel = WindowKernel(
        keys=keys,
        values=what.values,
        every_us=view.schedule.every_us,
        offset_us=view.schedule.offset_us,
        tile_us=view.tile_us,
        floor_us=_floor_us(view, after_us),
        through_us=through_us,
    )
    after = [AFTER] if AFTER in events.columns else []
    time = F.unix_micros(EVENT_TIMESTAMP).alias(TIME)
    narrow = _in_reach(view, events).select(*keys, time, *after, *what.inputs, *what.ties)
    # time alone is left to the kernel: by one whole number Spark sorts many times faster than by two
    sorted_by = (*keys, TIME, *what.tie_names) if what.ties else keys
    by_key = narrow.repartition(*keys).sortWithinPartitions(*sorted_by).drop(*what.tie_names)
    return by_key.mapInArrow(kernel, spark_schema(value_columns(view))).withColumn(FLAG, F.lit(""))


@dataclass(frozen=True, slots=True)
class Ticks:
    """The ticks that are looked at again when something changed.

    Attributes:
        after_us: Those up to this one stand as they are.
        before_us: The last one that was evaluated.
        through_us: The last one to evaluate.
    """

    after_us: int
    before_us: int
    through_us: int

    @property
    def is_new(self) -> bool:
        """True when some of them have not been evaluated before."""
        return self.through_us > self.before_us


def touched_span(view: WindowView, events: DataFrame, changed: DataFrame, ticks: Ticks, *, are_many: bool) -> Span:
    """The entities whose values may differ from what is known of them, and from where on.

    Args:
        view: The definition.
        events: Good rows of `read_events`, all of them.
        changed: Events that came or went since they were read last.
        ticks: The ticks.
        are_many: New ticks touch most entities anyway: then all others are taken for touched by them, and nobody looks
            for the events that enter and leave.
    """
    others_us = ticks.before_us if are_many and ticks.is_new else None
    if others_us is not None and ticks.after_us == ticks.before_us:
        return Span(ticks.after_us)
    keys, before = view.entity.key_names, F.lit(ticks.before_us)
    touched = changed.select(*keys, F.least(F.unix_micros(EVENT_TIMESTAMP), before).alias(AFTER))
    if others_us is not None:
        touched = touched.filter(F.col(AFTER) < others_us)
    elif ticks.is_new:
        touched = touched.unionByName(_moving(view, events, ticks).select(*keys, before.alias(AFTER)))
    return Span.of_touched(ticks.after_us, touched.groupBy(*keys).agg(F.min(AFTER).alias(AFTER)), others_us=others_us)


def _moving(view: WindowView, events: DataFrame, ticks: Ticks) -> DataFrame:
    """The events that enter or leave a window at a new tick: when their tile ends, and each window that much later."""
    moves = {0, *(duration_us(part.over) for one in view.aggregates.values() for part in one.windows() if part.over)}
    # against constants: so that files of other times are not read
    spans = [
        later_than(ticks.before_us - over - view.tile_us - 1) & ~later_than(ticks.through_us - over - 1)
        for over in sorted(moves)
    ]
    return events.filter(reduce(Column.__or__, spans))


def of_touched(view: WindowView, events: DataFrame, span: Span) -> DataFrame:
    """The events that the values of touched entities need, with `_after_us`."""
    schedule, time, reach_us = view.schedule, F.unix_micros(EVENT_TIMESTAMP), longest_us(view) + view.tile_us
    last_known = F.col(AFTER) - F.pmod(F.col(AFTER) - schedule.offset_us, F.lit(schedule.every_us))
    # the constant bound reaches the files, the other one is exact
    earliest_us = None if span.after_us is None else schedule.floor_us(span.after_us) - reach_us
    near = events if earliest_us is None else events.filter(later_than(earliest_us - 1))
    return span.of_entities(near).filter(time >= last_known - reach_us)


def longest_us(view: WindowView) -> int:
    """The longest window, in microseconds."""
    return max(duration_us(one.over) for one in view.aggregates.values() if one.over is not None)


def _in_reach(view: WindowView, events: DataFrame) -> DataFrame:
    """Without the events that the view's first tick no longer sees."""
    if view.start is None:
        return events
    first_us = view.schedule.ceil_us(to_us(view.start))
    return events.filter(later_than(first_us - longest_us(view) - 1))


def _floor_us(view: WindowView, after_us: int | None) -> int | None:
    """Everything earlier is folded into this tick, so that running totals start from what was known there."""
    first_us = None if view.start is None else view.schedule.ceil_us(to_us(view.start))
    if after_us is None:
        return first_us
    known_us = view.schedule.floor_us(after_us)
    return known_us if first_us is None else max(first_us, known_us)


def _poison(events: DataFrame, aggregates: list[Aggregate]) -> dict[str, Column]:
    floats = {name for name in events.columns if _is_float(events, name)}
    found: dict[str, Column] = {}
    for aggregate in aggregates:
        # an integer summed in decimal units passes 2**53 as well; one that is summed as an integer does not
        if aggregate.kind in _SUMMED and (aggregate.column in floats or aggregate.scale):
            value = F.col(str(aggregate.column)).cast("double")
            limit = F.lit(_LARGEST_EXACT / 10**aggregate.scale)
            bad = F.isnan(value) | (F.abs(value) >= limit)
            column = str(aggregate.column)
            found[column] = found[column] | bad if column in found else bad
    return found


def _refuse_other_types(view: WindowView, events: DataFrame) -> None:
    for name, aggregate in view.aggregates.items():
        if aggregate.column is None or aggregate.kind not in _CHOSEN:
            continue
        found = events.schema[aggregate.column].dataType
        if not holds(aggregate.dtype.element or aggregate.dtype, found):
            message = (
                f"Feature '{view.name}:{name}' is declared as {aggregate.dtype}, but its column '{aggregate.column}' "
                f"is {found.simpleString()}. Declare the column's type (dtype=…), or cast the column in `events`."
            )
            raise DefinitionError(message)


def _ties(view: WindowView, events: DataFrame) -> list[Column]:
    """What orders events of one instant, where their order matters: never the shuffle."""
    read = [one.column for one in view.aggregates.values() if one.kind in _IN_ORDER and one.column is not None]
    if not read:
        return []
    found: list[Column] = []
    for name in dict.fromkeys([*(one for one in view.source.tie_break if one in events.columns), *read]):
        found.append(F.col(name))
        if _is_float(events, name):
            # to an ordering 0.0 and -0.0 are equal
            found.append(F.when(F.col(name) == 0, F.col(name).cast("string")))
    return found


def _is_float(events: DataFrame, column: str) -> bool:
    return events.schema[column].dataType.simpleString() in {"double", "float"}


def _part(aggregate: Aggregate, column: str | None) -> Part:
    over_us = 0 if aggregate.over is None else duration_us(aggregate.over)
    units = 10**aggregate.scale if aggregate.kind in _SUMMED and aggregate.scale else 0
    return Part(aggregate.kind, column, over_us, units, aggregate.n, aggregate.q)


def _read(one: _Input, events: DataFrame) -> Column:
    """What an event adds, null where it does not take part."""
    condition = F.lit(True) if one.where is None else F.coalesce(F.expr(one.where), F.lit(False))
    if one.column is None:
        return F.when(condition, F.lit(True))
    value = F.col(one.column)
    if one.kind == "taking":
        return F.when(condition & value.isNotNull(), F.lit(True))
    if one.kind == "units":
        return F.when(condition, _units(value, one.scale) if one.scale else value.cast("long"))
    if one.kind == "distinct" and _is_float(events, one.column):
        # equality of SQL, not of bits: one zero, one NaN
        value = F.when(value == 0, F.lit(0.0)).when(F.isnan(value), F.lit(float("nan"))).otherwise(value)
    return F.when(condition, value)


def _units(value: Column, scale: int) -> Column:
    """A number in decimal units: rounded by its decimal spelling as a double, half away from zero.

    The product of a number and a power of ten lies within an ulp of that of its spelling. Where it is far enough from
    the middle of two whole numbers both round to the same; only elsewhere the spelling, which is slow, has to be made.
    """
    number, power = value.cast("double"), F.lit(float(10**scale))
    nearest = F.rint(number * power)
    is_clear = (F.abs(nearest) < _CLEAR) & (F.abs(number * power - nearest) < _NEAR)
    # cast by its spelling; what passes 18 digits was set aside
    spelled = number.cast(f"decimal(18, {scale})") * F.lit(10**scale)
    return F.when(is_clear, nearest.cast("long")).otherwise(spelled.cast("long"))
