"""Keys: typed parts → CQL literal, bytes of the partition key, token."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contract_cases.wire import cql_type, is_wrapped, key_bytes, literal, token

_INT64 = ["0", "1", "-1", "42", "128", "9007199254740993", "9223372036854775807", "-9223372036854775808"]
_TEXTS = [
    "",
    " ",
    "a",
    "it's",
    "a:b|c,d",
    "\u0000",
    "ünïcödé",
    "漢字",
    "😀",
    "e\u0301",
    "é",
    "NaN",
    "; DROP TABLE x; --",
]
_SINGLE: dict[str, list[Any]] = {
    "bool": [False, True],
    "int32": [0, 1, -1, 255, 2147483647, -2147483648],
    "int64": _INT64,
    # of 7 to 8, 15 to 17 and 31 to 33 letters: about the halves of a hash block, the length of the part included
    "string": _TEXTS + ["k" * size for size in (3, 4, 11, 12, 13, 19, 20, 21, 27, 28, 29, 100)] + ["ÿ" * 7],
    "bytes": ["", "00", "7f", "80", "ff", "ff" * 5, "613a62", "80" * 11, "80" * 12, "80" * 13, "fe" * 40],
    "date": ["1970-01-01", "1969-12-31", "2017-10-02", "2000-02-29", "0001-01-01", "9999-12-31"],
}
_COMPOSITE: list[tuple[list[str], list[list[Any]]]] = [
    (["string", "int64"], [["", "0"], ["a", "1"], ["it's", "-9223372036854775808"], ["漢字", "42"]]),
    # no separator: these seven entities differ
    (
        ["string", "string"],
        [["", ""], ["a", "b:c"], ["a:b", "c"], ["", "a:b:c"], ["a:b:c", ""], ["a\u0000", "b"], ["a", "\u0000b"]],
    ),
    (["bytes", "date"], [["", "1969-12-31"], ["ff00", "2017-10-02"]]),
    (["bool", "int32"], [[True, -1], [False, 0]]),
    (["int64", "int64"], [["1", "2"], ["2", "1"]]),
    (
        ["bytes", "date", "int32", "bool", "string"],
        [["", "1970-01-01", 0, False, ""], ["80ff", "9999-12-31", -2147483648, True, "ünïcödé"]],
    ),
]


def key_cases() -> Iterator[dict[str, Any]]:
    """Every key with what a reader must make of it."""
    for kind, values in _SINGLE.items():
        for value in values:
            yield _case([kind], [value])
    for types, keys in _COMPOSITE:
        for key in keys:
            yield _case(types, key)


def _case(types: list[str], key: list[Any]) -> dict[str, Any]:
    parts = ", ".join(literal(dtype, part) for dtype, part in zip(types, key, strict=True))
    columns = ", ".join(map(cql_type, types))
    partition = key_bytes(types, key)
    return {
        "types": types,
        "key": key,
        "cql_type": f"frozen<tuple<{columns}>>" if is_wrapped(types) else columns,
        "literal": f"({parts})" if is_wrapped(types) else parts,
        "hex": partition.hex(),
        "token": str(token(partition)),
    }
