"""Packed views beside typed ones: the same answers, and damaged bytes are an error and never a value."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from skewless.core import dtypes
from skewless.core.serving import ServedView
from skewless.core.vector import Status
from skewless.online.errors import StoreRefused
from skewless.online.memory import MemoryStore
from skewless.online.packing import Packer
from skewless.online.strays import rows_of as all_rows_of
from tests.online.shop import SECOND, T0, CassandraShop, MemoryShop, Rows, Shop, rows_of
from tests.online.values import FEATURES, maybe
from tests.support.bits import same_bits

_MIXED = {"a": dtypes.String, "b": dtypes.Float64, "c": dtypes.Date, "d": dtypes.Array(dtypes.Date), "e": dtypes.Int32}


@pytest.fixture
def layout() -> str:
    return "packed"


def damage(shop: Shop, view: ServedView, user: int, generation: int, content: bytes | None) -> None:
    """Put other bytes into a row, behind the writer's back."""
    if isinstance(shop, MemoryShop):
        rows = table_of(shop.store, view)[(user,)]
        rows[generation] = replace(rows[generation], values=(content,))
        return
    assert isinstance(shop, CassandraShop)
    table = f'"{shop.target.keyspace}"."{view.table}"'
    update = shop.session.prepare(f'UPDATE {table} USING TIMESTAMP ? SET "packed" = ? WHERE "user_id" = ? AND gen = ?')
    shop.session.execute(update, (generation + 1, content, user, generation))


def table_of(store: MemoryStore, view: ServedView) -> dict[Any, Any]:
    return store._tables[view.table]


@pytest.mark.parametrize("seed", [71, 72])
def test_packed_view_answers_what_its_typed_twin_does(shop: Shop, seed: int) -> None:
    draw = random.Random(seed)
    packed, typed = (
        shop.view("packed_one", features=FEATURES),
        shop.view("typed_one", features=FEATURES, layout="typed"),
    )
    names = draw.sample(sorted(FEATURES), 9)
    for view in (packed, typed):
        shop.serve(view, service=view.name)
        shop.serve(view, service=f"part_of_{view.name}", features=[(view.name, name) for name in names])
    rows = [(user, T0, "", *(maybe(draw, dtype) for dtype in FEATURES.values())) for user in range(40)]
    rows += [(40, T0, "deleted", *[None] * len(FEATURES)), (41, None, "absent", *[None] * len(FEATURES))]
    for view in (packed, typed):
        shop.put(view, 5, *rows)
    shop.publish((packed, 5), (typed, 5))
    client, asked = shop.client(), [{"user_id": user} for user in range(43)]
    for prefix in ("", "part_of_"):
        one, other = (client.get_many(f"{prefix}{view.name}", asked) for view in (packed, typed))
        assert same_bits(told(one.values), told(other.values))
        assert told(one.status) == told(other.status)
        for user in (0, 40, 41, 42):
            single = client.get(f"{prefix}packed_one", {"user_id": user})
            assert same_bits(told(single.values), told(one[user].values))
            assert told(single.status) == told(one[user].status)


def told(columns: Mapping[str, Any]) -> dict[str, Any]:
    """By the name of the feature alone; lists, for a column is a tuple or a list."""
    return {
        name.partition(":")[2]: list(column) if isinstance(column, tuple) else column
        for name, column in columns.items()
    }


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"\0" * 40,
        Packer({"spend": dtypes.Float64}).pack([1.0]),
        Packer({"spend": dtypes.Float64, "visits": dtypes.Int64}).pack([1.0, 2])[:-1] + b"\3",
    ],
    ids=["none", "empty", "zeros", "of-other-features", "one-byte-changed"],
)
def test_damaged_row_is_an_error_for_its_entity_alone(shop: Shop, content: bytes | None) -> None:
    view = shop.view()
    shop.serve(view)
    rows = [(user, T0, "", float(user), user) for user in range(5)]
    shop.put(view, 5, *rows)
    damage(shop, view, 3, 5, content)
    shop.publish((view, 7))
    client = shop.client()
    batch = client.get_many("svc", [{"user_id": user} for user in (2, 3, 4, 3)])
    assert list(batch.values["spend:spend"]) == [2.0, None, 4.0, None]
    for name in ("spend:spend", "spend:visits"):
        assert list(batch.status[name]) == [Status.PRESENT, Status.ERROR, Status.PRESENT, Status.ERROR]
    alone = client.get("svc", {"user_id": 3})
    assert set(alone.status.values()) == {Status.ERROR}
    assert set(alone.values.values()) == {None}
    assert (alone.event_time, alone.age) == ({"spend": None}, {"spend": None})
    (why,) = client.explain("svc", {"user_id": 3}).views
    assert (why.generation, why.row_generation) == (7, 5)
    assert "Generation 5 is the newest row" in why.reason
    assert "damaged" in why.reason
    found = shop.verify(view, 5, rows_of(view, rows))
    assert (found["checked"], found["mismatches"]) == (5, 2 if content is None else 1)  # a cell each, or the row
    assert "user_id=3" in found["first"][0]


