"""Frames in tests: made from a schema and tuples, and compared as multisets of rows, bit for bit.

`rows_of` gives times as microseconds since 1970 and structs and arrays as tuples; `assert_same_rows` does not look at
the order of rows, but at how often each occurs. What "same" means for one value is told in `tests/support/bits.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from tests.support.bits import bits

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def at(text: str) -> datetime:
    """`2017-10-02T06:00:00.000001` in UTC as an aware datetime."""
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def us(text: str) -> int:
    """The same in microseconds since 1970."""
    return (at(text) - _EPOCH) // timedelta(microseconds=1)


def moment(instant_us: int | None) -> datetime | None:
    """The aware datetime of microseconds since 1970."""
    return None if instant_us is None else _EPOCH + timedelta(microseconds=instant_us)


def frame(spark: SparkSession, schema: str, rows: Sequence[Sequence[Any]], *, partitions: int = 2) -> DataFrame:
    """Rows as a frame of at least two partitions, dealt out in turn so that neighbours part."""
    dealt = [row for part in range(partitions) for row in rows[part::partitions]]
    return spark.createDataFrame(spark.sparkContext.parallelize(dealt, partitions), schema)


def rows_of(found: DataFrame) -> list[tuple[Any, ...]]:
    """Every row as a tuple, times in microseconds."""
    schema = found.schema.fields
    plain = found.select(*(_in_us(F.col(f"`{field.name}`"), field.dataType).alias(field.name) for field in schema))
    return [tuple(_plain(value) for value in row) for row in plain.collect()]


def assert_same_rows(found: DataFrame | Iterable[Sequence[Any]], expected: Iterable[Sequence[Any]]) -> None:
    """Fail when two multisets of rows differ, naming the first rows that only one of them has."""
    told = rows_of(found) if isinstance(found, DataFrame) else list(found)
    wanted = list(expected)
    left, right = (Counter(bits(tuple(row)) for row in rows) for rows in (told, wanted))
    if left == right:
        return
    extra = [row for row in told if left[bits(tuple(row))] > right[bits(tuple(row))]]
    missing = [row for row in wanted if right[bits(tuple(row))] > left[bits(tuple(row))]]
    shown = [f"  only found:    {row}" for row in sorted(extra, key=str)[:5]]
    shown += [f"  only expected: {row}" for row in sorted(missing, key=str)[:5]]
    raise AssertionError("\n".join([f"{len(told)} rows found, {len(wanted)} expected:", *shown]))


def _in_us(column: Column, kind: T.DataType) -> Column:
    if kind == T.TimestampType():
        return F.unix_micros(column)
    if isinstance(kind, T.StructType):
        fields = [_in_us(column[field.name], field.dataType).alias(field.name) for field in kind.fields]
        return F.when(column.isNotNull(), F.struct(*fields))
    return column


def _plain(value: Any) -> Any:
    return tuple(_plain(one) for one in value) if isinstance(value, (list, tuple)) else value
