"""The one comparison of values in the tests: equal means equal bit for bit, and its choices are these.

- None equals None and nothing else.
- Types count: 1, 1.0 and True are three values; so are "1" and b"1".
- A float equals a float of the same bits, so 0.0 differs from -0.0; every NaN equals every NaN.
- A decimal equals one of the same digits and the same scale: 1.0 differs from 1.00.
- bytes and bytearray of the same content are equal, and so are a list, a tuple and a Row of the same elements: engines
  differ in which of the two they hand out, and no type of ours tells them apart.
- Datetimes are equal when both are aware and mean the same instant, or both are naive and show the same.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable, Mapping
from datetime import datetime, timezone
from decimal import Decimal
from math import isnan
from typing import Any


def same_bits(one: object, other: object) -> bool:
    """True when two values (or rows, or lists of values) are equal bit for bit."""
    return bits(one) == bits(other)


def bits(value: object) -> Hashable:
    """A hashable stand-in for a value, equal to another exactly when the values are the same bits."""
    for kind, name, content in _CONTENTS:
        if isinstance(value, kind):
            return (name, content(value))
    return (type(value).__name__, value)


def _float(value: float) -> Hashable:
    return "nan" if isnan(value) else struct.pack(">d", value)


def _datetime(value: datetime) -> Hashable:
    return (True, value.astimezone(timezone.utc)) if value.tzinfo else (False, value)


def _map(value: Mapping[str, object]) -> Hashable:
    return tuple(sorted((name, bits(one)) for name, one in value.items()))


_CONTENTS: tuple[tuple[Any, str, Callable[[Any], Hashable]], ...] = (
    (float, "float", _float),
    (Decimal, "decimal", Decimal.as_tuple),
    (datetime, "datetime", _datetime),
    ((bytes, bytearray), "bytes", bytes),
    ((list, tuple), "list", lambda value: tuple(bits(one) for one in value)),
    (Mapping, "map", _map),
)
