"""What a WindowView's rows must be, by brute force: every tick, every window, every event, no tiles.

Decisions where the design leaves a choice (the lead knows of each):

- A row stands only where a value differs, bit for bit, from the tick before; before its first event a key has values
  of empty windows, so its first row is at the first tick (from `start_us` on) at which a value differs from those.
- Once all windows are empty, one row of empties stands (count 0, others null) until a value differs again.
- Events before `start_us` do count in the windows of later ticks; ticks before it are not evaluated.
- A double is summed as its shortest decimal spelling, rounded half away from zero at `scale` digits, and the sum is the
  double nearest to the exact decimal. An integer sum stays an integer. NaN and infinities have none: ValueError.
- A ratio divides the two values as they would be published, as doubles (a mean: the published sum by the count).
- Distinct doubles: NaN is one value, and 0.0 and -0.0 are the same one (equality of SQL, not of bits).
- `where` takes part only when it is True: neither False nor None (null).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import copysign, isfinite, sqrt
from typing import Any

from tests.support.bits import same_bits

Event = tuple[tuple[Any, ...], int, dict[str, Any]]
Where = Callable[[dict[str, Any]], "bool | None"]


@dataclass(frozen=True)
class Agg:
    """One aggregate over `[tick - over_us, tick)`.

    kind: count, sum, count_distinct, stddev, min, max, first, last, quantile, last_n, top_k or ratio; `ties` order
    events of one instant; `n` bounds last_n and top_k, `q` is a quantile's share as a decimal number;
    `column` None counts events; `scale` None sums integers as integers;
    `parts` are the numerator and the denominator of a ratio, with their own windows.
    """

    kind: str
    over_us: int
    column: str | None = None
    where: Where | None = None
    scale: int | None = None
    parts: tuple[Agg, ...] = ()
    ties: tuple[str, ...] = ()
    n: int = 0
    q: str = ""


def mean(column: str, over_us: int, *, scale: int = 6, where: Where | None = None) -> Agg:
    """A mean is the ratio of sum and count."""
    parts = (Agg("sum", over_us, column, where, scale), Agg("count", over_us, column, where))
    return Agg("ratio", over_us, parts=parts)


def window_values(
    events: Iterable[Event],
    aggregates: dict[str, Agg],
    *,
    every_us: int,
    offset_us: int = 0,
    through_us: int,
    start_us: int | None = None,
) -> list[Event]:
    """Rows (key, tick, feature → value) of every key through the last tick at or before `through_us`."""
    events = list(events)
    if not events:
        return []
    first_us = min(event_us for _, event_us, _ in events) if start_us is None else start_us
    rows = []
    for key in dict.fromkeys(key for key, _, _ in events):
        own = [(event_us, columns) for one, event_us, columns in events if one == key]
        before = {name: value_at([], one, 0) for name, one in aggregates.items()}
        for tick in ticks(first_us, through_us, every_us, offset_us):
            values = {name: value_at(own, one, tick) for name, one in aggregates.items()}
            if not same_bits(values, before):
                rows.append((key, tick, values))
            before = values
    return rows


def ticks(first_us: int, last_us: int, every_us: int, offset_us: int) -> Iterator[int]:
    """Every tick of `[first_us, last_us]`, both ends included."""
    return iter(range(first_us + (offset_us - first_us) % every_us, last_us + 1, every_us))


def value_at(own: list[tuple[int, dict[str, Any]]], aggregate: Agg, tick: int) -> Any:
    """The value of one aggregate over the events of one key at one tick."""
    if aggregate.kind == "ratio":
        return ratio(*(value_at(own, part, tick) for part in aggregate.parts))
    own = sorted(own, key=lambda event: (event[0], [place(event[1][name]) for name in aggregate.ties]))
    inside = [columns for event_us, columns in own if tick - aggregate.over_us <= event_us < tick]
    if aggregate.where is not None:
        inside = [columns for columns in inside if aggregate.where(columns) is True]
    if aggregate.column is None:
        return len(inside)
    found = [columns[aggregate.column] for columns in inside if columns[aggregate.column] is not None]
    return reduced(found, aggregate)


def reduced(found: list[Any], aggregate: Agg) -> Any:
    """The value of an aggregate over values in order, none of them null."""
    by_kind: dict[str, Callable[[list[Any]], Any]] = {
        "count": len,
        "count_distinct": lambda values: len({"nan" if one != one else one for one in values}),  # noqa: PLR0124 - only NaN
        "sum": lambda values: exact_sum(values, aggregate.scale) if values else None,
        "stddev": lambda values: deviation(values, aggregate.scale) if len(values) > 1 else None,
        "min": lambda values: min(values, key=place, default=None),
        "max": lambda values: max(values, key=place, default=None),
        "first": lambda values: values[0] if values else None,
        "last": lambda values: values[-1] if values else None,
        "quantile": lambda values: sorted(values, key=place)[rank(aggregate.q, len(values)) - 1] if values else None,
        "last_n": lambda values: values[::-1][: aggregate.n] or None,
        "top_k": lambda values: frequent(values)[: aggregate.n] or None,
    }
    return by_kind[aggregate.kind](found)


def rank(q: str, count: int) -> int:
    """The first rank, from 1, that has at least the share `q` of `count` values at or before it."""
    return next(one for one in range(1, count + 1) if Fraction(one, count) >= Fraction(q))


def frequent(values: list[Any]) -> list[Any]:
    """Different values, told apart by their place in the order: the most frequent first, then the least."""
    of_place: dict[Any, list[Any]] = {}
    for value in values:
        of_place.setdefault(place(value), []).append(value)
    return [of_place[one][0] for one in sorted(of_place, key=lambda one: (-len(of_place[one]), one))]


def place(value: Any) -> tuple[Any, ...]:
    """Where a value stands among others of its type: null, then numbers (-0.0 before 0.0), then NaN; texts by bytes."""
    if value is None:
        return (0,)
    if isinstance(value, float):
        return (2,) if value != value else (1, value, copysign(1.0, value))  # noqa: PLR0124 - only NaN differs
    return (1, value.encode()) if isinstance(value, str) else (1, value)


def deviation(values: list[float], scale: int | None) -> float:
    """The sample standard deviation of values as whole units, by its definition, in fractions until the root."""
    exact = [Fraction(units(value, scale or 0), 10 ** (scale or 0)) for value in values]
    middle = sum(exact) / len(exact)
    return sqrt(sum((one - middle) ** 2 for one in exact) / (len(exact) - 1))


def exact_sum(values: list[Any], scale: int | None) -> Any:
    """The sum in integer units of 10**-scale, as the nearest double; of integers as it is when scale is None."""
    if scale is None:
        return sum(values)
    return sum(units(value, scale) for value in values) / 10**scale  # Python divides integers to the nearest double


def units(value: float, scale: int) -> int:
    """A double as a count of 10**-scale, half away from zero."""
    if not isfinite(value):
        raise ValueError(f"{value} has no exact sum")
    return int(Decimal(str(value)).scaleb(scale).to_integral_value(rounding=ROUND_HALF_UP))


def ratio(numerator: float | None, denominator: float | None) -> float | None:
    """Numerator over denominator as doubles; null when there is nothing to divide, or nothing to divide by."""
    if numerator is None or denominator is None or denominator == 0:
        return None
    return float(numerator) / float(denominator)
