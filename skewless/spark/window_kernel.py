"""The arithmetic of trailing windows: events of whole keys in, value rows out; numpy, no Spark.

A window is a range of a key's events: those that have entered it, less those that have left it. Both orders are the
order of time, so two binary searches give the range at any tick, and what may be added and taken away (counts, exact
sums) is the difference of two running totals over the whole batch. Only ticks at which an event enters or leaves a
window are looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

TIME = "_time_us"
#: Of an event's key: the tick up to which its rows stand as they are.
AFTER = "_after_us"
#: Rows of whole keys that are taken together: enough for numpy, little for memory.
_ROWS = 200_000
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Part:
    """A plain aggregate over one window.

    Attributes:
        kind: count, count_distinct, sum, stddev, min, max, first or last.
        column: The input: null where an event does not take part.
        over_us: Length of the window.
        units: Units of a sum in one; 0 for a sum that stays an integer.
    """

    kind: str
    column: str
    over_us: int
    units: int = 0


@dataclass(frozen=True, slots=True)
class Value:
    """One feature: a part, or the ratio of two.

    Attributes:
        name: The feature.
        parts: One part, or numerator and denominator.
    """

    name: str
    parts: tuple[Part, ...]

    @property
    def is_count(self) -> bool:
        """True when an empty window has the value 0; otherwise it has none."""
        return len(self.parts) == 1 and self.parts[0].kind in {"count", "count_distinct"}


@dataclass(frozen=True, slots=True)
class Column:
    """A feature at the looked-at ticks: numbers, or codes of values, and where there are any."""

    numbers: npt.NDArray[np.int64] | npt.NDArray[np.float64]
    present: Flags
    code: Code | None = None

    def differs(self) -> Flags:
        """Where it is not the same, to the bit, as one place before; the first place is not told."""
        bits = np.where(self.present, self.numbers.view(np.int64), 0)
        differs: Flags = (bits[1:] != bits[:-1]) | (self.present[1:] != self.present[:-1])
        return differs

    def arrow(self, places: Flags) -> pa.Array:
        """Some places, as Arrow."""
        numbers, absent = self.numbers[places], ~self.present[places]
        if self.code is None:
            return pa.array(numbers, mask=absent)
        return self.code.values(numbers.astype(np.int64, copy=False), absent)


@dataclass(frozen=True)
class WindowKernel:
    """Evaluates features at their change ticks; a value that travels to the executors.

    Attributes:
        keys: The key columns; rows come sorted by them and by `_time_us`.
        values: The features, in order.
        every_us: Period of the ticks.
        offset_us: Of the ticks, from 1970.
        tile_us: Events count from the end of their tile on; it is counted from the same alignment.
        floor_us: Everything earlier is folded into this tick; None begins with the first event.
        through_us: The last tick.

    Events may carry `_after_us`: then only later ticks of their key are given; else all, a key's first row included.
    """

    keys: tuple[str, ...]
    values: tuple[Value, ...]
    every_us: int
    offset_us: int
    tile_us: int
    floor_us: int | None
    through_us: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The value rows of a partition: keys, `event_timestamp` (UTC, µs), features."""
        for events in whole_keys(batches, self.keys):
            starts = np.flatnonzero(key_starts(events, self.keys))
            # a position is keys * ticks; absurd periods over long times would pass 64 bits
            most = max(1, 2**62 // self._width(_integers(events[TIME])))
            for first in range(0, len(starts), most):
                end = starts[first + most] if first + most < len(starts) else len(events)
                yield from self._rows(events.slice(starts[first], end - starts[first])).to_batches()

    def _rows(self, events: pa.Table) -> pa.Table:
        ticks = _Ticks(self, events)
        columns = [self._column(value, ticks, events) for value in self.values]
        is_first = np.ones(len(ticks.looked_at), dtype=bool)
        is_first[1:] = ticks.key[1:] != ticks.key[:-1]
        is_new = np.zeros(len(is_first), dtype=bool)
        for value, column in zip(self.values, columns, strict=True):
            # before its first tick a key has the values of empty windows: counts of 0, nothing else
            begins = (column.numbers != 0) if value.is_count else column.present
            is_new |= np.where(is_first, begins, np.concatenate(([False], column.differs())))
        if AFTER in events.column_names:
            is_new &= ticks.instants > _integers(events[AFTER])[ticks.starts[ticks.key]]
        owners = pa.array(ticks.starts[ticks.key[is_new]])
        keys = [events[name].take(owners) for name in self.keys]
        instants = pa.array(ticks.instants[is_new]).cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
        features = [column.arrow(is_new) for column in columns]
        names = [*self.keys, "event_timestamp", *(value.name for value in self.values)]
        return pa.table([*keys, instants, *features], names=names)

    def _column(self, value: Value, ticks: _Ticks, events: pa.Table) -> Column:
        found = [self._part(part, ticks, events) for part in value.parts]
        if len(found) == 1:
            return found[0]
        above, below = found
        present = above.present & below.present & (below.numbers != 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            quotient = above.numbers.astype(np.float64) / below.numbers.astype(np.float64)
        return Column(np.where(present, quotient, 0.0), present)

    def _part(self, part: Part, ticks: _Ticks, events: pa.Table) -> Column:
        taking = events[part.column]
        if part.kind == "count_distinct":
            numbers = ticks.distinct(taking, part.over_us)
            return Column(numbers, np.ones(len(numbers), dtype=bool))
        is_in = np.asarray(taking.is_valid().to_numpy(), dtype=bool)
        begins, ends = ticks.ranges(is_in, part.over_us)
        count = ends - begins
        if part.kind == "count":
            return Column(count, np.ones(len(count), dtype=bool))
        if part.kind == "sum":
            numbers = ticks.exact_total(_integers(taking.fill_null(0)), part.over_us)
            return Column(numbers / float(part.units) if part.units else numbers, count > 0)
        taking = taking.drop_null()
        if part.kind == "stddev":
            return Column(deviations(_integers(taking), begins, ends, units=part.units or 1), count > 1)
        code = Code.of(taking)
        return Column(selected(code.codes, begins, ends, kind=part.kind), count > 0, code)

    def _width(self, times: Integers) -> int:
        first, last = self._range(times)
        return max(1, last - first + 2)

    def _range(self, times: Integers) -> tuple[int, int]:
        """The numbers of the first and the last tick to look at."""
        last = (self.through_us - self.offset_us) // self.every_us
        if self.floor_us is not None:
            return (self.floor_us - self.offset_us) // self.every_us, last
        return int(self.enter(times.min(keepdims=True))[0]), last

    def enter(self, times: Integers) -> Integers:
        """The number of the first tick that has an event's whole tile behind it."""
        return -((self.offset_us - self._tile_end(times)) // self.every_us)

    def leave(self, times: Integers, over_us: int) -> Integers:
        """The number of the first tick whose window begins behind an event's tile."""
        return -((self.offset_us - self._tile_end(times) - over_us) // self.every_us)

    def _tile_end(self, times: Integers) -> Integers:
        return ((times - self.offset_us) // self.tile_us + 1) * self.tile_us + self.offset_us


class _Ticks:
    """The ticks to look at in a batch, each as one number `key * width + tick`, which is in the order of both."""

    def __init__(self, kernel: WindowKernel, events: pa.Table) -> None:
        self._kernel = kernel
        self._times = _integers(events[TIME])
        begins = key_starts(events, kernel.keys)
        self.starts = np.flatnonzero(begins)
        self._owner = np.cumsum(begins) - 1
        self._first, last = kernel._range(self._times)
        self._count = max(0, last - self._first + 1)
        self._width = self._count + 1
        self._entered = self._positions(kernel.enter(self._times))
        self._left: dict[int, Integers] = {}
        self._gone: dict[int, Integers] = {}
        windows = dict.fromkeys(part.over_us for value in kernel.values for part in value.parts)
        # what came and went before the first tick is folded into it: what follows has something to be compared with
        candidates = np.unique(np.concatenate([self._entered, *(self._leaving(over_us) for over_us in windows)]))
        self.looked_at: Integers = candidates[candidates % self._width < self._count]
        self.key: Integers = self.looked_at // self._width
        self.instants: Integers = (self.looked_at % self._width + self._first) * kernel.every_us + kernel.offset_us

    @cached_property
    def _has_entered(self) -> Integers:
        return np.searchsorted(self._entered, self.looked_at, side="right")

    def _has_left(self, over_us: int) -> Integers:
        if over_us not in self._gone:
            self._gone[over_us] = np.searchsorted(self._leaving(over_us), self.looked_at, side="right")
        return self._gone[over_us]

    def ranges(self, is_in: Flags, over_us: int) -> tuple[Integers, Integers]:
        """The window at each tick as a half-open range of the events that take part, counted over the batch."""
        before = np.concatenate(([0], np.cumsum(is_in)))
        return before[self._has_left(over_us)], before[self._has_entered]

    def total(self, numbers: Integers, over_us: int) -> Integers:
        """Sums over the window at each tick; those that pass 64 bits are wrong."""
        running = np.concatenate((np.zeros(1, dtype=numbers.dtype), np.cumsum(numbers)))
        return running[self._has_entered] - running[self._has_left(over_us)]

    def exact_total(self, numbers: Integers, over_us: int) -> Integers:
        """The same, refusing those that pass 64 bits.

        Raises:
            OverflowError: One does.
        """
        # running totals may wrap around: their differences are right unless a window's own sum is too large
        total = self.total(numbers, over_us)
        if np.abs(numbers.astype(np.float64)).sum() >= float(_LARGEST):
            exact = self.total(numbers.astype(object), over_us)
            if any(abs(one) > _LARGEST for one in exact):
                raise OverflowError("A sum of integers passes 64 bits. Sum a smaller unit, or declare it as Float64.")
        return total

    def distinct(self, values: pa.ChunkedArray, over_us: int) -> Integers:
        """How many different values the window holds: those that have come to stay in it, less those that have gone.

        Touching stays of a value are one stay.
        """
        is_in = np.asarray(values.is_valid().to_numpy(), dtype=bool)
        codes = values.combine_chunks().dictionary_encode().indices
        named = np.asarray(codes.fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64)[is_in]
        owner, enters, leaves = self._owner[is_in], self._entered[is_in], self._leaving(over_us)[is_in]
        order = np.argsort(owner * (int(named.max(initial=0)) + 1) + named, kind="stable")
        owner, named, enters, leaves = owner[order], named[order], enters[order], leaves[order]
        is_stay = (owner[1:] == owner[:-1]) & (named[1:] == named[:-1]) & (enters[1:] <= leaves[:-1])
        comes = np.sort(enters[np.concatenate(([True], ~is_stay))[: len(enters)]])
        goes = np.sort(leaves[np.concatenate((~is_stay, [True]))[: len(leaves)]])
        came = np.searchsorted(comes, self.looked_at, side="right")
        return came - np.searchsorted(goes, self.looked_at, side="right")

    def _leaving(self, over_us: int) -> Integers:
        if over_us not in self._left:
            self._left[over_us] = self._positions(self._kernel.leave(self._times, over_us))
        return self._left[over_us]

    def _positions(self, ticks: Integers) -> Integers:
        return self._owner * self._width + np.clip(ticks - self._first, 0, self._count)


@dataclass(frozen=True, slots=True)
class Code:
    """Values of any scalar type as integers in the same order, equal only for the same bits.

    Attributes:
        codes: One per value.
        dictionary: The different values in order; None for types whose bits are their code.
        type: Of the values.
    """

    codes: Integers
    dictionary: pa.Array | None
    type: pa.DataType

    @staticmethod
    def of(values: pa.ChunkedArray) -> Code:
        """Encode values, none of them null."""
        if pa.types.is_floating(values.type):
            numbers = values.cast(pa.float64()).to_numpy()
            bits = np.where(np.isnan(numbers), np.nan, numbers).view(np.int64)
            return Code(_in_order(bits), None, values.type)
        if any(of_kind(values.type) for of_kind in (pa.types.is_integer, pa.types.is_timestamp, pa.types.is_boolean)):
            return Code(_integers(values.cast(pa.int64())), None, values.type)
        encoded = values.combine_chunks().dictionary_encode()
        order = pc.sort_indices(encoded.dictionary)
        places = np.empty(len(order), dtype=np.int64)
        places[order.to_numpy()] = np.arange(len(order))
        return Code(places[encoded.indices.to_numpy()], encoded.dictionary.take(order), values.type)

    def values(self, codes: Integers, absent: Flags) -> pa.Array:
        """Decode; null where absent."""
        if self.dictionary is not None:
            return self.dictionary.take(pa.array(codes, mask=absent))
        if pa.types.is_floating(self.type):
            return pa.array(_in_order(codes).view(np.float64), mask=absent).cast(self.type)
        return pa.array(codes, mask=absent).cast(self.type)


def _in_order(bits: Integers) -> Integers:
    """Bits of doubles as integers of the same order, and back: of negative ones all but the sign turn round."""
    return bits ^ ((bits >> 63) & _LARGEST)


def selected(codes: Integers, begins: Integers, ends: Integers, *, kind: str) -> Integers:
    """The first, last, least or greatest code of each range; any code for an empty one."""
    if len(codes) == 0:
        return np.zeros(len(begins), dtype=np.int64)
    if kind in {"first", "last"}:
        return codes[np.clip(begins if kind == "first" else ends - 1, 0, len(codes) - 1)]
    # a sparse table: level k holds the winners of 2**k codes from each place on; two of them cover any range
    better = np.minimum if kind == "min" else np.maximum
    lengths = ends - begins
    found = np.zeros(len(begins), dtype=np.int64)
    level, width = codes, 1
    while True:
        here = (lengths >= width) & (lengths < 2 * width)
        found[here] = better(level[begins[here]], level[ends[here] - width])
        if 2 * width > lengths.max(initial=0):
            return found
        level, width = better(level[:-width], level[width:]), 2 * width


def deviations(numbers: Integers, begins: Integers, ends: Integers, *, units: int) -> npt.NDArray[np.float64]:
    """Sample standard deviations of ranges of whole numbers of units; 0 for fewer than two of them.

    Sums of squares are Python's integers, so that only the last division and the root round.
    """
    exact = numbers.astype(object)
    sums = np.concatenate((np.zeros(1, dtype=object), np.cumsum(exact)))
    squares = np.concatenate((np.zeros(1, dtype=object), np.cumsum(exact * exact)))
    found = np.zeros(len(begins))
    for place in np.flatnonzero(ends - begins > 1):
        first, end = begins[place], ends[place]
        count, total = int(end - first), sums[end] - sums[first]
        above = count * (squares[end] - squares[first]) - total * total
        found[place] = math.sqrt(above / (count * (count - 1) * units * units))
    return found


def whole_keys(batches: Iterable[pa.RecordBatch], keys: Sequence[str]) -> Iterator[pa.Table]:
    """Gather batches of sorted rows into tables that hold all rows of their keys."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        if batch.num_rows:
            waiting.append(batch)
            rows += batch.num_rows
        if rows >= _ROWS:
            table = pa.Table.from_batches(waiting)
            cut = int(np.flatnonzero(key_starts(table, keys))[-1])
            if cut:
                yield table.slice(0, cut)
            rest = table.slice(cut)
            waiting, rows = rest.to_batches(), rest.num_rows if cut else 0
    if waiting:
        yield pa.Table.from_batches(waiting)


def key_starts(rows: pa.Table, keys: Sequence[str]) -> Flags:
    """Where a row's key differs from the row before; the first row always does."""
    starts = np.zeros(len(rows), dtype=bool)
    starts[:1] = True
    for name in keys:
        column = rows[name]
        differs = pc.not_equal(column.slice(1), column.slice(0, len(rows) - 1))
        starts[1:] |= np.asarray(differs.to_numpy(), dtype=bool)
    return starts


def _integers(column: pa.ChunkedArray) -> Integers:
    return np.asarray(column.to_numpy(), dtype=np.int64)
