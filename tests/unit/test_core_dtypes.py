"""The closed set of types."""

from __future__ import annotations

import pytest

from skewless.core.dtypes import (
    Array,
    Bool,
    Bytes,
    Date,
    Decimal,
    DType,
    Float32,
    Float64,
    Int32,
    Int64,
    String,
    Timestamp,
    Vector,
    parse_dtype,
)  # fmt: skip
from skewless.errors import DefinitionError

ALL = (
    Bool, Int32, Int64, Float32, Float64, String, Bytes, Date, Timestamp,
    Decimal(1, 0), Decimal(38, 38), Vector(1), Vector(8192), Array(String), Array(Decimal(10, 2)), Array(Timestamp),
)  # fmt: skip


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_dtype_parse_reads_what_str_writes(dtype: DType) -> None:
    assert parse_dtype(str(dtype)) == dtype


def test_dtype_spellings_are_all_different() -> None:
    assert len({str(dtype) for dtype in ALL}) == len(set(ALL)) == len(ALL)
    assert [str(Decimal(10, 2)), str(Array(Int32)), str(Vector(3))] == ["decimal<10,2>", "array<int32>", "vector<3>"]


@pytest.mark.parametrize(
    "text",
    ["", "int", "INT64", "int64 ", "int64\n", "decimal", "decimal<10>", "decimal<a,b>", "decimal<1,2,3>", "decimal<,>",
     "decimal<39,0>", "decimal<0,0>", "decimal<5,6>", "decimal<-1,0>", "vector<0>", "vector<8193>", "vector<x>",
     "vector<>", "array<>", "array<int>", "array<array<int32>>", "array<vector<3>>", "map<string,int32>"],
)  # fmt: skip
def test_dtype_parse_of_any_other_text_is_a_definition_error(text: str) -> None:
    with pytest.raises(DefinitionError):
        parse_dtype(text)


@pytest.mark.parametrize(("precision", "scale"), [(0, 0), (39, 0), (5, 6), (5, -1)])
def test_dtype_decimal_out_of_bounds_is_refused(precision: int, scale: int) -> None:
    with pytest.raises(DefinitionError, match=r"does not exist\. Precision is 1 to 38"):
        Decimal(precision, scale)


@pytest.mark.parametrize("length", [0, -1, 8193])
def test_dtype_vector_out_of_bounds_is_refused(length: int) -> None:
    with pytest.raises(DefinitionError, match="1 to 8192"):
        Vector(length)


@pytest.mark.parametrize("element", [Array(Int32), Vector(3)], ids=str)
def test_dtype_nested_array_is_refused(element: DType) -> None:
    with pytest.raises(DefinitionError, match="nested"):
        Array(element)


def test_dtype_keys_are_those_whose_equality_leaves_no_doubt() -> None:
    assert {str(dtype) for dtype in ALL if dtype.is_key} == {"bool", "int32", "int64", "string", "bytes", "date"}


def test_dtype_numbers_are_integers_floats_and_decimals() -> None:
    numbers = {dtype.kind for dtype in ALL if dtype.is_numeric}
    assert numbers == {"int32", "int64", "float32", "float64", "decimal"}
    assert {dtype.kind for dtype in ALL if dtype.is_float} == {"float32", "float64"}
