"""A row in one blob: presence bits, values of a fixed size in slots at fixed places, then the others by length.

    checksum (4) · presence (a bit per feature) · slots · per present value of another size: length (4), bytes

Each value is Cassandra's own bytes of its type. `docs/contract/online.md` has it for other languages.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from operator import itemgetter
from struct import Struct
from typing import Any
from zlib import crc32

from cassandra.cqltypes import DecimalType

from skewless.core.dtypes import DType
from skewless.online.errors import BadRow, DamagedRow

#: Types of a fixed size, as `struct` spells them. A null has a slot too, so that all slots keep their places.
_SLOTS = {"bool": "?", "int32": "i", "int64": "q", "float32": "f", "float64": "d", "date": "I", "timestamp": "q"}
_CHECKSUM_BYTES = 4
_LENGTH = Struct(">i")
_PROTOCOL = 4
_EPOCH_DAY, _EPOCH_NUMBER = date(1970, 1, 1), 2**31
_UNFIT = (struct.error, TypeError, ValueError, AttributeError, ArithmeticError)
_UNREADABLE = (struct.error, ValueError, ArithmeticError)


class Packer:
    """Packs the rows of a view."""

    def __init__(self, features: Mapping[str, DType]) -> None:
        self._features = features
        kinds = [dtype.kind for dtype in features.values()]
        self._slots = [place for place, kind in enumerate(kinds) if kind in _SLOTS]
        slotted = [kinds[place] for place in self._slots]
        self._prepared = [(slot, _PREPARED[kind]) for slot, kind in enumerate(slotted) if kind in _PREPARED]
        self._others = [
            (place, _to_bytes(dtype)) for place, dtype in enumerate(features.values()) if dtype.kind not in _SLOTS
        ]
        self._all_present = (1 << len(kinds)) - 1
        self._presence_bytes = -(-len(kinds) // 8)
        self._head = Struct(f">{self._presence_bytes}s{''.join(_SLOTS[kind] for kind in slotted)}")

    def pack(self, values: Sequence[Any]) -> bytes:
        """Pack a row.

        Args:
            values: As the driver takes them, in the order of the view's features; None is null.

        Raises:
            BadRow: A value is not of its feature's type.
        """
        try:
            body = self._body(values)
        except _UNFIT as error:
            raise _unfit(self._features, values, error) from error
        return crc32(body).to_bytes(_CHECKSUM_BYTES, "big") + body

    def _body(self, values: Sequence[Any]) -> bytes:
        present = self._all_present
        slots = [values[place] for place in self._slots]
        for slot, prepare in self._prepared:
            if slots[slot] is not None:
                slots[slot] = prepare(slots[slot])
        if None in values:
            present = sum([1 << place for place, value in enumerate(values) if value is not None])
            slots = [0 if value is None else value for value in slots]
        parts = [self._head.pack(present.to_bytes(self._presence_bytes, "little"), *slots)]
        for place, to_bytes in self._others:
            if values[place] is not None:
                content = to_bytes(values[place])
                parts += (_LENGTH.pack(len(content)), content)
        return b"".join(parts)


class Unpacker:
    """Takes some features out of the packed rows of a view.

    Args:
        features: Of the view, in its order.
        wanted: Those that are taken out, each once; the others are stepped over.
    """

    def __init__(self, features: Mapping[str, DType], wanted: Sequence[str]) -> None:
        asked = frozenset(wanted)
        placed = [(1 << place, name, dtype) for place, (name, dtype) in enumerate(features.items())]
        slots = [each for each in placed if each[2].kind in _SLOTS]
        others = [each for each in placed if each[2].kind not in _SLOTS]
        self._all_present = (1 << len(placed)) - 1
        codes = "".join(_slot_code(dtype.kind, is_wanted=name in asked) for _, name, dtype in slots)
        self._head = Struct(f">{_CHECKSUM_BYTES}x{-(-len(placed) // 8)}s{codes}")
        taken = [each for each in slots if each[1] in asked]
        self._bits = [bit for bit, _, _ in taken]
        self._dates = [slot for slot, (_, _, dtype) in enumerate(taken) if dtype.kind == "date"]
        self._others = [(bit, _from_bytes(dtype) if name in asked else None) for bit, name, dtype in others]
        order = [name for _, name, _ in [*taken, *others] if name in asked]
        self._arranged = _arrangement([order.index(name) for name in wanted])
        #: What a row without bytes holds, where one may be without.
        self.nothing: tuple[None, ...] = (None,) * len(order)

    def unpack(self, blob: bytes | None) -> tuple[Any, ...]:
        """The wanted values as the driver gives those of typed columns, dates as plain ones; None is null.

        Raises:
            DamagedRow: The bytes are not those of a row of the view.
        """
        if blob is None:
            raise DamagedRow(why="it has no bytes at all")
        if len(blob) < self._head.size:
            raise DamagedRow(why=f"it has {len(blob)} bytes, fewer than its view's {self._head.size}")
        if crc32(blob[_CHECKSUM_BYTES:]) != int.from_bytes(blob[:_CHECKSUM_BYTES], "big"):
            raise DamagedRow(why="its checksum is not that of its bytes")
        try:
            return self._arranged(self._values(blob))
        except _UNREADABLE as error:
            raise DamagedRow(why=f"{error}") from error

    def _values(self, blob: bytes) -> list[Any]:
        presence, *values = self._head.unpack_from(blob)
        present = int.from_bytes(presence, "little")
        if present > self._all_present:
            message = "it holds more features than its view has"
            raise ValueError(message)
        if present != self._all_present:
            values = [value if present & bit else None for bit, value in zip(self._bits, values, strict=True)]
        for slot in self._dates:
            values[slot] = None if values[slot] is None else _day_of(values[slot])
        return values + self._other_values(blob, present)

    def _other_values(self, blob: bytes, present: int) -> list[Any]:
        values, end = [], self._head.size
        for bit, from_bytes in self._others:
            content = None
            if present & bit:
                content, end = _cut(blob, end)
            if from_bytes is not None:
                values.append(None if content is None else from_bytes(content))
        if end != len(blob):
            message = "bytes follow its last value"
            raise ValueError(message)
        return values


def _slot_code(kind: str, *, is_wanted: bool) -> str:
    code = _SLOTS[kind]
    return code if is_wanted else f"{struct.calcsize(f'>{code}')}x"


def _arrangement(order: list[int]) -> Callable[[list[Any]], tuple[Any, ...]]:
    """How values in the order of the blob become those in the order that was asked for."""
    if order == list(range(len(order))):
        return tuple
    return itemgetter(*order)  # two at least: one alone is in order


def _cut(blob: bytes, begin: int) -> tuple[bytes, int]:
    """The bytes behind a length, and where they end."""
    (length,) = _LENGTH.unpack_from(blob, begin)
    begin += _LENGTH.size
    if not 0 <= length <= len(blob) - begin:
        message = f"a value of {length} bytes does not fit into it"
        raise ValueError(message)
    return blob[begin : begin + length], begin + length


def _unfit(features: Mapping[str, DType], values: Sequence[Any], error: Exception) -> BadRow:
    """Name the feature; its value stays out of the message, for it may be personal."""
    for (name, dtype), value in zip(features.items(), values, strict=False):
        try:
            Packer({name: dtype})._body((value,))
        except _UNFIT as why:
            message = f"Feature '{name}' must be {dtype}, but a {type(value).__name__} was given that is not: {why}."
            return BadRow(f"{message} Convert it first.")
    return BadRow(f"A row of {list(features)} cannot be packed: {error}. Give one value for each.")


def _number_of(day: date) -> int:
    return (day - _EPOCH_DAY).days + _EPOCH_NUMBER


def _day_of(number: int) -> date:
    return _EPOCH_DAY + timedelta(days=number - _EPOCH_NUMBER)


def _truth(value: object) -> bool:
    # `struct` takes anything for a truth.
    if not isinstance(value, bool):
        message = "neither True nor False"
        raise TypeError(message)
    return value


#: How a value becomes what `struct` packs.
_PREPARED: Mapping[str, Callable[[Any], Any]] = {"bool": _truth, "date": _number_of}


def _to_bytes(dtype: DType) -> Callable[[Any], bytes]:
    """A value → the body of a cell of its type."""
    if dtype.kind in _SLOTS:
        pack, prepare = Struct(f">{_SLOTS[dtype.kind]}").pack, _PREPARED.get(dtype.kind)
        return pack if prepare is None else lambda value: pack(prepare(value))
    if dtype.element is not None:
        return _array_to_bytes(_to_bytes(dtype.element))
    if dtype.kind == "vector":
        vector = Struct(f">{dtype.length}f")
        return lambda numbers: vector.pack(*numbers)
    return {"string": lambda text: text.encode(), "bytes": _as_bytes, "decimal": _decimal_to_bytes}[dtype.kind]


def _from_bytes(dtype: DType) -> Callable[[bytes], Any]:
    """The body of a cell → the value; anything but the bytes of a value is an error."""
    if dtype.kind in _SLOTS:
        unpack, is_date = Struct(f">{_SLOTS[dtype.kind]}").unpack, dtype.kind == "date"
        return lambda content: _day_of(unpack(content)[0]) if is_date else unpack(content)[0]
    if dtype.element is not None:
        return _array_from_bytes(_from_bytes(dtype.element))
    if dtype.kind == "vector":
        vector = Struct(f">{dtype.length}f")
        return lambda content: list(vector.unpack(content))
    plain: Mapping[str, Callable[[bytes], Any]] = {
        "string": bytes.decode,
        "bytes": bytes,
        "decimal": _decimal_from_bytes,
    }
    return plain[dtype.kind]


def _as_bytes(value: Any) -> bytes:
    # a number would be taken for a length, a list for the bytes themselves
    return bytes(memoryview(value))


def _decimal_to_bytes(value: Any) -> bytes:
    content: bytes = DecimalType.serialize(value, _PROTOCOL)
    return content


def _decimal_from_bytes(content: bytes) -> Any:
    return DecimalType.deserialize(content, _PROTOCOL)


def _array_to_bytes(element_to_bytes: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    def to_bytes(elements: Sequence[Any]) -> bytes:
        if isinstance(elements, str):
            message = "a text, not a sequence of elements"
            raise TypeError(message)
        parts = [_LENGTH.pack(len(elements))]
        for element in elements:
            content = element_to_bytes(element)
            parts += (_LENGTH.pack(len(content)), content)
        return b"".join(parts)

    return to_bytes


def _array_from_bytes(element_from_bytes: Callable[[bytes], Any]) -> Callable[[bytes], list[Any]]:
    def from_bytes(content: bytes) -> list[Any]:
        (count,), end = _LENGTH.unpack_from(content), _LENGTH.size
        elements = []
        for _ in range(count):
            part, end = _cut(content, end)
            elements.append(element_from_bytes(part))
        if count < 0 or end != len(content):
            message = f"an array of {count} elements ends at byte {end} of {len(content)}"
            raise ValueError(message)
        return elements

    return from_bytes
