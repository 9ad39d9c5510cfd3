"""Fuzzed round trips of what is wide, long, empty or odd; equal means equal bit for bit, payloads of NaN included."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from skewless.core import dtypes
from skewless.core.dtypes import DType
from skewless.core.serving import ServedView
from skewless.core.time import from_us
from skewless.core.vector import Status
from tests.online.shop import T0, Shop, both_layouts, rows_of
from tests.online.values import FEATURES, maybe, value_of
from tests.support.contract import spelled

pytestmark = both_layouts

MEGABYTE = 1_000_000
SCALARS: dict[str, DType] = {
    "bools": dtypes.Bool,
    "int32s": dtypes.Int32,
    "int64s": dtypes.Int64,
    "float32s": dtypes.Float32,
    "float64s": dtypes.Float64,
    "strings": dtypes.String,
    "bytes": dtypes.Bytes,
    "dates": dtypes.Date,
    "timestamps": dtypes.Timestamp,
    "decimals": dtypes.Decimal(38, 19),
}
NANS_64 = ["7ff8000000000000", "fff8000000000000", "7ff8000000abcdef", "ffffffffffffffff"]
NANS_32 = ["7fc00000", "ffc00000", "7fc12345", "ffffffff"]
ARRAYS = {name: dtypes.Array(dtype) for name, dtype in SCALARS.items()}


def float64(bits: str) -> float:
    return float(struct.unpack(">d", bytes.fromhex(bits))[0])


def float32(bits: str) -> float:
    return float(struct.unpack(">f", bytes.fromhex(bits))[0])


def as_client(dtype: DType, value: Any) -> Any:
    if dtype.element is not None:
        return [as_client(dtype.element, each) for each in value]
    return from_us(value) if dtype.kind == "timestamp" else value


def in_words(dtype: DType, value: Any) -> Any:
    return None if value is None else spelled(dtype, value)


def assert_come_back(shop: Shop, view: ServedView, rows: Sequence[Sequence[Any]]) -> None:
    """Write rows of (user, features…), verify them, read them one by one and together."""
    batch = rows_of(view, [(row[0], T0, "", *row[1:]) for row in rows])
    assert shop.write(view, 5, batch)["written"] == len(rows)
    assert shop.verify(view, 5, batch) == {"checked": len(rows), "mismatches": 0, "first": []}
    shop.publish((view, 5))
    client = shop.client(deadline_ms=20_000.0)
    together = client.get_many("svc", [{"user_id": row[0]} for row in rows])
    for place, row in enumerate(rows):
        wanted = dict(zip(view.features, row[1:], strict=True))
        assert_told(view, together[place].values, together[place].status, wanted)
    alone = client.get("svc", {"user_id": rows[0][0]})
    assert_told(view, alone.values, alone.status, dict(zip(view.features, rows[0][1:], strict=True)))


def assert_told(
    view: ServedView, values: Mapping[str, object], status: Mapping[str, Status], wanted: Mapping[str, Any]
) -> None:
    for name, dtype in view.features.items():
        value = wanted[name]
        expected = None if value is None else spelled(dtype, as_client(dtype, value))
        assert in_words(dtype, values[f"{view.name}:{name}"]) == expected, name
        assert status[f"{view.name}:{name}"] is (Status.NULL if value is None else Status.PRESENT), name


def served(shop: Shop, name: str, features: Mapping[str, DType]) -> ServedView:
    view = shop.view(name, features=dict(features))
    shop.serve(view)
    return view


def drawn(draw: random.Random, features: Mapping[str, DType], users: Iterable[int]) -> list[tuple[Any, ...]]:
    return [(user, *(maybe(draw, dtype) for dtype in features.values())) for user in users]


@pytest.mark.parametrize("seed", [21, 22])
def test_view_of_200_features_of_all_types_comes_back(shop: Shop, seed: int) -> None:
    kinds = [*FEATURES.values(), *ARRAYS.values()]
    features = {f"f{place:03}": kinds[place % len(kinds)] for place in range(200)}
    assert_come_back(shop, served(shop, "wide", features), drawn(random.Random(seed), features, range(40)))


@pytest.mark.parametrize("seed", [31, 32])
def test_arrays_of_every_element_type_come_back(shop: Shop, seed: int) -> None:
    draw = random.Random(seed)
    rows = drawn(draw, ARRAYS, range(40))
    rows.append((40, *([] for _ in ARRAYS)))
    rows.append((41, *([value_of(draw, dtype) for _ in range(500)] for dtype in SCALARS.values())))
    assert_come_back(shop, served(shop, "listed", ARRAYS), rows)


@pytest.mark.parametrize("length", [384, 768, 8192])
def test_embeddings_come_back(shop: Shop, length: int) -> None:
    draw = random.Random(length)
    features = {"first": dtypes.Vector(length), "second": dtypes.Vector(length)}
    assert_come_back(shop, served(shop, "embedded", features), drawn(draw, features, range(10)))


def test_decimals_of_every_precision_and_scale_come_back_with_their_scale(shop: Shop) -> None:
    draw = random.Random(41)
    shapes = [(precision, draw.randint(0, precision)) for precision in range(1, 39)]
    shapes += [(precision, scale) for precision in (1, 18, 19, 38) for scale in (0, precision)]
    features = {f"d{place}": dtypes.Decimal(*shape) for place, shape in enumerate(shapes)}
    view = served(shop, "exact", features)
    rows = [(user, *(value_of(draw, dtype) for dtype in features.values())) for user in range(30)]
    assert_come_back(shop, view, rows)
    back = shop.client().get("svc", {"user_id": 0}).values
    for name, dtype in features.items():
        number = back[f"exact:{name}"]
        assert isinstance(number, Decimal)
        assert number.as_tuple().exponent == -dtype.scale


def test_nan_keeps_its_sign_and_payload(shop: Shop) -> None:
    features = {"alone": dtypes.Float64, "listed": dtypes.Array(dtypes.Float64)}
    nans = [float64(bits) for bits in NANS_64]
    assert_come_back(shop, served(shop, "odd", features), [(user, nan, [nan, 0.0]) for user, nan in enumerate(nans)])
    back = shop.client().get_many("svc", [{"user_id": user} for user in range(len(nans))]).values["odd:alone"]
    assert [spelled(dtypes.Float64, nan) for nan in back] == NANS_64


def test_nan_of_32_bits_keeps_its_sign_and_payload(shop: Shop) -> None:
    features = {"alone": dtypes.Float32, "listed": dtypes.Array(dtypes.Float32), "embedded": dtypes.Vector(3)}
    nans = [float32(bits) for bits in NANS_32]
    rows = [(user, nan, [nan, -0.0], [nan, 1.0, nan]) for user, nan in enumerate(nans)]
    assert_come_back(shop, served(shop, "odd", features), rows)
    back = shop.client().get_many("svc", [{"user_id": user} for user in range(len(nans))]).values["odd:alone"]
    assert [spelled(dtypes.Float32, nan) for nan in back] == NANS_32


@pytest.mark.parametrize("dtype", [dtypes.Float64, dtypes.Float32], ids=str)
def test_zeros_and_infinities_of_both_signs_are_four_values(shop: Shop, dtype: DType) -> None:
    numbers = [0.0, -0.0, float("inf"), float("-inf")]
    view = served(shop, "signed", {"alone": dtype, "listed": dtypes.Array(dtype)})
    assert_come_back(shop, view, [(user, number, [number, -number]) for user, number in enumerate(numbers)])
    back = shop.client().get_many("svc", [{"user_id": user} for user in range(4)]).values["signed:alone"]
    assert len({spelled(dtype, number) for number in back}) == 4


def test_empty_values_are_present_and_nulls_are_null(shop: Shop) -> None:
    features = {"text": dtypes.String, "content": dtypes.Bytes, **ARRAYS}
    empty = ("", b"", *([] for _ in ARRAYS))
    assert_come_back(shop, served(shop, "empty", features), [(1, *empty), (2, *[None] * len(empty))])


def test_microseconds_before_1970_come_back_alone_and_in_lists(shop: Shop) -> None:
    draw = random.Random(51)
    instants = [-1, -999_999, -1_000_001, -1_500_001, -86_400_000_001, -62_135_596_800_000_000]
    instants += [draw.randint(-62_135_596_800_000_000, -1) for _ in range(30)]
    view = served(shop, "early", {"alone": dtypes.Timestamp, "listed": dtypes.Array(dtypes.Timestamp)})
    assert_come_back(shop, view, [(user, instant, [instant, 0]) for user, instant in enumerate(instants)])


def test_megabytes_come_back_beside_short_values(shop: Shop) -> None:
    draw = random.Random(61)
    features = {
        "text": dtypes.String,
        "content": dtypes.Bytes,
        "texts": dtypes.Array(dtypes.String),
        "count": dtypes.Int64,
    }
    wide = "漢" * (MEGABYTE // 3)
    rows = [
        (1, "x" * MEGABYTE, b"", [], 1),
        (2, "", draw.randbytes(MEGABYTE), [""], 2),
        (3, wide, None, ["y" * MEGABYTE, "", "z"], 3),
        (4, "short", b"short", ["short"], 4),
        *((user, None, draw.randbytes(MEGABYTE), None, user) for user in range(5, 10)),
    ]
    assert_come_back(shop, served(shop, "long", features), rows)
