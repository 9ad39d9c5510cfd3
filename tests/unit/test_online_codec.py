from __future__ import annotations

import math
import struct
from datetime import date, datetime, timezone
from decimal import Decimal

import pytest
from cassandra.cqltypes import lookup_casstype
from hypothesis import given
from hypothesis import strategies as st

from skewless.core import dtypes
from skewless.core.dtypes import DType
from skewless.core.serving import ServedView
from skewless.errors import UsageError
from skewless.online import cql
from skewless.online.codec import decoder, encoder, key_from_driver, partition_bytes, same_bits, state_code
from skewless.online.rows import served_rows
from tests.online.shop import Rows, rows_of

MARSHAL = {
    "bool": "BooleanType", "int32": "Int32Type", "int64": "LongType", "string": "UTF8Type", "bytes": "BytesType",
    "date": "SimpleDateType",
}  # fmt: skip
PARTS = {
    "bool": st.booleans(),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "string": st.text(st.characters(exclude_categories=["Cs"])),
    "bytes": st.binary(),
    "date": st.dates(),
}


def view_of(**keys: DType) -> ServedView:
    return ServedView("v", 1, "t", keys, {"x": dtypes.Int64}, None, None, "f")


@st.composite
def composite_keys(draw: st.DrawFn) -> tuple[dict[str, DType], tuple[object, ...]]:
    kinds = draw(st.lists(st.sampled_from(sorted(PARTS)), min_size=1, max_size=4))
    keys = {f"k{place}": DType(kind) for place, kind in enumerate(kinds)}
    return keys, tuple(draw(PARTS[kind]) for kind in kinds)


@given(composite_keys())
def test_partition_bytes_of_any_key_are_those_of_the_driver(case: tuple[dict[str, DType], tuple[object, ...]]) -> None:
    keys, key = case
    is_wrapped = cql.is_wrapped(view_of(**keys))
    names = ",".join(MARSHAL[dtype.kind] for dtype in keys.values())
    kind = lookup_casstype(f"FrozenType(TupleType({names}))" if is_wrapped else names)
    stored = key if is_wrapped else key[0]
    expected = kind.to_binary(stored, 4)
    assert partition_bytes(keys, key, is_wrapped=is_wrapped) == expected
    assert key_from_driver(kind.from_binary(expected, 4), is_wrapped=is_wrapped) == key


def test_table_of_a_single_number_key_uses_its_own_column() -> None:
    view = view_of(user_id=dtypes.Int64)
    assert '"user_id" bigint' in cql.create_table("ks", view)
    assert 'PRIMARY KEY (("user_id"), gen)) WITH CLUSTERING ORDER BY (gen DESC)' in cql.create_table("ks", view)


def test_table_of_a_single_text_key_wraps_it_because_cassandra_refuses_empty_ones() -> None:
    assert '"name" frozen<tuple<text>>' in cql.create_table("ks", view_of(name=dtypes.String))


def test_table_of_a_composite_key_has_one_tuple_column() -> None:
    view = view_of(a=dtypes.String, b=dtypes.Int64)
    assert '"k" frozen<tuple<text, bigint>>' in cql.create_table("ks", view)
    assert 'WHERE "k" IN ? AND gen <= ? PER PARTITION LIMIT 1' in cql.select_newest_of_many("ks", view, ("x",))


@pytest.mark.parametrize("name", ["", "A", "a b", 'a"b', "1a", "a" * 49, "a;b"])
def test_name_off_the_pattern_is_never_put_into_a_statement(name: str) -> None:
    with pytest.raises(UsageError):
        cql.quoted(name)


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (dtypes.Timestamp, "bigint"),
        (dtypes.Array(dtypes.Timestamp), "frozen<list<bigint>>"),
        (dtypes.Decimal(9, 2), "decimal"),
        (dtypes.Vector(3), "vector<float, 3>"),
        (dtypes.Array(dtypes.Float32), "frozen<list<float>>"),
        (dtypes.Date, "date"),
        (dtypes.Bool, "boolean"),
    ],
)
def test_type_name_of_our_type_is_one_that_keeps_every_value(dtype: DType, name: str) -> None:
    assert cql.type_name(dtype) == name


