"""Values of windows: codes of any scalar type, what is chosen of a range of them, and columns of results; numpy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Code:
    """Values of any scalar type as integers in the same order, equal only for the same bits.

    Attributes:
        codes: One per value.
        dictionary: The different values in order; None for types whose bits are their code.
        type: Of the values.
    """

    codes: Integers
    dictionary: pa.Array | None
    type: pa.DataType

    @staticmethod
    def of(values: pa.ChunkedArray) -> Code:
        """Encode values, none of them null."""
        if pa.types.is_floating(values.type):
            numbers = values.cast(pa.float64()).to_numpy()
            bits = np.where(np.isnan(numbers), np.nan, numbers).view(np.int64)
            return Code(_in_order(bits), None, values.type)
        if any(of_kind(values.type) for of_kind in (pa.types.is_integer, pa.types.is_timestamp, pa.types.is_boolean)):
            return Code(integers(values.cast(pa.int64())), None, values.type)
        encoded = values.combine_chunks().dictionary_encode()
        order = pc.sort_indices(encoded.dictionary)
        places = np.empty(len(order), dtype=np.int64)
        places[order.to_numpy()] = np.arange(len(order))
        return Code(places[encoded.indices.to_numpy()], encoded.dictionary.take(order), values.type)

    def values(self, codes: Integers, absent: Flags) -> pa.Array:
        """Decode; null where absent."""
        if self.dictionary is not None:
            return self.dictionary.take(pa.array(codes, mask=absent))
        if pa.types.is_floating(self.type):
            return pa.array(_in_order(codes).view(np.float64), mask=absent).cast(self.type)
        return pa.array(codes, mask=absent).cast(self.type)


@dataclass(frozen=True, slots=True)
class Column:
    """A feature at the looked-at ticks: numbers, or codes of values, and where there are any."""

    numbers: npt.NDArray[np.int64] | npt.NDArray[np.float64]
    present: Flags
    code: Code | None = None

    def differs(self) -> Flags:
        """Where it is not the same, to the bit, as one place before; the first place is not told."""
        bits = np.where(self.present, self.numbers.view(np.int64), 0)
        differs: Flags = (bits[1:] != bits[:-1]) | (self.present[1:] != self.present[:-1])
        return differs

    def arrow(self, places: Flags) -> pa.Array:
        """Some places, as Arrow."""
        numbers, absent = self.numbers[places], ~self.present[places]
        if self.code is None:
            return pa.array(numbers, mask=absent)
        return self.code.values(numbers.astype(np.int64, copy=False), absent)


@dataclass(frozen=True, slots=True)
class Lists:
    """A feature of several values at the looked-at ticks.

    Attributes:
        codes: Place → codes of its values, then zeros.
        lengths: Place → how many values it has.
        code: Of the values.
    """

    codes: npt.NDArray[np.int64]
    lengths: Integers
    code: Code

    @property
    def present(self) -> Flags:
        """Where there are any."""
        present: Flags = self.lengths > 0
        return present

    def differs(self) -> Flags:
        """Where it is not the same, to the bit, as one place before; the first place is not told."""
        differs: Flags = (self.codes[1:] != self.codes[:-1]).any(axis=1) | (self.lengths[1:] != self.lengths[:-1])
        return differs

    def arrow(self, places: Flags) -> pa.Array:
        """Some places, as Arrow."""
        lengths = self.lengths[places]
        flat = self.codes[places][np.arange(self.codes.shape[1]) < lengths[:, None]]
        offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
        values = self.code.values(flat, np.zeros(len(flat), dtype=bool))
        return pa.ListArray.from_arrays(pa.array(offsets), values, mask=pa.array(lengths == 0))


def _in_order(bits: Integers) -> Integers:
    """Bits of doubles as integers of the same order, and back: of negative ones all but the sign turn round."""
    return bits ^ ((bits >> 63) & _LARGEST)


def selected(codes: Integers, begins: Integers, ends: Integers, *, kind: str) -> Integers:
    """The first, last, least or greatest code of each range; any code for an empty one."""
    if len(codes) == 0:
        return np.zeros(len(begins), dtype=np.int64)
    if kind in {"first", "last"}:
        return codes[np.clip(begins if kind == "first" else ends - 1, 0, len(codes) - 1)]
    # a sparse table: level k holds the winners of 2**k codes from each place on; two of them cover any range
    better = np.minimum if kind == "min" else np.maximum
    lengths = ends - begins
    found = np.zeros(len(begins), dtype=np.int64)
    level, width = codes, 1
    while True:
        here = (lengths >= width) & (lengths < 2 * width)
        found[here] = better(level[begins[here]], level[ends[here] - width])
        if 2 * width > lengths.max(initial=0):
            return found
        level, width = better(level[:-width], level[width:]), 2 * width


def ranked(codes: Integers, begins: Integers, ends: Integers, *, share: Fraction) -> Integers:
    """The code of rank `ceil(share * n)` of each range of n, counted from 1, at least 1; any code for an empty one."""
    found = np.zeros(len(begins), dtype=np.int64)
    for place in np.flatnonzero(ends > begins):
        some = codes[begins[place] : ends[place]]
        rank = max(1, math.ceil(share * len(some)))
        found[place] = np.partition(some, rank - 1)[rank - 1]
    return found


def latest(codes: Integers, begins: Integers, ends: Integers, *, at_most: int) -> tuple[Integers, Integers]:
    """The last codes of each range, the last first, and how many they are."""
    lengths = np.minimum(ends - begins, at_most)
    columns = np.arange(lengths.max(initial=0))
    is_in = columns < lengths[:, None]
    places = np.where(is_in, ends[:, None] - 1 - columns, 0)
    return np.where(is_in, codes[places] if len(codes) else 0, 0), lengths


def most_frequent(codes: Integers, begins: Integers, ends: Integers, *, at_most: int) -> tuple[Integers, Integers]:
    """The most frequent codes of each range, of equally frequent ones the least first, and how many they are."""
    found = np.zeros((len(begins), at_most), dtype=np.int64)
    lengths = np.zeros(len(begins), dtype=np.int64)
    for place in np.flatnonzero(ends > begins):
        different, counts = np.unique(codes[begins[place] : ends[place]], return_counts=True)
        # a stable sort leaves equally frequent ones in the order of their codes
        chosen = different[np.argsort(-counts, kind="stable")[:at_most]]
        lengths[place] = len(chosen)
        found[place, : len(chosen)] = chosen
    return found, lengths


def deviations(numbers: Integers, begins: Integers, ends: Integers, *, units: int) -> npt.NDArray[np.float64]:
    """Sample standard deviations of ranges of whole numbers of units; 0 for fewer than two of them.

    Sums of squares are Python's integers, so that only the last division and the root round.
    """
    exact = numbers.astype(object)
    sums = np.concatenate((np.zeros(1, dtype=object), np.cumsum(exact)))
    squares = np.concatenate((np.zeros(1, dtype=object), np.cumsum(exact * exact)))
    found = np.zeros(len(begins))
    for place in np.flatnonzero(ends - begins > 1):
        first, end = begins[place], ends[place]
        count, total = int(end - first), sums[end] - sums[first]
        above = count * (squares[end] - squares[first]) - total * total
        found[place] = math.sqrt(above / (count * (count - 1) * units * units))
    return found


def integers(column: pa.ChunkedArray) -> Integers:
    """A column without nulls, as 64-bit integers."""
    return np.asarray(column.to_numpy(), dtype=np.int64)
