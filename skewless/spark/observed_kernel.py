"""The arithmetic of windows that end at observation times: a bucket of events and spine rows in, answers out; numpy.

`window_ranges` tells the values; here its places are the spine's own times instead of ticks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from skewless.spark.window_kernel import TIME
from skewless.spark.window_ranges import Value, Windows, feature
from skewless.spark.window_values import Flags, Integers, integers

#: True of spine rows, false of events.
ASKS = "_asks"
_ROOM = 2**62
#: Longer than all of time, and far enough from 64 bits to be added to it.
_LONGEST_US = 2**61


@dataclass(frozen=True)
class ObservedKernel:
    """Answers the spine rows of a bucket; a value that travels to the executors.

    Attributes:
        keys: The key columns; events have all of them and a time, of a spine row that lacks one nothing is told.
        values: The features, in order.
        inputs: The columns of events that the features read.
        carried: The columns of spine rows that are passed on.
        is_ordered: Rows come with those of a key and an instant in their order; otherwise it does not matter.
        limit: Bytes of Arrow data that a bucket may take; more would take all memory.
    """

    keys: tuple[str, ...]
    values: tuple[Value, ...]
    inputs: tuple[str, ...]
    carried: tuple[str, ...]
    is_ordered: bool
    limit: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The spine rows of a bucket, all of whose rows are held: what is carried, then the features.

        Raises:
            MemoryError: The bucket is larger than the limit.
            OverflowError: A sum of integers passes 64 bits.
        """
        held, size = [], 0
        for batch in batches:
            held.append(batch)
            size += batch.nbytes
            if size > self.limit:
                message = (
                    f"The events and spine rows of a bucket take more than {self.limit >> 20} MiB, mostly by one key "
                    "perhaps. Ask for a shorter time, or materialize the view, which has no such limit."
                )
                raise MemoryError(message)
        if held:
            # one chunk per column: rows are taken from anywhere
            yield from self._answered(pa.Table.from_batches(held).combine_chunks()).to_batches()

    def _answered(self, rows: pa.Table) -> pa.Table:
        owner, is_whole = numbered(rows, self.keys)
        is_whole &= np.asarray(rows[TIME].is_valid())
        times, asks = integers(rows[TIME].fill_null(0)), np.asarray(rows[ASKS])
        said, asked = np.flatnonzero(~asks), np.flatnonzero(asks & is_whole)
        said = said[_in_time(owner[said], times[said], keeps_order=self.is_ordered)]
        instants = _Instants(times[asked], owners=int(owner.max(initial=0)) + 1)
        places = instants.places(owner[asked], times[asked])
        # in their order a search walks through the events once, instead of jumping about
        order = np.argsort(places)
        asked, places = asked[order], places[order]
        owner, times = owner[said], times[said]
        windows = Windows(
            owner,
            # an event at exactly the observation is not in the window, one at exactly its beginning is
            entered=instants.places(owner, times + 1),
            leaving=lambda over_us: instants.places(owner, times + 1 + min(over_us, _LONGEST_US)),
            looked_at=places,
        )
        events = rows.select(self.inputs).take(pa.array(said))
        every = np.ones(len(asked), dtype=bool)
        told = [feature(value, windows, events).arrow(every) for value in self.values]
        unknown = np.flatnonzero(asks & ~is_whole)
        columns = [rows[name].take(pa.array(np.concatenate((asked, unknown)))) for name in self.carried]
        columns += [pa.chunked_array([one, pa.nulls(len(unknown), one.type)]) for one in told]
        return pa.table(columns, names=[*self.carried, *(value.name for value in self.values)]).combine_chunks()


class _Instants:
    """Observation times in order, each under a number; any other instant has that of the next one."""

    def __init__(self, observed: Integers, *, owners: int) -> None:
        self._first = int(observed.min()) if len(observed) else 0
        self._width = int(observed.max()) - self._first + 2 if len(observed) else 1
        self._different: Integers | None = None
        if owners * self._width > _ROOM:
            # ranks are in the same order and take fewer bits, but have to be looked up
            self._different = np.unique(observed)
            self._width = len(self._different) + 1

    def places(self, owner: Integers, instants: Integers) -> Integers:
        """Owner and number of an instant in one; behind the last observation there is one more number."""
        if self._different is not None:
            return owner * self._width + np.searchsorted(self._different, instants)
        return owner * self._width + np.clip(instants - self._first, 0, self._width - 1)


def numbered(rows: pa.Table, keys: Sequence[str]) -> tuple[Integers, Flags]:
    """A number per row, the same for the same keys, and which rows have all of them."""
    owner = np.zeros(len(rows), dtype=np.int64)
    is_whole = np.ones(len(rows), dtype=bool)
    for name in keys:
        encoded = rows[name].combine_chunks().dictionary_encode()
        is_whole &= np.asarray(encoded.indices.is_valid())
        number = np.asarray(encoded.indices.fill_null(0), dtype=np.int64)
        # never more numbers than rows, so that any count of keys fits
        pairs = pa.array(owner * max(1, len(encoded.dictionary)) + number)
        owner = number if name == keys[0] else np.asarray(pairs.dictionary_encode().indices, dtype=np.int64)
    return owner, is_whole


def _in_time(owner: Integers, times: Integers, *, keeps_order: bool) -> Integers:
    """Places of rows in the order of owner and time."""
    if not len(times):
        return np.zeros(0, dtype=np.int64)
    first = int(times.min())
    width = int(times.max()) - first + 1
    if (int(owner.max()) + 1) * width > _ROOM:
        return np.lexsort((times, owner))
    return np.argsort(owner * width + (times - first), kind="stable" if keeps_order else None)
