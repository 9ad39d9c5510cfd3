"""Aggregates of a WindowView: what is computed over the trailing window `[tick - over, tick)`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal, InvalidOperation

from skewless.core.dtypes import Array, DType, Float64, Int64
from skewless.errors import DefinitionError

_LARGEST_SCALE = 15
_LONGEST_LIST = 100
#: Sums and means of floating-point columns are exact in units of 10**-6, hence the same on any partitioning.
DEFAULT_SCALE = 6


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One declared aggregate; make it with Count, Sum, Mean and their like.

    Attributes:
        kind: count, count_distinct, sum, stddev, min, max, first, last, quantile, last_n, top_k or ratio.
        column: The column of the events that it reads; null values do not take part. None counts rows.
        over: Length of the window.
        where: SQL condition on the events; rows for which it is not true do not take part.
        dtype: Type of the result.
        scale: Decimal digits in which a floating-point column is summed exactly (half away from zero beyond).
        parts: Numerator and denominator of a ratio.
        n: How many values last_n and top_k give at most.
        q: Of a quantile, as a decimal number in `[0, 1]`.
    """

    kind: str
    column: str | None = None
    over: timedelta | None = None
    where: str | None = None
    dtype: DType = Float64
    scale: int = DEFAULT_SCALE
    parts: tuple[Aggregate, ...] = ()
    n: int = 0
    q: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.scale <= _LARGEST_SCALE:
            message = f"Scale {self.scale} of an aggregate of '{self.column}': give 0 to {_LARGEST_SCALE} digits."
            raise DefinitionError(message)

    def windows(self) -> tuple[Aggregate, ...]:
        """The plain aggregates that it is made of: itself, or the two parts of a ratio."""
        return self.parts or (self,)


def Count(column: str | None = None, *, over: timedelta | None = None, where: str | None = None) -> Aggregate:  # noqa: N802
    """Number of events (or of those whose `column` is not null); 0 over an empty window."""
    return Aggregate("count", column, over, where, Int64)


def CountDistinct(column: str, *, over: timedelta | None = None, where: str | None = None) -> Aggregate:  # noqa: N802
    """Exact number of different non-null values of `column`; 0 over an empty window."""
    return Aggregate("count_distinct", column, over, where, Int64)


def ApproxCountDistinct(  # noqa: N802
    column: str, *, over: timedelta | None = None, where: str | None = None
) -> Aggregate:
    """As CountDistinct, for definitions that come from elsewhere: its error is 0, for an exact count costs no more."""
    return CountDistinct(column, over=over, where=where)


def Sum(  # noqa: N802 - a declaration, all by keyword
    column: str,
    *,
    over: timedelta | None = None,
    where: str | None = None,
    dtype: DType = Float64,
    scale: int = DEFAULT_SCALE,
) -> Aggregate:
    """Sum of `column`, Float64 or Int64; null when no value is in the window.

    Floating-point values are rounded to 10**-scale, half away from zero, and then summed exactly.
    """
    if dtype not in (Float64, Int64):
        raise DefinitionError(f"Sum('{column}') gives Float64 or Int64, not {dtype}.")
    return Aggregate("sum", column, over, where, dtype, 0 if dtype == Int64 else scale)


def Mean(  # noqa: N802
    column: str, *, over: timedelta | None = None, where: str | None = None, scale: int = DEFAULT_SCALE
) -> Aggregate:
    """Mean of `column` as its exact sum over its count; null when no value is in the window."""
    total = Sum(column, over=over, where=where, scale=scale)
    return Aggregate("ratio", None, over, None, Float64, scale, (total, Count(column, over=over, where=where)))


def Stddev(  # noqa: N802
    column: str, *, over: timedelta | None = None, where: str | None = None, scale: int = DEFAULT_SCALE
) -> Aggregate:
    """Sample standard deviation (n - 1 below) of values rounded as for Sum; null for fewer than two."""
    return Aggregate("stddev", column, over, where, Float64, scale)


def Min(  # noqa: N802
    column: str, *, over: timedelta | None = None, where: str | None = None, dtype: DType = Float64
) -> Aggregate:
    """Least value of `column`, of any scalar type; null when none is in the window.

    -0.0 is less than 0.0, NaN greater than every number; texts are in the order of their UTF-8 bytes.
    """
    return Aggregate("min", column, over, where, _ordered("Min", column, dtype), 0)


def Max(  # noqa: N802
    column: str, *, over: timedelta | None = None, where: str | None = None, dtype: DType = Float64
) -> Aggregate:
    """Greatest value of `column`; the order is that of Min."""
    return Aggregate("max", column, over, where, _ordered("Max", column, dtype), 0)


