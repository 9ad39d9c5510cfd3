from __future__ import annotations

import random
from datetime import timedelta

import pytest

from skewless.core import dtypes
from skewless.core.vector import Status
from tests.online.shop import SECOND, T0, Shop


def test_get_many_keeps_order_and_duplicates(shop: Shop) -> None:
    view = shop.view()
    shop.serve(view)
    shop.put(view, 5, *((user, T0, "", float(user), user) for user in range(100)))
    shop.publish((view, 5))
    draw = random.Random(3)
    users = [draw.choice([*range(100), 1000, None]) for _ in range(300)]
    batch = shop.client().get_many("svc", ({"user_id": user} for user in users))
    expected = [user if user is not None and user < 100 else None for user in users]
    assert list(batch.values["spend:visits"]) == expected
    assert [status is Status.NOT_FOUND for status in batch.status["spend:visits"]] == [
        value is None for value in expected
    ]
    assert len(batch) == 300
    assert batch.to_dicts()[7] == {
        "user_id": users[7],
        "spend:spend": None if expected[7] is None else float(expected[7]),
        "spend:visits": expected[7],
    }


def test_get_many_equals_get_for_each_key(shop: Shop) -> None:
    one, two = shop.view("one", ttl=timedelta(seconds=5)), shop.view("two")
    shop.serve(one, two)
    shop.put(one, 5, (1, T0, "", 1.0, None), (2, T0 - 5 * SECOND, "", 2.0, 2), (3, T0, "deleted", None, None))
    shop.put(two, 6, (1, T0, "", 1.5, 1), (4, None, "absent", None, None))
    shop.publish((one, 5), (two, 6))
    client = shop.client()
    requests = [{"user_id": user} for user in (1, 2, 3, 4, 5, None)]
    assert [client.get("svc", keys) for keys in requests] == list(client.get_many("svc", requests))


def test_get_many_without_keys_is_empty(shop: Shop) -> None:
    view = shop.view()
    shop.serve(view)
    shop.publish((view, 5))
    batch = shop.client().get_many("svc", [])
    assert (len(batch), batch.to_dicts(), list(batch)) == (0, [], [])
    assert batch.values.keys() == {"spend:spend", "spend:visits"}


def test_get_many_of_ten_thousand_keys_answers_every_one(shop: Shop) -> None:
    view = shop.view()
    shop.serve(view)
    shop.put(view, 5, *((user, T0, "", float(user), user) for user in range(0, 10_000, 7)))
    shop.publish((view, 5))
    batch = shop.client(deadline_ms=20_000.0).get_many("svc", [{"user_id": user} for user in range(10_000)])
    assert list(batch.values["spend:visits"]) == [None if user % 7 else user for user in range(10_000)]
    assert set(batch.status["spend:visits"]) == {Status.PRESENT, Status.NOT_FOUND}


def test_service_picks_features_in_its_own_order_over_interleaved_views(shop: Shop) -> None:
    one, two = shop.view("one"), shop.view("two")
    pairs = [("two", "visits"), ("one", "visits"), ("two", "spend")]
    shop.serve(one, two, features=pairs)
    for view in (one, two):
        shop.put(view, 5, (1, T0, "", 1.0, 10 if view is one else 20))
    shop.publish((one, 5), (two, 5))
    vector = shop.client().get("svc", {"user_id": 1})
    assert list(vector.values.items()) == [("two:visits", 20), ("one:visits", 10), ("two:spend", 1.0)]


def test_service_over_two_entities_reads_each_by_its_own_keys(shop: Shop) -> None:
    users = shop.view("users")
    shops = shop.view("shops", keys={"shop": dtypes.String, "floor": dtypes.Int32}, features={"size": dtypes.Int32})
    shop.serve(users, shops)
    shop.put(users, 5, (1, T0, "", 1.0, 1), (2, T0, "", 2.0, 2))
    shop.put(shops, 5, ("x", 0, T0, "", 10), ("x", 1, T0, "", 11))
    shop.publish((users, 5), (shops, 5))
    batch = shop.client().get_many(
        "svc", [{"user_id": user, "shop": "x", "floor": floor} for user, floor in ((2, 1), (1, 1), (9, 0))]
    )
    assert list(batch.values["users:visits"]) == [2, 1, None]
    assert list(batch.values["shops:size"]) == [11, 11, 10]


def test_batch_to_numpy_masks_what_is_not_present_and_keeps_nan(shop: Shop) -> None:
    np = pytest.importorskip("numpy")
    view = shop.view(features={"x": dtypes.Float64, "n": dtypes.Int64, "s": dtypes.String})
    shop.serve(view)
    shop.put(view, 5, (1, T0, "", float("nan"), 2**53 + 1, "a"), (2, T0, "", None, None, None))
    shop.publish((view, 5))
    arrays = shop.client().get_many("svc", [{"user_id": user} for user in (1, 2, 3)]).to_numpy()
    assert arrays["spend:x"].mask.tolist() == [False, True, True]
    assert np.isnan(arrays["spend:x"][0])
    assert arrays["spend:n"].dtype == np.dtype("int64")
    assert arrays["spend:n"][0] == 2**53 + 1
    assert arrays["spend:s"].tolist() == ["a", None, None]


def test_batch_to_arrow_has_the_declared_types(shop: Shop) -> None:
    pa = pytest.importorskip("pyarrow")
    view = shop.view(features={"t": dtypes.Timestamp, "v": dtypes.Vector(2), "d": dtypes.Decimal(9, 2)})
    shop.serve(view)
    shop.publish((view, 5))
    table = shop.client().get_many("svc", [{"user_id": 1}]).to_arrow()
    assert table.schema.types == [pa.timestamp("us", tz="UTC"), pa.list_(pa.float32(), 2), pa.decimal128(9, 2)]
