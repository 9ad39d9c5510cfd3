"""Packed rows: what the contract's own encoder writes, and nothing that is not whole is ever believed."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from contract_cases.packed import packed_bytes, sealed
from hypothesis import given
from hypothesis import strategies as st

from skewless.core import dtypes
from skewless.core.dtypes import DType
from skewless.core.serving import ServedView
from skewless.online import cql
from skewless.online.codec import decoder, encoder
from skewless.online.errors import BadRow, DamagedRow
from skewless.online.packing import Packer, Unpacker
from skewless.online.rows import served_rows
from tests.online.shop import rows_of
from tests.support.contract import parsed, spelled
from tests.unit.test_contract_fuzz import values

#: (type, spelling) of each feature; None is null.
Row = list[tuple[DType, Any]]


@st.composite
def packed_rows(draw: st.DrawFn) -> Row:
    row = draw(st.lists(values(), min_size=1, max_size=20))
    is_null = draw(st.lists(st.booleans(), min_size=len(row), max_size=len(row)))
    return [(dtype, None if null else value) for (dtype, value), null in zip(row, is_null, strict=True)]


def types_of(row: Row) -> dict[str, DType]:
    return {f"f{place}": dtype for place, (dtype, _) in enumerate(row)}


def as_stored(dtype: DType, text: Any) -> Any:
    value, encode = None if text is None else parsed(dtype, text), encoder(dtype)
    return value if value is None or encode is None else encode(value)


def as_told(dtype: DType, value: Any) -> Any:
    decode = decoder(dtype)
    return None if value is None else spelled(dtype, value if decode is None else decode(value))


def by_the_contract(row: Row) -> bytes:
    return packed_bytes([str(dtype) for dtype, _ in row], [text for _, text in row])


@given(packed_rows())
def test_any_row_has_the_bytes_of_the_contract(row: Row) -> None:
    packed = Packer(types_of(row)).pack([as_stored(dtype, text) for dtype, text in row])
    assert packed == by_the_contract(row)


@given(packed_rows(), st.data())
def test_any_features_in_any_order_are_taken_out_of_any_row(row: Row, data: st.DataObject) -> None:
    features = types_of(row)
    wanted = data.draw(st.lists(st.sampled_from(sorted(features)), min_size=1, unique=True))
    told = Unpacker(features, wanted).unpack(by_the_contract(row))
    expected = [row[int(name[1:])] for name in wanted]
    assert [as_told(dtype, value) for (dtype, _), value in zip(expected, told, strict=True)] == [
        text for _, text in expected
    ]


@given(packed_rows(), st.data())
def test_any_changed_byte_is_noticed(row: Row, data: st.DataObject) -> None:
    content = bytearray(by_the_contract(row))
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DamagedRow):
        Unpacker(types_of(row), ["f0"]).unpack(bytes(content))


@given(packed_rows(), st.data())
def test_any_row_that_was_cut_or_grew_is_noticed_whatever_its_checksum_says(row: Row, data: st.DataObject) -> None:
    features, body = types_of(row), by_the_contract(row)[4:]
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    for other in (cut, body + data.draw(st.binary(min_size=1, max_size=9))):
        with pytest.raises(DamagedRow):
            Unpacker(features, ["f0"]).unpack(sealed(other))


@given(packed_rows(), st.binary(max_size=60))
def test_any_bytes_are_a_row_or_damaged_and_never_another_error(row: Row, content: bytes) -> None:
    features = types_of(row)
    told: tuple[Any, ...] | None = None
    with suppress(DamagedRow):
        told = Unpacker(features, tuple(features)).unpack(sealed(content))
    assert told is None or len(told) == len(features)


def test_row_without_bytes_is_damaged() -> None:
    with pytest.raises(DamagedRow, match="no bytes at all"):
        Unpacker({"x": dtypes.Int64}, ["x"]).unpack(None)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        (dtypes.Bool, 1),
        (dtypes.Bool, "false"),
        (dtypes.Int32, 2**31),
        (dtypes.Int32, 1.0),
        (dtypes.Int64, "1"),
        (dtypes.Float32, 1e39),
        (dtypes.Float64, "1.0"),
        (dtypes.String, b"a"),
        (dtypes.String, "\ud83d"),
        (dtypes.Bytes, 5),
        (dtypes.Bytes, [1, 2]),
        (dtypes.Bytes, "text"),
        (dtypes.Date, "2017-01-01"),
        (dtypes.Decimal(5, 2), Decimal("NaN")),
        (dtypes.Array(dtypes.Int64), [1, None]),
        (dtypes.Array(dtypes.String), 5),
        (dtypes.Array(dtypes.String), "text"),
        (dtypes.Vector(2), [1.0]),
        (dtypes.Vector(2), [1.0, None]),
    ],
    ids=str,
)
def test_value_that_is_not_of_its_type_is_refused_by_name_and_not_shown(dtype: DType, value: object) -> None:
    packer = Packer({"fine": dtypes.Int64, "odd": dtype, "last": dtypes.Date})
    with pytest.raises(BadRow, match=r"Feature 'odd' must be .* Convert it first") as caught:
        packer.pack((1, value, date(2017, 1, 1)))
    assert "\n" not in str(caught.value)


def wide(layout: Any) -> ServedView:
    features = {"x": dtypes.Float64, "y": dtypes.String}
    return ServedView("v", 1, "t", {"user_id": dtypes.Int64}, features, None, None, "f", layout)


def test_table_and_statements_of_a_packed_view_have_one_column_of_values() -> None:
    view = wide("packed")
    assert '("user_id" bigint, gen bigint, event_us bigint, state tinyint, "packed" blob, PRIMARY' in cql.create_table(
        "ks", view
    )
    assert '("user_id", gen, event_us, state, "packed") VALUES (?, ?, ?, ?, ?) USING' in cql.insert_row("ks", view)
    assert cql.select_newest("ks", view, ("y",)).startswith('SELECT gen, event_us, state, "packed" FROM')
    assert 'state, "packed", "user_id" FROM' in cql.select_newest_of_many("ks", view, ("y", "x"))
    assert cql.select_exactly("ks", view).startswith('SELECT "user_id", gen, event_us, state, "packed" FROM')
    assert cql.select_rows("ks", view).startswith('SELECT gen, event_us, "packed" FROM')


def test_served_row_has_packed_bytes_unless_it_is_gone_and_empty() -> None:
    rows = [
        (1, 5, "", None, None),
        (2, 5, "deleted", None, None),
        (3, None, "absent", None, None),
        (4, 5, "deleted", 1.0, None),
    ]
    stored = [row.values for row in served_rows(wide("packed"), [rows_of(wide("packed"), rows)])]
    nulls, one = (packed_bytes(["float64", "string"], values) for values in ([None, None], ["3ff0000000000000", None]))
    assert stored == [(nulls,), (None,), (None,), (one,)]
