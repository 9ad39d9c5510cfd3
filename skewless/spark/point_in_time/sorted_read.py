"""Reading one bucket of a sorted copy in a Python worker, its rows put on the axis of time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from skewless.core.names import GENERATION

#: Columns of a copy beside keys, generation and features; BUCKET is in the names of its folders.
BUCKET, EVENT_US, SAYS = "_bucket", "_event_us", "_says"
#: The order of a row that does not count.
NOBODY = -1


@dataclass(frozen=True, slots=True)
class SortedRead:
    """What a join reads of a copy, and where it puts the rows.

    Attributes:
        folder: Of the copy.
        buckets: Into how many the copy lies.
        keys: The key columns.
        features: Per slot of the payload the feature that it holds, None for none.
        order: What a row's generation is added to.
        instants: Generation → the instants at which its rows stand; None for history, whose rows stand by event time.
        generations: Those that count.
        until_us: Of history: the last event time that counts.
        later_us: Of history: so much later than it speaks for stands a row.
        served_bit: What is added to what a row says.
    """

    folder: str
    buckets: int
    keys: tuple[str, ...]
    features: tuple[str | None, ...]
    order: int
    generations: tuple[int, ...]
    instants: Mapping[int, tuple[int, ...]] | None = None
    until_us: int = 0
    later_us: int = 0
    served_bit: int = 0

    def tables(self, bucket: int, *, like: pa.Schema, at: str, order: str) -> Iterator[pa.Table]:
        """The rows of a bucket of the join, in the columns of positioned rows.

        Args:
            bucket: Its number; the join has a multiple of the copy's buckets, and rows of others do no harm.
            like: Types of the positioned columns; what it has beyond is not given.
            at: Name of the column for the instant.
            order: Name of the column for the order.
        """
        folder = Path(self.folder) / f"{BUCKET}={bucket % self.buckets}"
        names = [*self.keys, EVENT_US, GENERATION, SAYS, *(one for one in self.features if one is not None)]
        for file in sorted(folder.glob("*.parquet")):
            read = pq.ParquetFile(file).read(columns=names)
            for told in self._positioned(read):
                yield self._renamed(read, told, like=like, at=at, order=order)

    def _positioned(self, read: pa.Table) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Instant and order of every row; repeatedly where rows stand at several instants."""
        event_us, generation = (_ints(read, name) for name in (EVENT_US, GENERATION))
        if self.instants is None:
            counts = np.isin(generation, self.generations) & (event_us <= self.until_us)
            yield event_us + self.later_us, np.where(counts, generation + self.order, NOBODY)
            return
        numbers, place = np.unique(generation, return_inverse=True)
        listed = [self.instants.get(int(number), ()) for number in numbers]
        for turn in range(max(map(len, listed), default=0)):
            counts = np.array([len(one) > turn for one in listed])[place]
            instants = np.array([one[turn] if len(one) > turn else 0 for one in listed], np.int64)[place]
            yield instants, np.where(counts, generation + self.order, NOBODY)

    def _renamed(
        self,
        read: pa.Table,
        told: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
        *,
        like: pa.Schema,
        at: str,
        order: str,
    ) -> pa.Table:
        said = np.asarray(read[SAYS], np.int8) | np.int8(self.served_bit)
        columns: dict[str, pa.ChunkedArray | pa.Array] = {name: read[name] for name in self.keys}
        columns |= {at: pa.array(told[0]), order: pa.array(told[1]), "p0": pa.array(said), "p1": read[EVENT_US]}
        columns |= {f"p{2 + slot}": read[name] for slot, name in enumerate(self.features) if name is not None}
        return pa.table({name: column.cast(like.field(name).type) for name, column in columns.items()})


def _ints(table: pa.Table, name: str) -> npt.NDArray[np.int64]:
    return np.asarray(table[name], np.int64)


def beside(table: pa.Table, reads: Sequence[SortedRead], bucket: int, *, at: str, order: str) -> pa.Table:
    """A bucket's rows together with those of copies."""
    told = [one for read in reads for one in read.tables(bucket, like=table.schema, at=at, order=order)]
    return pa.concat_tables([table, *told], promote_options="default").combine_chunks()
