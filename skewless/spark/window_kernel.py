"""The arithmetic of trailing windows: events of whole keys in, value rows out; numpy, no Spark.

Only ticks at which an event enters or leaves a window are looked at; `window_ranges` tells the values there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skewless.spark.window_ranges import Value, Windows, feature
from skewless.spark.window_values import Column, Flags, Integers, integers

TIME = "_time_us"
#: Of an event's key: the tick up to which its rows stand as they are.
AFTER = "_after_us"
#: Rows of whole keys that are taken together: enough for numpy, and few enough that its arrays stay in the cache.
_ROWS = 50_000
_LARGEST = 2**63 - 1
#: With more possible places than so many times the events, marking each costs more than sorting the events.
_SPARSE = 32


@dataclass(frozen=True)
class WindowKernel:
    """Evaluates features at their change ticks; a value that travels to the executors.

    Attributes:
        keys: The key columns; rows come sorted by them. Those of a key are put in the order of `_time_us` here; where
            the order of equal times matters they come in theirs.
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
        for gathered in whole_keys(batches, self.keys):
            events = by_time(gathered, self.keys)
            starts = np.flatnonzero(key_starts(events, self.keys))
            # a position is keys * ticks; absurd periods over long times would pass 64 bits
            most = max(1, 2**62 // self._width(integers(events[TIME])))
            for first in range(0, len(starts), most):
                end = starts[first + most] if first + most < len(starts) else len(events)
                yield from self._rows(events.slice(starts[first], end - starts[first])).to_batches()

    def _rows(self, events: pa.Table) -> pa.Table:
        ticks = _Ticks(self, events)
        columns = [feature(value, ticks.windows, events) for value in self.values]
        is_first = np.ones(len(ticks.key), dtype=bool)
        is_first[1:] = ticks.key[1:] != ticks.key[:-1]
        is_new = np.zeros(len(is_first), dtype=bool)
        for value, column in zip(self.values, columns, strict=True):
            # before its first tick a key has the values of empty windows: counts of 0, nothing else
            begins = column.numbers != 0 if value.is_count and isinstance(column, Column) else column.present
            is_new |= np.where(is_first, begins, np.concatenate(([False], column.differs())))
        if AFTER in events.column_names:
            is_new &= ticks.instants > integers(events[AFTER])[ticks.starts[ticks.key]]
        owners = pa.array(ticks.starts[ticks.key[is_new]])
        keys = [events[name].take(owners) for name in self.keys]
        instants = pa.array(ticks.instants[is_new]).cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
        features = [column.arrow(is_new) for column in columns]
        names = [*self.keys, "event_timestamp", *(value.name for value in self.values)]
        return pa.table([*keys, instants, *features], names=names)

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
        self._times = integers(events[TIME])
        begins = key_starts(events, kernel.keys)
        self.starts = np.flatnonzero(begins)
        self._owner = np.cumsum(begins) - 1
        self._first, last = kernel._range(self._times)
        self._count = max(0, last - self._first + 1)
        self._width = self._count + 1
        self._entered = self._positions(kernel.enter(self._times))
        self._left: dict[int, Integers] = {}
        lengths = dict.fromkeys(part.over_us for value in kernel.values for part in value.parts)
        # what came and went before the first tick is folded into it: what follows has something to be compared with
        candidates = _distinct([self._entered, *(self._leaving(over_us) for over_us in lengths)])
        looked_at = candidates[candidates % self._width < self._count]
        self.windows = Windows(self._owner, self._entered, self._leaving, looked_at)
        self.key: Integers = looked_at // self._width
        self.instants: Integers = (looked_at % self._width + self._first) * kernel.every_us + kernel.offset_us

    def _leaving(self, over_us: int) -> Integers:
        if over_us not in self._left:
            self._left[over_us] = self._positions(self._kernel.leave(self._times, over_us))
        return self._left[over_us]

    def _positions(self, ticks: Integers) -> Integers:
        return self._owner * self._width + np.clip(ticks - self._first, 0, self._count)


def _distinct(positions: Sequence[Integers]) -> Integers:
    """The different numbers of several sorted arrays, none of them negative, in order."""
    end = max((int(one[-1]) + 1 for one in positions if len(one)), default=0)
    if end > _SPARSE * sum(len(one) for one in positions):
        return np.unique(np.concatenate(positions))
    # a mark for each number that there could be costs a tenth of sorting
    is_there = np.zeros(end, dtype=bool)
    for one in positions:
        is_there[one] = True
    return np.flatnonzero(is_there)


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


def by_time(rows: pa.Table, keys: Sequence[str]) -> pa.Table:
    """Put the rows of each key in the order of their times; rows that are in it already stay as they are."""
    owner, times = np.cumsum(key_starts(rows, keys)), integers(rows[TIME])
    earliest = int(times.min())
    width = int(times.max()) - earliest + 1
    if int(owner[-1]) * width > _LARGEST // 2:
        return rows.take(np.lexsort((times, owner)))
    place = owner * width + (times - earliest)
    return rows if (place[1:] >= place[:-1]).all() else rows.combine_chunks().take(np.argsort(place))


def key_starts(rows: pa.Table, keys: Sequence[str]) -> Flags:
    """Where a row's key differs from the row before; the first row always does."""
    starts = np.zeros(len(rows), dtype=bool)
    starts[:1] = True
    for name in keys:
        column = rows[name]
        differs = pc.not_equal(column.slice(1), column.slice(0, len(rows) - 1))
        starts[1:] |= np.asarray(differs.to_numpy(), dtype=bool)
    return starts