def First(  # noqa: N802
    column: str, *, over: timedelta | None = None, where: str | None = None, dtype: DType = Float64
) -> Aggregate:
    """Earliest non-null value of `column` in the window; null when there is none.

    Of events at the same instant the first is the least by the source's tie-break columns, then by the columns that
    First and Last of the view read, as declared.
    """
    return Aggregate("first", column, over, where, _ordered("First", column, dtype), 0)


def Last(  # noqa: N802
    column: str, *, over: timedelta | None = None, where: str | None = None, dtype: DType = Float64
) -> Aggregate:
    """Latest non-null value of `column` in the window; ties as for First, the greatest winning."""
    return Aggregate("last", column, over, where, _ordered("Last", column, dtype), 0)


def Quantile(  # noqa: N802 - a declaration, all by keyword
    column: str,
    q: float | str | Decimal,
    *,
    over: timedelta | None = None,
    where: str | None = None,
    dtype: DType = Float64,
) -> Aggregate:
    """The value of rank `ceil(q * n)` among the n non-null ones, counted from 1; of q = 0 the least.

    It is one of the values, never between two of them, and of any scalar type; the order is that of Min. Null when no
    value is in the window. `q` is taken by its decimal spelling: 0.1 is a tenth.
    """
    try:
        share = Decimal(str(q))
    except InvalidOperation:
        share = Decimal("NaN")
    if not (share.is_finite() and 0 <= share <= 1):
        raise DefinitionError(f"Quantile('{column}', {q}): give q between 0 and 1.")
    spelled = format(share.normalize(), "f")
    return Aggregate("quantile", column, over, where, _ordered("Quantile", column, dtype), 0, q=spelled)


def LastN(  # noqa: N802 - a declaration, all by keyword
    column: str,
    n: int,
    *,
    over: timedelta | None = None,
    where: str | None = None,
    dtype: DType = Float64,
) -> Aggregate:
    """The latest n non-null values of `column`, the latest first; null when none is in the window. Ties as for Last.

    Args:
        column: Of the events.
        n: At most so many, 1 to 100.
        over: Length of the window.
        where: SQL condition on the events.
        dtype: Type of the column; the feature is an array of it.
    """
    return Aggregate("last_n", column, over, where, _listed("LastN", column, n, dtype), 0, n=n)


def TopK(  # noqa: N802 - a declaration, all by keyword
    column: str,
    k: int,
    *,
    over: timedelta | None = None,
    where: str | None = None,
    dtype: DType = Float64,
) -> Aggregate:
    """The k most frequent non-null values of `column`, the most frequent first, of equally frequent ones the least.

    Null when no value is in the window. Values are told apart by their bits, so that 0.0 and -0.0 are two.

    Args:
        column: Of the events.
        k: At most so many, 1 to 100.
        over: Length of the window.
        where: SQL condition on the events.
        dtype: Type of the column; the feature is an array of it.
    """
    return Aggregate("top_k", column, over, where, _listed("TopK", column, k, dtype), 0, n=k)


def _listed(name: str, column: str, n: int, dtype: DType) -> DType:
    if not 1 <= n <= _LONGEST_LIST:
        raise DefinitionError(f"{name}('{column}', {n}): give 1 to {_LONGEST_LIST:,} values.")
    return Array(_ordered(name, column, dtype))


def _ordered(name: str, column: str, dtype: DType) -> DType:
    if dtype.element is not None or dtype.kind == "vector":
        raise DefinitionError(f"{name}('{column}') gives a scalar, not {dtype}.")
    return dtype


def Ratio(numerator: Aggregate, denominator: Aggregate, *, over: timedelta | None = None) -> Aggregate:  # noqa: N802
    """Numerator over denominator, as a double; null when the denominator is null or 0, or the numerator null."""
    parts = (numerator, denominator)
    if any(part.kind not in {"count", "count_distinct", "sum"} for part in parts):
        raise DefinitionError("A Ratio is made of Count, CountDistinct and Sum; it does not nest.")
    lengths = {part.over for part in parts if part.over is not None} | ({over} if over is not None else set())
    if len(lengths) > 1:
        raise DefinitionError(f"The parts of a Ratio look at different windows {sorted(lengths)}. Give `over` once.")
    length = lengths.pop() if lengths else None
    return Aggregate("ratio", None, length, None, Float64, 0, tuple(replace(part, over=length) for part in parts))
