"""Types, bytes and tokens as the contract page writes them down: by hand, from the page alone.

A type is its canonical spelling (`int64`, `decimal<9,2>`, `array<string>`, `vector<3>`), a value what JSON says of it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from datetime import date
from typing import Any

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_MASK = 2**64 - 1
_C1, _C2 = 0x87C37B91114253D5, 0x4CF5AD432745937F
_SCALARS = {
    "bool": "boolean",
    "int32": "int",
    "int64": "bigint",
    "float32": "float",
    "float64": "double",
    "string": "text",
    "bytes": "blob",
    "date": "date",
    "timestamp": "bigint",
}


def element_of(dtype: str) -> str | None:
    """The type of an array's elements; None when it is no array."""
    found = re.fullmatch(r"array<(.+)>", dtype)
    return found[1] if found else None


def length_of(dtype: str) -> int | None:
    """The number of elements of a vector; None when it is none."""
    found = re.fullmatch(r"vector<(\d+)>", dtype)
    return int(found[1]) if found else None


def cql_type(dtype: str) -> str:
    """The column type that holds a type."""
    element, length = element_of(dtype), length_of(dtype)
    if element is not None:
        return f"frozen<list<{cql_type(element)}>>"
    if length is not None:
        return f"vector<float, {length}>"
    return "decimal" if dtype.startswith("decimal<") else _SCALARS[dtype]


def value_bytes(dtype: str, value: Any) -> bytes:
    """A value, given as JSON spells it, as the body of a cell in the native protocol."""
    element = element_of(dtype)
    if element is not None:
        cells = [value_bytes(element, each) for each in value]
        return struct.pack(">i", len(cells)) + b"".join(struct.pack(">i", len(cell)) + cell for cell in cells)
    if length_of(dtype) is not None:
        return b"".join(bytes.fromhex(each) for each in value)
    return _decimal(value) if dtype.startswith("decimal<") else _BYTES[dtype](value)


def _decimal(text: str) -> bytes:
    _, _, behind = text.partition(".")
    unscaled = int(text.replace(".", ""))
    size = 1
    while not -(2 ** (8 * size - 1)) <= unscaled < 2 ** (8 * size - 1):
        size += 1
    return struct.pack(">i", len(behind)) + unscaled.to_bytes(size, "big", signed=True)


_BYTES: dict[str, Callable[[Any], bytes]] = {
    "bool": lambda value: b"\1" if value else b"\0",
    "int32": lambda value: struct.pack(">i", value),
    "int64": lambda value: struct.pack(">q", int(value)),
    "float32": bytes.fromhex,
    "float64": bytes.fromhex,
    "string": lambda value: bytes(value.encode()),
    "bytes": bytes.fromhex,
    "date": lambda value: struct.pack(">I", 2**31 + date.fromisoformat(value).toordinal() - _EPOCH_DAY),
    "timestamp": lambda value: struct.pack(">q", int(value)),
}


def literal(dtype: str, value: Any) -> str:
    """A key part as CQL text."""
    if dtype == "bytes":
        return f"0x{value}"
    if dtype == "bool":
        return "true" if value else "false"
    return f"{value}" if dtype in {"int32", "int64"} else "'{}'".format(value.replace("'", "''"))


def is_wrapped(types: list[str]) -> bool:
    """True when the partition key is a tuple: several parts, or one that may be empty."""
    return len(types) > 1 or types[0] in {"string", "bytes"}


def key_bytes(types: list[str], key: list[Any]) -> bytes:
    """The partition key as Cassandra hashes it."""
    parts = [value_bytes(dtype, part) for dtype, part in zip(types, key, strict=True)]
    if not is_wrapped(types):
        return parts[0]
    return b"".join(struct.pack(">i", len(part)) + part for part in parts)


def token(partition: bytes) -> int:
    """Cassandra's Murmur3 token: the first half of MurmurHash3 x64 128, seed 0, with tail bytes taken as signed."""
    h1 = h2 = 0
    whole = len(partition) // 16 * 16
    for place in range(0, whole, 16):
        k1, k2 = struct.unpack_from("<QQ", partition, place)
        h1 = ((_rotated(h1 ^ _first(k1), 27) + h2) * 5 + 0x52DCE729) & _MASK
        h2 = ((_rotated(h2 ^ _second(k2), 31) + h1) * 5 + 0x38495AB5) & _MASK
    tail = partition[whole:]
    h2 ^= _second(_signed_little(tail[8:]))
    h1 ^= _first(_signed_little(tail[:8]))
    h1, h2 = h1 ^ len(partition), h2 ^ len(partition)
    h1 = (h1 + h2) & _MASK
    h2 = (h2 + h1) & _MASK
    signed: int = struct.unpack(">q", struct.pack(">Q", (_mixed(h1) + _mixed(h2)) & _MASK))[0]
    # The least token means "before every other", so no key has it.
    return 2**63 - 1 if signed == -(2**63) else signed


def _first(k1: int) -> int:
    return _rotated(k1 * _C1 & _MASK, 31) * _C2 & _MASK


def _second(k2: int) -> int:
    return _rotated(k2 * _C2 & _MASK, 33) * _C1 & _MASK


def _signed_little(tail: bytes) -> int:
    # The original takes bytes as unsigned. Cassandra's are Java's, and a negative one flips every bit above it.
    mixed = 0
    for place, byte in enumerate(tail):
        mixed ^= (byte - 256 if byte > 127 else byte) << 8 * place
    return mixed & _MASK


def _rotated(number: int, by: int) -> int:
    return (number << by | number >> (64 - by)) & _MASK


def _mixed(number: int) -> int:
    number = (number ^ number >> 33) * 0xFF51AFD7ED558CCD & _MASK
    number = (number ^ number >> 33) * 0xC4CEB9FE1A85EC53 & _MASK
    return number ^ number >> 33
