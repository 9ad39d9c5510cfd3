"""Any value of any type: the driver writes the bytes that the contract's own encoder writes, and reads them back."""

from __future__ import annotations

import struct
from datetime import date
from typing import Any

from cassandra.cqltypes import lookup_casstype
from cassandra.metadata import Murmur3Token
from contract_cases.wire import token, value_bytes
from hypothesis import given
from hypothesis import strategies as st

from skewless.core import dtypes
from skewless.core.dtypes import DType
from skewless.online.codec import decoder, encoder
from tests.support.contract import parsed, spelled

MARSHAL = {
    "bool": "BooleanType", "int32": "Int32Type", "int64": "LongType", "float32": "FloatType", "float64": "DoubleType",
    "string": "UTF8Type", "bytes": "BytesType", "date": "SimpleDateType", "timestamp": "LongType",
    "decimal": "DecimalType",
}  # fmt: skip
_QUIET = 0x00400000


def float32_bits(bits: int) -> str:
    # A signalling NaN may be made quiet on its way through a 64-bit float; the contract allows that.
    is_nan = bits & 0x7F800000 == 0x7F800000 and bits & 0x007FFFFF
    return struct.pack(">I", bits | _QUIET if is_nan else bits).hex()


SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1).map(str),
    "float32": st.integers(0, 2**32 - 1).map(float32_bits),
    "float64": st.integers(0, 2**64 - 1).map(lambda bits: struct.pack(">Q", bits).hex()),
    "string": st.text(st.characters(exclude_categories=["Cs"])),
    "bytes": st.binary().map(bytes.hex),
    "date": st.dates().map(date.isoformat),
    "timestamp": st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999).map(str),
}


def decimal_text(unscaled: int, scale: int) -> str:
    digits = str(abs(unscaled)).rjust(scale + 1, "0")
    whole, behind = (digits[:-scale], digits[-scale:]) if scale else (digits, "")
    return ("-" if unscaled < 0 else "") + whole + ("." + behind if scale else "")


@st.composite
def scalars(draw: st.DrawFn) -> tuple[DType, st.SearchStrategy[Any]]:
    kind = draw(st.sampled_from([*SCALARS, "decimal"]))
    if kind != "decimal":
        return DType(kind), SCALARS[kind]
    precision = draw(st.integers(1, 38))
    scale, edge = draw(st.integers(0, precision)), 10**precision - 1
    return dtypes.Decimal(precision, scale), st.integers(-edge, edge).map(lambda number: decimal_text(number, scale))


@st.composite
def values(draw: st.DrawFn) -> tuple[DType, Any]:
    dtype, content = draw(scalars())
    shape = draw(st.sampled_from(["scalar", "array", "vector"]))
    if shape == "array":
        return dtypes.Array(dtype), draw(st.lists(content, max_size=5))
    if shape == "vector":
        length = draw(st.integers(1, 8))
        return dtypes.Vector(length), draw(st.lists(SCALARS["float32"], min_size=length, max_size=length))
    return dtype, draw(content)


def driver_type(dtype: DType) -> Any:
    return lookup_casstype(_marshal(dtype))


def _marshal(dtype: DType) -> str:
    if dtype.element is not None:
        return f"FrozenType(ListType({_marshal(dtype.element)}))"
    return f"VectorType(FloatType, {dtype.length})" if dtype.kind == "vector" else MARSHAL[dtype.kind]


@given(values())
def test_any_value_has_the_bytes_of_the_contract_and_comes_back(case: tuple[DType, Any]) -> None:
    dtype, text = case
    expected = value_bytes(str(dtype), text)
    encode, decode, kind = encoder(dtype), decoder(dtype), driver_type(dtype)
    value = parsed(dtype, text)
    assert kind.to_binary(value if encode is None else encode(value), 4) == expected
    read = kind.from_binary(expected, 4)
    assert spelled(dtype, read if decode is None else decode(read)) == text


@given(st.binary(max_size=100))
def test_token_of_any_bytes_is_the_drivers(partition: bytes) -> None:
    assert token(partition) == Murmur3Token.from_key(partition).value
