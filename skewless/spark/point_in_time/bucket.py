"""Engine `bucket`: rows in buckets by a hash of their keys, each sorted and searched as packed integers by numpy.

Nothing is sorted by Spark, and only winners are copied. A bucket is held in memory as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from skewless.spark.point_in_time.positions import AT, GENERATION_BITS, IS_RETRACTED, LAST, ORDER, PAYLOAD, winner
from skewless.spark.point_in_time.sorted_read import BUCKET, SortedRead, beside

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_NONE_FREE = 63
#: Bytes of Arrow data that one bucket may take.
LIMIT = 1_500_000_000
#: Rows of a bucket, and the fewest buckets.
ROWS, _FEWEST = 750_000, 2


@dataclass(frozen=True, slots=True)
class Buckets:
    """Where the rows of a join lie.

    Attributes:
        number: Into how many buckets rows are put. One of more than LIMIT bytes fails, before it takes all memory.
        reads: What a task reads beside its rows, of sorted copies; the number is a multiple of theirs.
    """

    number: int
    reads: tuple[SortedRead, ...] = ()


def winners(
    rows: DataFrame, *, keys: Sequence[str], apart: str | None, carry: str, views: int, buckets: Buckets
) -> DataFrame:
    """Find the value row of each view that stands last before, or at, each spine row.

    Args:
        rows: Positioned value rows of the views, and the spine's rows, of the order LAST.
        keys: Names of the key columns; of a null key, as of a null position, nothing is found.
        apart: The column by which rows are spread further, if there is one.
        carry: The column of spine rows that is passed on, a struct.
        views: How many there are.
        buckets: Where rows lie.

    Returns:
        Per spine row `carry`, and per view its winner's payload, null when there is none.
    """
    carried, told = (_fields(rows, name) for name in (carry, PAYLOAD))
    # flat: a struct costs Spark much more on its way to Python than its fields do
    flat = _in_buckets(rows, keys, apart, buckets.number).select(
        BUCKET,
        *keys,
        AT,
        ORDER,
        *(F.col(f"{carry}.`{one.name}`").alias(f"c{at}") for at, one in enumerate(carried)),
        *(F.col(f"{PAYLOAD}.{one.name}").alias(f"p{at}") for at, one in enumerate(told)),
    )
    given = [T.StructField(f"c{at}", one.dataType) for at, one in enumerate(carried)]
    given += [T.StructField(f"w{place}_{at}", one.dataType) for place in range(views) for at, one in enumerate(told)]
    search = _Search(tuple(keys), len(carried), len(told), views, buckets.reads)
    found = flat.mapInArrow(search.searched, T.StructType(given))
    whole = F.struct(*(F.col(f"c{at}").alias(one.name) for at, one in enumerate(carried))).alias(carry)
    won = (
        # whoever says nothing at all is no row
        F.when(
            F.col(f"w{place}_0").isNotNull(),
            F.struct(*(F.col(f"w{place}_{at}").alias(one.name) for at, one in enumerate(told))),
        ).alias(winner(place))
        for place in range(views)
    )
    return found.select(whole, *won)


def _fields(rows: DataFrame, name: str) -> list[T.StructField]:
    found = rows.schema[name].dataType
    return found.fields if isinstance(found, T.StructType) else []


def _in_buckets(rows: DataFrame, keys: Sequence[str], apart: str | None, number: int) -> DataFrame:
    """Rows of equal keys in one partition, whose number is that of their bucket; apart only those that are told so."""
    bucket = bucket_of(keys, number)
    if apart is not None:
        bucket = F.when(F.col(apart) == 0, bucket).otherwise(bucket_of([*keys, apart], number))
    return rows.withColumn(BUCKET, bucket).repartitionById(number, F.col(BUCKET))


def buckets_of(rows: int) -> int:
    """Into how many buckets so many rows go."""
    return max(_FEWEST, -(-rows // ROWS))


def bucket_of(keys: Sequence[str], number: int) -> Column:
    """The bucket of an entity, whatever the order in which its keys are declared."""
    return F.pmod(F.xxhash64(*sorted(keys)), F.lit(number)).cast("int")


@dataclass(frozen=True, slots=True)
class _Search:
    """What a task does with its bucket.

    Attributes:
        keys: The key columns.
        carried: How many columns of spine rows are passed on: c0, c1, …
        told: How many a payload has: p0, p1, …
        views: How many views there are.
        reads: What is read beside.
    """

    keys: tuple[str, ...]
    carried: int
    told: int
    views: int
    reads: tuple[SortedRead, ...]

    def searched(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Winners of a bucket's spine rows."""
        held, size = [], 0
        for batch in batches:
            held.append(batch)
            size += batch.nbytes
            _check_size(size)
        if not held:
            return
        table = pa.Table.from_batches(held)
        if not bool((np.asarray(table[ORDER]) == LAST).any()):
            return
        table = beside(table, self.reads, int(table[BUCKET][0].as_py()), at=AT, order=ORDER)
        _check_size(table.nbytes)
        yield from self._of_bucket(table)

    def _of_bucket(self, table: pa.Table) -> Iterator[pa.RecordBatch]:
        order = np.asarray(table[ORDER])
        asked = np.flatnonzero(order == LAST)
        place, shift, is_asking = _packed(table, self.keys)
        # in their order the search walks through values once, instead of jumping about
        asked = asked[np.argsort(place[asked])]
        view, is_said = order >> GENERATION_BITS, _says(table) != IS_RETRACTED
        columns = {f"c{at}": table[f"c{at}"].take(pa.array(asked)) for at in range(self.carried)}
        for number in range(self.views):
            mine = _sorted(np.flatnonzero(view == number), place, order)
            if len(mine):
                # of several statements of one instant the last one has the word, be it that there is nothing to say
                is_last = np.append(place[mine[1:]] != place[mine[:-1]], True)
                mine = mine[is_last & is_said[mine]]
            found, is_found = _last_before(place[mine], place[asked], shift)
            rows = mine[found] if len(mine) else np.zeros(len(asked), np.int64)
            won = pa.array(rows, mask=~(is_found & is_asking[asked]))
            columns |= {f"w{number}_{at}": table[f"p{at}"].take(won) for at in range(self.told)}
        yield from pa.table(columns).combine_chunks().to_batches()


