from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from skewless.core import dtypes
from skewless.core.dtypes import DType
from skewless.core.time import from_us
from skewless.core.vector import Status
from tests.online.shop import T0, Shop, both_layouts, rows_of
from tests.online.values import FEATURES, maybe, value_of
from tests.support.bits import same_bits

pytestmark = both_layouts


def as_client(dtype: DType, value: Any) -> Any:
    """What a client must get for a value that the writer was given."""
    if value is None:
        return None
    if dtype.kind == "timestamp":
        return from_us(value)
    return [as_client(dtype.element, each) for each in value] if dtype.element is not None else value


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_values_of_all_types_come_back_bit_for_bit(shop: Shop, seed: int) -> None:
    draw = random.Random(seed)
    view = shop.view("wide", keys={"user_id": dtypes.Int64}, features=FEATURES)
    shop.serve(view)
    rows = [(user, T0, "", *(maybe(draw, dtype) for dtype in FEATURES.values())) for user in range(60)]
    assert shop.write(view, 5, rows_of(view, rows))["written"] == 60
    assert shop.verify(view, 5, rows_of(view, rows)) == {"checked": 60, "mismatches": 0, "first": []}
    shop.publish((view, 5))
    client = shop.client()
    batch = client.get_many("svc", [{"user_id": row[0]} for row in rows])
    single = client.get("svc", {"user_id": 0})
    for place, row in enumerate(rows):
        expected = {
            f"wide:{name}": as_client(dtype, value)
            for (name, dtype), value in zip(FEATURES.items(), row[3:], strict=True)
        }
        got = batch[place]
        assert same_bits(dict(got.values), expected)
        assert {n: s is Status.NULL for n, s in got.status.items()} == {n: v is None for n, v in expected.items()}
    assert same_bits(dict(single.values), dict(batch[0].values))


def test_verification_tells_values_apart_that_merely_compare_equal(shop: Shop) -> None:
    draw = random.Random(7)
    view = shop.view("wide", features=FEATURES)
    row = [value_of(draw, dtype) for dtype in FEATURES.values()]
    names = list(FEATURES)
    stored, served = list(row), list(row)
    for name, one, other in (
        ("d_float32", 0.0, -0.0),
        ("e_float64", -0.0, 0.0),
        ("k2_decimal", Decimal("1.50"), Decimal("1.5")),
        ("l_floats", [0.0], [-0.0]),
        ("s_vector", [0.0] * 5, [0.0, 0.0, -0.0, 0.0, 0.0]),
        ("m_strings", [], [""]),
        ("f_string", "", None),
    ):
        stored[names.index(name)], served[names.index(name)] = one, other
    shop.write(view, 5, rows_of(view, [(1, T0, "", *stored)]))
    assert shop.verify(view, 5, rows_of(view, [(1, T0, "", *served)]))["mismatches"] == 7


KEYS: dict[str, dict[str, DType]] = {
    "int32": {"a": dtypes.Int32},
    "int64": {"a": dtypes.Int64},
    "string": {"a": dtypes.String},
    "bytes": {"a": dtypes.Bytes},
    "date": {"a": dtypes.Date},
    "bool": {"a": dtypes.Bool},
    "texts": {"a": dtypes.String, "b": dtypes.String},
    "mixed": {"a": dtypes.Bytes, "b": dtypes.Date, "c": dtypes.Int32, "d": dtypes.Bool, "e": dtypes.String},
}


@pytest.mark.parametrize("kind", KEYS)
def test_keys_of_every_type_find_their_own_row(shop: Shop, kind: str) -> None:
    draw = random.Random(kind)
    keys = KEYS[kind]
    view = shop.view("keyed", keys=keys, features={"x": dtypes.Int64})
    shop.serve(view)
    drawn = {tuple(value_of(draw, dtype) for dtype in keys.values()) for _ in range(80)}
    entities = sorted(drawn, key=repr)
    shop.put(view, 5, *((*key, T0, "", place) for place, key in enumerate(entities)))
    shop.publish((view, 5))
    client = shop.client()
    requests = [dict(zip(keys, key, strict=True)) for key in entities]
    assert list(client.get_many("svc", requests).values["keyed:x"]) == list(range(len(entities)))
    assert [client.get("svc", request).values["keyed:x"] for request in requests[:5]] == [0, 1, 2, 3, 4][
        : len(entities)
    ]


def test_composite_keys_with_separators_are_never_confused(shop: Shop) -> None:
    view = shop.view("keyed", keys={"a": dtypes.String, "b": dtypes.String}, features={"x": dtypes.Int64})
    shop.serve(view)
    entities = [("a", "b:c"), ("a:b", "c"), ("", "a:b:c"), ("a:b:c", ""), ("a\0", "b"), ("a", "\0b"), ("", "")]
    shop.put(view, 5, *((*key, T0, "", place) for place, key in enumerate(entities)))
    shop.publish((view, 5))
    batch = shop.client().get_many("svc", [{"a": a, "b": b} for a, b in entities])
    assert list(batch.values["keyed:x"]) == list(range(len(entities)))


def test_arrow_batches_with_arrow_types_are_written_and_verified(shop: Shop) -> None:
    pa = pytest.importorskip("pyarrow")
    draw = random.Random(11)
    view = shop.view("wide", features=FEATURES)
    shop.serve(view)
    rows = [(user, T0, "", *(maybe(draw, dtype) for dtype in FEATURES.values())) for user in range(40)]
    columns = rows_of(view, rows).to_pydict()
    types = {
        "user_id": pa.int64(), "event_us": pa.int64(), "_state": pa.string(),
        **{name: arrow_type(pa, dtype) for name, dtype in FEATURES.items()},
    }  # fmt: skip
    batch = pa.RecordBatch.from_pydict({name: pa.array(column, type=types[name]) for name, column in columns.items()})
    shop.write(view, 5, batch)
    assert shop.verify(view, 5, batch) == {"checked": 40, "mismatches": 0, "first": []}
    shop.publish((view, 5))
    table = shop.client().get_many("svc", [{"user_id": user} for user in range(40)]).to_arrow()
    for name, dtype in FEATURES.items():
        expected = [as_client(dtype, value) for value in columns[name]]
        assert same_bits(table.column(f"wide:{name}").to_pylist(), expected), name


def arrow_type(pa: Any, dtype: DType) -> Any:
    if dtype.element is not None:
        return pa.list_(arrow_type(pa, dtype.element))
    if dtype.kind == "decimal":
        return pa.decimal128(dtype.precision, dtype.scale)
    return {
        "bool": pa.bool_(), "int32": pa.int32(), "int64": pa.int64(), "float32": pa.float32(),
        "float64": pa.float64(), "string": pa.string(), "bytes": pa.binary(), "date": pa.date32(),
        "timestamp": pa.int64(), "vector": pa.list_(pa.float32()),
    }[dtype.kind]  # fmt: skip
