"""The first cell in which two frames of the same columns differ, whatever the order of their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from skewless.core.time import format_instant, from_us
from skewless.spark.training import exact_value

_ROW, _SIDE, _THEN, _NOW, _THEN_ROWS, _NOW_ROWS = "_row", "_side", "_then", "_now", "_then_rows", "_now_rows"


@dataclass(frozen=True, slots=True)
class Difference:
    """A cell, or a row that only one side has.

    Attributes:
        row: Identifying column → value, as text.
        column: The column; empty when the number of such rows differs.
        then: What it was, in JSON; the number of rows when there is no column.
        now: What it is.
    """

    row: Mapping[str, str] = field(hash=False)
    column: str
    then: str
    now: str


def first_difference(then: DataFrame, now: DataFrame, *, by: Sequence[str]) -> Difference | None:
    """Find it; cells differ when one of their bits does.

    Args:
        then: One side.
        now: The other.
        by: The columns by which a row is known and ordered; nulls come first. Rows of equal ones are compared by the
            greatest of each side.

    Returns:
        The first by these columns, of a row the first by the order of the columns; None when none differs.
    """
    shared = [one for one in now.schema.fields if one.name in then.columns and one.name not in by]
    sides = [_spelled(frame, by, shared, side) for frame, side in ((then, _THEN), (now, _NOW))]
    of = {side: F.col(_SIDE) == side for side in (_THEN, _NOW)}
    met = sides[0].unionByName(sides[1]).groupBy(_ROW)
    compared = met.agg(
        *(F.max(F.when(is_of, F.col("cells"))).alias(side) for side, is_of in of.items()),
        *(F.count_if(is_of).alias(f"{side}_rows") for side, is_of in of.items()),
    )
    differing = ~F.col(_THEN).eqNullSafe(F.col(_NOW)) | (F.col(_THEN_ROWS) != F.col(_NOW_ROWS))
    found = compared.filter(differing).orderBy(_ROW).first()
    if found is None:
        return None
    times = {name for name in by if now.schema[name].dataType == T.TimestampType()}
    row = {name: _shown(found[_ROW][name], is_time=name in times) for name in by}
    if found[_THEN_ROWS] != found[_NOW_ROWS]:
        return Difference(row, "", str(found[_THEN_ROWS]), str(found[_NOW_ROWS]))
    cells = zip(shared, found[_THEN], found[_NOW], strict=True)
    column, before, after = next((one.name, a, b) for one, a, b in cells if a != b)
    return Difference(row, column, _bare(before, column), _bare(after, column))


def _spelled(frame: DataFrame, by: Sequence[str], shared: Sequence[T.StructField], side: str) -> DataFrame:
    row = F.struct(*(exact_value(frame.schema[name]).alias(name) for name in by)).alias(_ROW)
    cells = [
        F.to_json(F.struct(exact_value(frame.schema[one.name]).alias(one.name)), {"ignoreNullFields": "false"})
        for one in shared
    ]
    return frame.select(row, F.array(*cells).cast("array<string>").alias("cells"), F.lit(side).alias(_SIDE))


def _shown(value: object, *, is_time: bool) -> str:
    return format_instant(from_us(value)) if is_time and isinstance(value, int) else str(value)


def _bare(cell: str, column: str) -> str:
    """`{"amount":12.5}` without its name."""
    return cell[len(column) + 4 : -1]
