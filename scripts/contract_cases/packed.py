"""Packed rows: types and values of all features → the one blob that holds them; and blobs that must be refused."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from contract_cases.wire import value_bytes

_SLOT_BYTES = {"bool": 1, "int32": 4, "int64": 8, "float32": 4, "float64": 8, "date": 4, "timestamp": 8}


def packed_bytes(types: Sequence[str], values: Sequence[Any]) -> bytes:
    """A row as the contract page has it; None is null."""
    presence, slots, others = bytearray(-(-len(types) // 8)), b"", b""
    for place, (dtype, value) in enumerate(zip(types, values, strict=True)):
        if value is not None:
            presence[place // 8] |= 1 << place % 8
        if dtype in _SLOT_BYTES:
            slots += bytes(_SLOT_BYTES[dtype]) if value is None else value_bytes(dtype, value)
        elif value is not None:
            cell = value_bytes(dtype, value)
            others += struct.pack(">i", len(cell)) + cell
    return sealed(bytes(presence) + slots + others)


def sealed(body: bytes) -> bytes:
    """The checksum of some bytes, and they."""
    return struct.pack(">I", zlib.crc32(body)) + body


_MIXED = [
    "bool", "int32", "int64", "float32", "float64", "string", "bytes", "date", "timestamp", "decimal<5,2>",
    "array<string>", "array<float64>", "vector<2>",
]  # fmt: skip
_ROW: list[Any] = [
    True, -1, "9007199254740993", "7fc12345", "8000000000000000", "漢字", "ff00", "1969-12-31", "-1500001", "1.50",
    ["", "a"], ["7ff8000000abcdef"], ["80000000", "3f800000"],
]  # fmt: skip
_ROWS: dict[str, tuple[list[str], list[Any]]] = {
    "a value of every type": (_MIXED, _ROW),
    "nulls only": (_MIXED, [None] * len(_MIXED)),
    "nulls in slots": (_MIXED, [None if dtype in _SLOT_BYTES else _ROW[at] for at, dtype in enumerate(_MIXED)]),
    "nulls elsewhere": (_MIXED, [_ROW[at] if dtype in _SLOT_BYTES else None for at, dtype in enumerate(_MIXED)]),
    "empty, which is not null": (["string", "bytes", "array<int64>", "int32"], ["", "", [], None]),
    "zeros, which are not null": (["float64", "bool", "int32"], ["0000000000000000", False, 0]),
    "slots come before the rest, each in the order of the features": (
        ["string", "int32", "bytes", "int64"],
        ["a", 1, "02", "3"],
    ),
    "eight features have one byte of presence": (["bool"] * 8, [None] * 7 + [True]),
    "nine have two": (["bool"] * 9, [True] + [None] * 7 + [False]),
    "two hundred doubles": (["float64"] * 200, [None if at % 7 == 3 else f"3ff{at:013x}" for at in range(200)]),
    "one": (["decimal<38,0>"], ["-" + "9" * 38]),
}


def _damaged() -> Iterator[tuple[str, list[str], bytes]]:
    types: list[str] = ["int64", "string"]
    body = packed_bytes(types, ["1", "ab"])[4:]
    yield "nothing", types, b""
    yield "a checksum alone", types, b"\0\0\0\0"
    yield "another checksum", types, b"\0\0\0\0" + body
    yield "a value that was changed", types, sealed(body)[:-1] + b"c"
    yield "a row that was cut", types, sealed(body)[:-1]
    yield "a byte behind the last value", types, sealed(body + b"\0")
    yield "a length that goes beyond the end", types, sealed(body[:-3] + b"\3ab")
    yield "a length below zero", types, sealed(body[:9] + b"\xff\xff\xff\xff")
    # without a look at it the second value would be found in a slot, and the row end where it should
    back = b"\7" + b"\0\0\0\4" + b"\xff\xff\xff\xf8"
    yield "a length below zero that leads back", ["int32", "bytes", "bytes"], sealed(back)
    yield "a value too few", types, sealed(body[:9])
    yield "half a slot", types, sealed(b"\1" + body[1:5])
    yield "a feature that there is not", types, sealed(b"\7" + body[1:])
    yield "a slot that has no bytes", types, sealed(b"\0")
    yield "a text that is no UTF-8", ["string"], sealed(b"\1" + b"\0\0\0\1\xff")
    yield "a decimal without digits", ["decimal<5,2>"], sealed(b"\1" + b"\0\0\0\4" + b"\0\0\0\2")
    yield "a vector of another length", ["vector<2>"], sealed(b"\1" + b"\0\0\0\4" + bytes(4))
    yield "an array of fewer than it says", ["array<int32>"], sealed(b"\1" + b"\0\0\0\4" + b"\0\0\0\1")
    yield "an array of more than it says", ["array<int32>"], sealed(b"\1" + b"\0\0\0\5" + bytes(5))
    yield "an array of a null", ["array<int32>"], sealed(b"\1" + b"\0\0\0\x08" + b"\0\0\0\1\xff\xff\xff\xff")


def packed_cases() -> Iterator[dict[str, Any]]:
    """Every row with its bytes; `values` null: those bytes are no row, and nothing of them may be believed."""
    for name, (types, values) in _ROWS.items():
        yield {"name": name, "types": types, "values": values, "hex": packed_bytes(types, values).hex()}
    for name, types, content in _damaged():
        yield {"name": name, "types": types, "values": None, "hex": content.hex()}