@given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
def test_timestamp_of_any_microsecond_survives_both_ways(instant_us: int) -> None:
    encode, decode = encoder(dtypes.Timestamp), decoder(dtypes.Timestamp)
    assert encode is not None
    assert decode is not None
    instant = decode(encode(instant_us))
    assert instant.tzinfo is timezone.utc
    assert encode(instant) == instant_us


def test_timestamp_without_a_zone_is_refused() -> None:
    encode = encoder(dtypes.Timestamp)
    assert encode is not None
    with pytest.raises(UsageError, match="no time zone"):
        encode(datetime(2017, 1, 1))  # noqa: DTZ001 - wrong on purpose


NAN = math.nan
OTHER_NAN = struct.unpack(">d", bytes.fromhex("7ff8000000000001"))[0]


@pytest.mark.parametrize(
    ("dtype", "one", "other", "is_same"),
    [
        (dtypes.Float64, NAN, NAN, True),
        (dtypes.Float64, NAN, OTHER_NAN, False),
        (dtypes.Float64, 0.0, -0.0, False),
        (dtypes.Float64, -0.0, -0.0, True),
        (dtypes.Float64, 1.5, 1.5, True),
        (dtypes.Float64, math.inf, math.inf, True),
        (dtypes.Float64, math.inf, -math.inf, False),
        (dtypes.Float64, None, NAN, False),
        (dtypes.Float64, None, None, True),
        (dtypes.Decimal(5, 2), Decimal("1.50"), Decimal("1.5"), False),
        (dtypes.Decimal(5, 2), Decimal("1.50"), Decimal("1.50"), True),
        (dtypes.Vector(2), [0.0, NAN], [0.0, NAN], True),
        (dtypes.Vector(2), [0.0, 1.0], [-0.0, 1.0], False),
        (dtypes.Array(dtypes.Float64), [], [], True),
        (dtypes.Array(dtypes.Float64), [], [0.0], False),
        (dtypes.Array(dtypes.Float64), [0.0], [-0.0], False),
        (dtypes.Array(dtypes.String), ["a", ""], ["a", ""], True),
        (dtypes.String, "", None, False),
        (dtypes.Bytes, b"a", b"b", False),
        (dtypes.Date, date(2017, 1, 1), date(2017, 1, 1), True),
    ],
)
def test_same_bits_of_two_cells_is_about_bits(dtype: DType, one: object, other: object, is_same: bool) -> None:
    assert same_bits(dtype, one, other) is is_same
    assert same_bits(dtype, other, one) is is_same


def test_state_of_a_row_has_one_code_each_and_others_are_refused() -> None:
    assert [state_code(state) for state in ("", None, "deleted", "absent")] == [None, None, 1, 2]
    for state in ("present", 1, ["deleted"]):
        with pytest.raises(UsageError, match="_state"):
            state_code(state)


def test_served_rows_without_a_promised_column_are_refused() -> None:
    view = view_of(user_id=dtypes.Int64)
    for column in ("user_id", "event_us", "_state", "x"):
        columns = rows_of(view, [(1, 5, "", 7)]).to_pydict()
        del columns[column]
        with pytest.raises(UsageError, match=column):
            list(served_rows(view, [Rows(columns)]))


@pytest.mark.parametrize("state", ["", "deleted"])
def test_served_row_without_event_time_is_refused_unless_absent(state: str) -> None:
    view = view_of(user_id=dtypes.Int64)
    with pytest.raises(UsageError, match="event_us"):
        list(served_rows(view, [rows_of(view, [(1, None, state, None)])]))
    assert list(served_rows(view, [rows_of(view, [(1, None, "absent", None)])]))


def test_served_row_with_a_null_key_is_refused() -> None:
    view = view_of(user_id=dtypes.Int64)
    with pytest.raises(UsageError, match="user_id"):
        list(served_rows(view, [rows_of(view, [(None, 5, "", 1)])]))
