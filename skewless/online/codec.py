"""Our types ↔ the driver's values, exact in both directions.

Only timestamps and dates differ: a timestamp is a count of microseconds in the store and an aware datetime for
clients; the driver takes a `date` and gives its own `Date` back.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from operator import index
from typing import Any, SupportsIndex

from skewless.core.dtypes import DType
from skewless.core.resolver import ABSENT, DELETED
from skewless.core.time import from_us, to_us
from skewless.online.errors import BadKeys, BadRow

#: An entity's key parts in the order of the entity's keys; equal exactly when the entities are.
Key = tuple[Any, ...]

STATES: Mapping[str, int | None] = {"": None, DELETED: 1, ABSENT: 2}
STATE_DELETED, STATE_ABSENT = 1, 2
_EPOCH_DAY = date(1970, 1, 1)
_BOUNDS = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
_NATIVE = {"bool": bool, "string": str, "bytes": bytes}


def checked_part(name: str, dtype: DType, value: object) -> object:
    """Return one key part as the plain Python value that identifies the entity.

    Raises:
        BadKeys: It is not of the declared type, or out of its range.
    """
    kind = dtype.kind
    if kind in _BOUNDS:
        return _checked_integer(name, kind, value)
    if kind == "date":
        if type(value) is date:
            return value
    elif isinstance(value, _NATIVE[kind]):
        if isinstance(value, str) and not value.isascii():
            _check_text(name, value)
        return value
    raise BadKeys(f"Key '{name}' must be {kind}, not {type(value).__name__} {value!r}. Convert it first.")


def _check_text(name: str, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadKeys(f"Key '{name}' is {value!r}, which holds half a character. No such entity can exist.") from None


def _checked_integer(name: str, kind: str, value: object) -> int:
    if type(value) is int:
        number = value
    elif isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise BadKeys(f"Key '{name}' must be {kind}, not {type(value).__name__} {value!r}. Convert it first.")
    else:
        number = index(value)
    low, high = _BOUNDS[kind]
    if not low <= number <= high:
        raise BadKeys(f"Key '{name}' must be {kind}, but {number} is out of its range. No such entity can exist.")
    return number


def partition_bytes(keys: Mapping[str, DType], key: Key, *, is_wrapped: bool) -> bytes:
    """The partition key as Cassandra hashes it."""
    parts = [_part_bytes(dtype.kind, part) for dtype, part in zip(keys.values(), key, strict=True)]
    if not is_wrapped:
        return parts[0]
    return b"".join(struct.pack(">i", len(part)) + part for part in parts)


def _part_bytes(kind: str, part: Any) -> bytes:
    if kind == "string":
        return bytes(part.encode())
    if kind == "bytes":
        return bytes(part)
    if kind == "date":
        return struct.pack(">I", (part - _EPOCH_DAY).days + 2**31)
    return struct.pack({"bool": ">?", "int32": ">i", "int64": ">q"}[kind], part)


def key_from_driver(value: Any, *, is_wrapped: bool) -> Key:
    """The key of a row that was read."""
    return tuple([_plain_date(part) for part in (value if is_wrapped else (value,))])


def key_decoder(keys: Mapping[str, DType], *, is_wrapped: bool) -> Callable[[Any], Key]:
    """As `key_from_driver`, with what can be known of a table beforehand."""
    if any(dtype.kind == "date" for dtype in keys.values()):
        return lambda value: key_from_driver(value, is_wrapped=is_wrapped)
    return tuple if is_wrapped else _alone


def _alone(value: Any) -> Key:
    return (value,)


def encoder(dtype: DType) -> Callable[[Any], Any] | None:
    """How a feature's value becomes the driver's; None when it already is."""
    if dtype.kind == "timestamp":
        return _timestamp_us
    if dtype.element is not None and dtype.element.kind == "timestamp":
        return _each(_timestamp_us)
    return None


def decoder(dtype: DType) -> Callable[[Any], Any] | None:
    """How a value that was read becomes the client's; None when it already is."""
    plain = {"timestamp": from_us, "date": _plain_date}
    if dtype.element is not None:
        element = plain.get(dtype.element.kind)
        return None if element is None else _each(element)
    return plain.get(dtype.kind)


def state_code(state: object) -> int | None:
    """The stored code of a row's `_state`.

    Raises:
        BadRow: It is none of ours.
    """
    try:
        return STATES[state or ""]  # type: ignore[index] # anything else ends below
    except (KeyError, TypeError):
        raise BadRow(f"A served row has _state {state!r}. It must be '', 'deleted' or 'absent'.") from None


def same_bits(dtype: DType, one: Any, other: Any) -> bool:
    """True when two stored values are the same bits: −0.0 is not 0.0, NaN is itself, 1.0 is not 1.00."""
    if one is None or other is None:
        return one is other
    if dtype.kind == "decimal":
        return bool(one.as_tuple() == other.as_tuple())
    if dtype.is_float:
        return (one == other and one != 0.0) or _float_bits(dtype.kind, (one,)) == _float_bits(dtype.kind, (other,))
    if dtype.kind == "vector":
        return _float_bits("float32", one) == _float_bits("float32", other)
    if dtype.element is not None:
        element = dtype.element
        return len(one) == len(other) and all(map(lambda a, b: same_bits(element, a, b), one, other))
    return bool(one == other)


def _float_bits(kind: str, numbers: Sequence[float]) -> bytes:
    return struct.pack(f">{len(numbers)}{'f' if kind == 'float32' else 'd'}", *numbers)


def _timestamp_us(value: Any) -> int:
    return to_us(value) if isinstance(value, datetime) else int(value)


def _plain_date(value: Any) -> Any:
    # The driver's own Date knows years beyond 9999; ours end there.
    days = getattr(value, "days_from_epoch", None)
    return value if days is None else _EPOCH_DAY + timedelta(days=days)


def _each(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda values: [convert(value) for value in values]
