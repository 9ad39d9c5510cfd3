"""Seeded values of every type, with the awkward ones drawn often."""

from __future__ import annotations

import math
import random
import string
import struct
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Context, Decimal
from typing import Any

from skewless.core import dtypes
from skewless.core.dtypes import DType

FEATURES: dict[str, DType] = {
    "a_bool": dtypes.Bool,
    "b_int32": dtypes.Int32,
    "c_int64": dtypes.Int64,
    "d_float32": dtypes.Float32,
    "e_float64": dtypes.Float64,
    "f_string": dtypes.String,
    "g_bytes": dtypes.Bytes,
    "h_date": dtypes.Date,
    "i_timestamp": dtypes.Timestamp,
    "j_decimal": dtypes.Decimal(38, 10),
    "k2_decimal": dtypes.Decimal(4, 2),
    "l_floats": dtypes.Array(dtypes.Float64),
    "m_strings": dtypes.Array(dtypes.String),
    "n_dates": dtypes.Array(dtypes.Date),
    "o_timestamps": dtypes.Array(dtypes.Timestamp),
    "p_decimals": dtypes.Array(dtypes.Decimal(9, 3)),
    "q_bytes": dtypes.Array(dtypes.Bytes),
    "r_bools": dtypes.Array(dtypes.Bool),
    "s_vector": dtypes.Vector(5),
    "t_one": dtypes.Vector(1),
}
_AWKWARD: dict[str, list[Any]] = {
    "int32": [0, -1, 2**31 - 1, -(2**31)],
    "int64": [0, -1, 2**63 - 1, -(2**63)],
    "float32": [math.nan, math.inf, -math.inf, 0.0, -0.0, 1.401298464324817e-45, 3.4028234663852886e38],
    "float64": [math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1 + 0.2],
    "string": ["", " ", "\0", "a:b|c,d", "ünïcödé", "漢字", "😀", "e\u0301", "NaN", "None", "'; DROP TABLE x; --"],
    "bytes": [b"", b"\0", b"\xff" * 5, b"a:b"],
    "date": [date(1, 1, 1), date(9999, 12, 31), date(1969, 12, 31), date(1970, 1, 1), date(2000, 2, 29)],
    "timestamp": [0, 1, -1, -62_135_596_800_000_000, 253_402_300_799_999_999, 1_506_902_400_123_457],
}


def value_of(draw: random.Random, dtype: DType) -> Any:
    """A value as the writer receives it: timestamps are microseconds."""
    if dtype.kind == "vector":
        return [value_of(draw, dtypes.Float32) for _ in range(dtype.length)]
    if dtype.element is not None:
        return [value_of(draw, dtype.element) for _ in range(draw.choice((0, 1, 1, 3)))]
    if dtype.kind == "decimal":
        return Decimal(_digits(draw, dtype)).scaleb(-dtype.scale, context=_WIDE)
    if dtype.kind in _AWKWARD and draw.random() < 0.5:
        return draw.choice(_AWKWARD[dtype.kind])
    return _ORDINARY[dtype.kind](draw)


def maybe(draw: random.Random, dtype: DType) -> Any:
    """As `value_of`, or null."""
    return None if draw.random() < 0.15 else value_of(draw, dtype)


def _digits(draw: random.Random, dtype: DType) -> int:
    edge = 10**dtype.precision - 1
    return draw.choice((0, 1, 100, edge, -edge, draw.randint(-edge, edge)))


def _float32(draw: random.Random) -> float:
    return float(struct.unpack(">f", struct.pack(">f", draw.uniform(-1e6, 1e6)))[0])


_WIDE = Context(prec=60)
_ORDINARY: dict[str, Callable[[random.Random], Any]] = {
    "bool": lambda draw: draw.random() < 0.5,
    "int32": lambda draw: draw.randint(-(2**31), 2**31 - 1),
    "int64": lambda draw: draw.randint(-(2**63), 2**63 - 1),
    "float32": _float32,
    "float64": lambda draw: draw.uniform(-1e9, 1e9),
    "string": lambda draw: "".join(draw.choices(string.printable + "äöü€", k=draw.randint(0, 12))),
    "bytes": lambda draw: draw.randbytes(draw.randint(0, 12)),
    "date": lambda draw: date(1, 1, 1) + timedelta(days=draw.randint(0, 3_652_058)),
    "timestamp": lambda draw: draw.randint(-62_135_596_800_000_000, 253_402_300_799_999_999),
}
