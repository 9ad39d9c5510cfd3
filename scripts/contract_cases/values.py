"""Values: type and JSON spelling → bytes of the cell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contract_cases.wire import cql_type, value_bytes

_FLOAT32 = {
    "zero": "00000000", "minus zero": "80000000", "one": "3f800000", "a third": "3eaaaaab",
    "infinity": "7f800000", "minus infinity": "ff800000", "NaN": "7fc00000", "NaN with sign": "ffc00000",
    "NaN with payload": "7fc12345", "least subnormal": "00000001", "greatest": "7f7fffff",
}  # fmt: skip
_FLOAT64 = {
    "zero": "0000000000000000", "minus zero": "8000000000000000", "one": "3ff0000000000000",
    "0.1 + 0.2": "3fd3333333333334", "infinity": "7ff0000000000000", "minus infinity": "fff0000000000000",
    "NaN": "7ff8000000000000", "NaN with sign": "fff8000000000000", "NaN with payload": "7ff8000000abcdef",
    "least subnormal": "0000000000000001", "greatest": "7fefffffffffffff", "2**53 + 2": "4340000000000001",
}  # fmt: skip
_US = {
    "the epoch": "0", "one after it": "1", "one before it": "-1", "microseconds before 1970": "-1500001",
    "a day before 1970, less one": "-86400000001", "2017": "1506902400123457", "year 1": "-62135596800000000",
    "end of year 9999": "253402300799999999",
}  # fmt: skip
_SCALARS: dict[str, dict[str, Any]] = {
    "bool": {"false": False, "true": True},
    "int32": {"zero": 0, "minus one": -1, "least": -2147483648, "greatest": 2147483647},
    "int64": {
        "zero": "0", "minus one": "-1", "beyond a double": "9007199254740993", "least": "-9223372036854775808",
        "greatest": "9223372036854775807",
    },
    "float32": _FLOAT32,
    "float64": _FLOAT64,
    "string": {
        "empty, which is not null": "", "a space": " ", "zero character": "\u0000", "quotes": "it's \"so\"",
        "two bytes": "é", "two code points": "e\u0301", "three bytes": "漢字", "four bytes": "😀", "a word": "null",
        "line ends": "a\r\nb\n",
    },
    "bytes": {"empty, which is not null": "", "zero": "00", "no UTF-8": "ff80fe", "text": "613a62"},
    "date": {
        "the epoch": "1970-01-01", "the day before": "1969-12-31", "leap day": "2000-02-29", "first": "0001-01-01",
        "last": "9999-12-31",
    },
    "timestamp": _US,
    "decimal<5,2>": {
        "zero": "0.00", "one and a half, of scale 2": "1.50", "negative": "-0.01", "one byte": "1.27",
        "a byte for the sign": "1.28", "minus one byte": "-1.28", "greatest": "999.99", "least": "-999.99",
    },
    "decimal<38,10>": {
        "greatest": "9" * 28 + "." + "9" * 10, "least": "-" + "9" * 28 + "." + "9" * 10, "small": "0.0000000001",
    },
    "decimal<18,0>": {"no point": "123456789012345678", "zero": "0", "negative": "-255"},
}  # fmt: skip
_COMPOUND: dict[str, dict[str, Any]] = {
    "array<bool>": {"empty, which is not null": [], "two": [True, False]},
    "array<int32>": {"edges": [0, -1, 2147483647]},
    "array<int64>": {"edges": ["9223372036854775807", "-1"]},
    "array<float32>": {"special": list(_FLOAT32.values())},
    "array<float64>": {"empty, which is not null": [], "special": list(_FLOAT64.values())},
    "array<string>": {"empty, which is not null": [], "of an empty one": [""], "several": ["a", "", "漢字"]},
    "array<bytes>": {"of an empty one": [""], "several": ["ff", "", "0001"]},
    "array<date>": {"both sides of 1970": ["1969-12-31", "1970-01-01"]},
    "array<timestamp>": {"both sides of 1970": ["-1", "0", "-1500001"]},
    "array<decimal<9,3>>": {"of one scale": ["0.000", "-1.500", "999999.999"]},
    "vector<1>": {"minus zero": ["80000000"]},
    "vector<5>": {"special": ["7fc00000", "ff800000", "80000000", "00000001", "3f800000"]},
    "vector<384>": {"an embedding": [f"3f{place * 8191 % 65536:04x}00" for place in range(384)]},
}


def value_cases() -> Iterator[dict[str, Any]]:
    """Every value with its bytes."""
    for dtype, values in (_SCALARS | _COMPOUND).items():
        for name, value in values.items():
            content = value_bytes(dtype, value).hex()
            yield {"type": dtype, "cql_type": cql_type(dtype), "name": name, "value": value, "hex": content}