def _check_size(size: int) -> None:
    if size > LIMIT:
        message = (
            f"A bucket takes more than {LIMIT >> 20} MiB, mostly by one key perhaps. "
            "Join with engine 'window', which spills to disk."
        )
        raise MemoryError(message)


def _says(table: pa.Table) -> Ints:
    return np.asarray(table["p0"].fill_null(IS_RETRACTED), np.int64)


def _packed(table: pa.Table, keys: Sequence[str]) -> tuple[Ints, int, Bools]:
    """Key and position of each row in one integer, which sorts like the two.

    Returns:
        The integers; the bits that the position takes in them; and which rows have both.
    """
    code = np.zeros(table.num_rows, np.int64)
    is_whole = np.asarray(table[AT].is_valid())
    for key in keys:
        numbers, count = _numbered(_one(table[key]))
        is_whole &= numbers > 0
        code = _folded(code * (count + 1) + numbers)
    at = np.asarray(table[AT].fill_null(0), np.int64)
    least = int(at.min())
    shift = int(at.max() - least).bit_length()
    if shift + int(code.max()).bit_length() > _NONE_FREE:
        # ranks sort like the instants, and take fewer bits
        at, least = np.unique(at, return_inverse=True)[1].astype(np.int64), 0
        shift = int(at.max()).bit_length()
    return (code << shift) | (at - least), shift, is_whole


def _numbered(column: pa.Array) -> tuple[Ints, int]:
    """Equal values as equal numbers from 1 on, null as 0; and the greatest that can be."""
    if pa.types.is_integer(column.type) and column.null_count < len(column):
        ends = pc.min_max(column).as_py()
        if ends["max"] - ends["min"] < 1 << 31:
            told = np.asarray(pc.subtract(column.cast(pa.int64()), ends["min"] - 1).fill_null(0), np.int64)
            return told, int(ends["max"] - ends["min"]) + 1
    encoded = column.dictionary_encode()
    return np.asarray(encoded.indices.fill_null(-1), np.int64) + 1, len(encoded.dictionary)


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _folded(code: Ints) -> Ints:
    """Small numbers for large ones, so that further keys find room."""
    if int(code.max()) < 1 << 31:
        return code
    return np.asarray(pa.array(code).dictionary_encode().indices, np.int64)


def _sorted(rows: Ints, place: Ints, order: Ints) -> Ints:
    """Rows by place; those of one place by their order."""
    found = rows[np.argsort(place[rows])]
    if len(found) > 1 and bool((place[found[1:]] == place[found[:-1]]).any()):
        return rows[np.lexsort((order[rows], place[rows]))]
    return found


def _last_before(values: Ints, asked: Ints, shift: int) -> tuple[Ints, Bools]:
    """Number of the last value at or before each place, and whether it is of the same key."""
    found = np.searchsorted(values, asked, side="right") - 1
    is_found = found >= 0
    if len(values):
        is_found &= (values[found] >> shift) == (asked >> shift)
    return found, is_found