def test_damaged_row_that_is_withheld_anyway_is_as_any_other(shop: Shop) -> None:
    view = shop.view(ttl=timedelta(seconds=10))
    shop.serve(view)
    shop.put(view, 5, (1, T0, "", 1.0, 1), (2, T0, "deleted", 1.0, 1))
    for user in (1, 2):
        damage(shop, view, user, 5, b"")
    shop.publish((view, 5))
    shop.clock.instant_us = T0 + 10 * SECOND
    batch = shop.client().get_many("svc", [{"user_id": user} for user in (1, 2)])
    assert list(batch.status["spend:spend"]) == [Status.EXPIRED, Status.DELETED]


def test_verification_names_the_feature_of_a_packed_row_that_differs(shop: Shop) -> None:
    view = shop.view(features=_MIXED)
    stored = (1, T0, "", "a", -0.0, None, [], 1)
    shop.put(view, 5, stored)
    found = shop.verify(view, 5, rows_of(view, [(1, T0, "", "b", 0.0, None, [], 1)]))
    assert found["mismatches"] == 2
    assert "a is 'a' online, 'b' in the served table" in found["first"][0]
    assert "b is -0.0 online, 0.0 in the served table" in found["first"][1]
    gone = shop.verify(view, 5, rows_of(view, [(1, T0, "deleted", None, None, None, None, None)]))
    assert gone["mismatches"] == 5  # _state, and each value that is not null


def test_packed_rows_are_purged_and_swept(shop: Shop) -> None:
    view = shop.view()
    shop.serve(view)
    for generation in (3, 5, 7):
        shop.put(view, generation, (1, T0, "", float(generation), 1))
    shop.sweep(view, Rows({"user_id": [1], "_keep_gen": [5]}))
    shop.purge(view, 7, Rows({"user_id": [1]}))
    for number, (generation, spend) in enumerate([(9, 5.0), (4, None)]):
        shop.clock.instant_us = T0 + number
        shop.publish((view, generation), at_us=T0 + number)
        assert shop.client().get("svc", {"user_id": 1}).values["spend:spend"] == spend


@pytest.mark.cassandra
def test_inquiry_reads_packed_rows_and_leaves_damaged_ones_out(cassandra_shop: CassandraShop) -> None:
    shop = cassandra_shop
    view = shop.view(features={"at": dtypes.Timestamp, "no": dtypes.Int64}, layout="packed")
    for generation in (3, 5):
        shop.put(view, generation, (1, T0, "", 1, generation))
    shop.put(view, 7, (1, None, "absent", None, None))
    damage(shop, view, 1, 3, b"")
    found = list(all_rows_of(shop.session, shop.target.keyspace, view, (1,)))
    assert [(generation, event_us) for generation, event_us, _ in found] == [(7, None), (5, T0)]
    assert found[0][2] == (None, None)
    assert found[1][2][1] == 5


@pytest.mark.cassandra
def test_packed_and_typed_tables_of_one_view_are_never_taken_for_each_other(cassandra_shop: CassandraShop) -> None:
    shop = cassandra_shop
    typed = shop.view()
    shop.put(typed, 5, (1, T0, "", 1.0, 1))
    shop.serve(replace(typed, layout="packed"))
    shop.publish((typed, 5))
    with pytest.raises(StoreRefused, match="packed"):
        shop.client().get("svc", {"user_id": 1})
