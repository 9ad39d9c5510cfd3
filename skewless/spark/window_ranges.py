"""Windows as ranges of events: the value of a feature in each of them; numpy, no Spark.

A window is a range of a key's events: those that have entered it, less those that have left it. Both orders are the
order of time, so two binary searches give the range at any place, and what may be added and taken away (counts, exact
sums) is the difference of two running totals over the whole batch. Where one looks, at ticks or at observation times,
is the callers' matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import pyarrow as pa

from skewless.spark.window_values import (
    Code,
    Column,
    Flags,
    Integers,
    Lists,
    deviations,
    integers,
    latest,
    most_frequent,
    ranked,
    selected,
)

_LARGEST = 2**63 - 1
_CHOICES = frozenset({"min", "max", "first", "last", "quantile", "last_n", "top_k"})


@dataclass(frozen=True, slots=True)
class Part:
    """A plain aggregate over one window.

    Attributes:
        kind: count, count_distinct, sum, stddev, min, max, first, last, quantile, last_n or top_k.
        column: The input: null where an event does not take part. None is every event, for count alone.
        over_us: Length of the window.
        units: Units of a sum in one; 0 for a sum that stays an integer.
        n: How many values last_n and top_k give at most.
        q: Of a quantile, as a decimal number.
    """

    kind: str
    column: str | None
    over_us: int
    units: int = 0
    n: int = 0
    q: str = ""


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


class Windows:
    """The windows that end at the places looked at, as ranges of the events of a batch.

    A place is one number `key * width + instant`, in the order of both.
    """

    def __init__(
        self, owner: Integers, entered: Integers, leaving: Callable[[int], Integers], looked_at: Integers
    ) -> None:
        """Windows over events in the order of their keys and times.

        Args:
            owner: Of each event its key's number.
            entered: The first place at which it is in a window.
            leaving: Length of the window → the first place at which it no longer is.
            looked_at: The places.
        """
        self._owner, self._entered, self._leaving, self._looked_at = owner, entered, leaving, looked_at
        self._gone: dict[int, Integers] = {}

    @cached_property
    def _has_entered(self) -> Integers:
        return np.searchsorted(self._entered, self._looked_at, side="right")

    def _has_left(self, over_us: int) -> Integers:
        if over_us not in self._gone:
            self._gone[over_us] = np.searchsorted(self._leaving(over_us), self._looked_at, side="right")
        return self._gone[over_us]

    def ranges(self, is_in: Flags, over_us: int) -> tuple[Integers, Integers]:
        """The window at each place as a half-open range of the events that take part, counted over the batch."""
        before = np.concatenate(([0], np.cumsum(is_in)))
        return before[self._has_left(over_us)], before[self._has_entered]

    def every(self, over_us: int) -> tuple[Integers, Integers]:
        """The same when all events take part."""
        return self._has_left(over_us), self._has_entered

    def total(self, numbers: Integers, over_us: int) -> Integers:
        """Sums over the window at each place; those that pass 64 bits are wrong."""
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
        came = np.searchsorted(comes, self._looked_at, side="right")
        return came - np.searchsorted(goes, self._looked_at, side="right")


def feature(value: Value, windows: Windows, events: pa.Table) -> Column | Lists:
    """The value of a feature at the places looked at.

    Args:
        value: The feature.
        windows: The windows.
        events: The columns that parts read, a row per event of the windows.

    Raises:
        OverflowError: A sum of integers passes 64 bits.
    """
    if len(value.parts) == 1:
        return _part(value.parts[0], windows, events)
    above, below = (_number(part, windows, events) for part in value.parts)
    present = above.present & below.present & (below.numbers != 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = above.numbers.astype(np.float64) / below.numbers.astype(np.float64)
    return Column(np.where(present, quotient, 0.0), present)


def _part(part: Part, windows: Windows, events: pa.Table) -> Column | Lists:
    if part.column is not None and part.kind in _CHOICES:
        return _chosen(part, windows, events[part.column])
    return _number(part, windows, events)


def _chosen(part: Part, windows: Windows, taking: pa.ChunkedArray) -> Column | Lists:
    """One of the window's values, or several."""
    begins, ends = windows.ranges(np.asarray(taking.is_valid().to_numpy(), dtype=bool), part.over_us)
    code = Code.of(taking.drop_null())
    if part.kind in {"last_n", "top_k"}:
        several = latest if part.kind == "last_n" else most_frequent
        codes, lengths = several(code.codes, begins, ends, at_most=part.n)
        return Lists(codes, lengths, code)
    if part.kind == "quantile":
        return Column(ranked(code.codes, begins, ends, share=Fraction(part.q)), ends > begins, code)
    return Column(selected(code.codes, begins, ends, kind=part.kind), ends > begins, code)


def _number(part: Part, windows: Windows, events: pa.Table) -> Column:
    if part.column is None:
        begins, ends = windows.every(part.over_us)
        return Column(ends - begins, np.ones(len(begins), dtype=bool))
    taking = events[part.column]
    if part.kind == "count_distinct":
        numbers = windows.distinct(taking, part.over_us)
        return Column(numbers, np.ones(len(numbers), dtype=bool))
    is_in = np.asarray(taking.is_valid().to_numpy(), dtype=bool)
    begins, ends = windows.ranges(is_in, part.over_us)
    count = ends - begins
    if part.kind == "count":
        return Column(count, np.ones(len(count), dtype=bool))
    if part.kind == "sum":
        numbers = windows.exact_total(integers(taking.fill_null(0)), part.over_us)
        return Column(numbers / float(part.units) if part.units else numbers, count > 0)
    return Column(deviations(integers(taking.drop_null()), begins, ends, units=part.units or 1), count > 1)
