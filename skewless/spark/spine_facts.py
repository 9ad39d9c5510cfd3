"""What is known of a spine before anything is joined to it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from skewless.core.split import TEST
from skewless.spark.training import hash_of_sums, row_numbers, summed
from skewless.spark.training_rows import Shape, split_side

#: So many values of a label are counted one by one.
FEW = 20
_SIDE, _TEXT = "_skewless_side", "_skewless_text"


@dataclass(frozen=True, slots=True)
class SpineFacts:
    """A spine in numbers.

    Attributes:
        rows: Its rows.
        content_hash: Of its rows, whatever their order.
        last_us: The greatest observation time; None when there is none.
        later: Rows whose time lies after now.
    """

    rows: int
    content_hash: str
    last_us: int | None
    later: int


def spine_facts(spine: DataFrame, time_column: str, *, now_us: int) -> SpineFacts:
    """Read a spine once and count; one job."""
    first, second = row_numbers(spine.schema.fields)
    time_us = F.unix_micros(F.col(f"`{time_column}`"))
    numbers = spine.select(first.alias("a"), second.alias("b"), time_us.alias("at"))
    row = numbers.agg(
        F.count(F.lit(1)),
        summed(F.col("a")),
        summed(F.col("b")),
        F.max("at"),
        F.count_if(F.col("at") > now_us),
    ).first()
    rows, *sums, last_us, later = row or (0, None, None, None, 0)
    return SpineFacts(rows, hash_of_sums(rows, *sums), last_us, later)


def label_balance(spine: DataFrame, label: str, shape: Shape) -> dict[str, Any]:
    """How often each value of a label occurs, in all and in the test.

    Args:
        spine: The spine.
        label: Its column.
        shape: For the split.

    Returns:
        `column`, `type`, `nulls`; `values` (the most frequent first: `value`, `rows`, `test`) and `more`, true when
        there are others; of a number with many values `min`, `mean` and `max` instead.
    """
    dtype = spine.schema[label].dataType
    column = F.col(f"`{label}`")
    found: dict[str, Any] = {"column": label, "type": dtype.simpleString(), "values": [], "more": False}
    is_scalar = isinstance(dtype, T.AtomicType) and not isinstance(dtype, T.BinaryType)
    text = column.cast("string") if is_scalar else F.to_json(F.struct(column.alias(label)))
    told = spine.select(column.isNull().alias("is_null"), text.alias(_TEXT), split_side(shape).alias(_SIDE))
    grouped = told.groupBy("is_null", _TEXT).agg(
        F.count(F.lit(1)).alias("rows"), F.count_if(F.col(_SIDE) == TEST).alias("test")
    )
    # one more than are shown, and null, which is told apart
    most = grouped.orderBy(F.desc("is_null"), F.desc("rows"), _TEXT).limit(FEW + 2).collect()
    values = [{"value": row[_TEXT], "rows": row["rows"], "test": row["test"]} for row in most if not row["is_null"]]
    found["nulls"] = sum(row["rows"] for row in most if row["is_null"])
    found["more"] = len(values) > FEW
    if found["more"] and isinstance(dtype, T.NumericType):
        number = column.cast("double")
        row = spine.agg(F.min(number), F.avg(number), F.max(number)).first()
        return found | dict(zip(("min", "mean", "max"), map(_sayable, row or ()), strict=False))
    return found | {"values": values[:FEW]}


def _sayable(number: float | None) -> float | str | None:
    """A number as JSON can say it."""
    return number if number is None or isfinite(number) else str(number)
