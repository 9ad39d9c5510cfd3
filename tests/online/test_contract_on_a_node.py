"""The contract's test vectors on a real node: it takes our literals, computes our tokens and keeps the bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby, zip_longest
from typing import Any

import pytest
from cassandra.query import UNSET_VALUE

from skewless.core.dtypes import DType, Int64, parse_dtype
from skewless.core.serving import ServedView
from skewless.core.time import from_us
from skewless.core.vector import Status
from skewless.online import cql
from tests.online.shop import T0, CassandraShop, rows_of
from tests.support.contract import VECTORS, parsed, spelled, status_rows, status_told, status_view

pytestmark = pytest.mark.cassandra

KEYS = {"-".join(types): list(cases) for types, cases in groupby(VECTORS["keys"], key=lambda case: case["types"])}
PACKED = {
    types: [case for case in VECTORS["packed"] if tuple(case["types"]) == types]
    for types in dict.fromkeys(tuple(case["types"]) for case in VECTORS["packed"])
}
VALUES = {dtype: list(cases) for dtype, cases in groupby(VECTORS["values"], key=lambda case: case["type"])}


@pytest.mark.parametrize("kind", KEYS)
def test_key_of_the_vectors_is_found_by_its_literal_and_has_its_token(cassandra_shop: CassandraShop, kind: str) -> None:
    shop, cases = cassandra_shop, KEYS[kind]
    dtypes = [parse_dtype(text) for text in cases[0]["types"]]
    keys = {f"k{place}": dtype for place, dtype in enumerate(dtypes)}
    view = shop.view("keyed", keys=keys, features={"x": Int64})
    entities = [tuple(map(parsed, dtypes, case["key"])) for case in cases]
    shop.put(view, 5, *((*entity, T0, "", place) for place, entity in enumerate(entities)))
    table, column = f"{cql.quoted(shop.target.keyspace)}.{cql.quoted(view.table)}", cql.quoted(cql.key_column(view))
    for place, case in enumerate(cases):
        question = f"SELECT token({column}), x FROM {table} WHERE {column} = {case['literal']}"
        assert list(shop.session.execute(question)) == [(int(case["token"]), place)], case


def valued(shop: CassandraShop) -> ServedView:
    """A view with one feature per type; user n has the n-th value of each, and null where there is none."""
    view = shop.view("valued", features={f"f{place}": parse_dtype(dtype) for place, dtype in enumerate(VALUES)})
    shop.serve(view)
    return view


def assert_told(shop: CassandraShop, view: ServedView) -> None:
    shop.publish((view, 5))
    users = range(max(map(len, VALUES.values())))
    batch = shop.client().get_many("svc", [{"user_id": user} for user in users])
    for (feature, dtype), cases in zip(view.features.items(), VALUES.values(), strict=True):
        values, statuses = batch.values[f"valued:{feature}"], batch.status[f"valued:{feature}"]
        wanted = [case["value"] for case in cases]
        assert [spelled(dtype, value) for value in values[: len(cases)]] == wanted, dtype
        assert list(statuses) == [Status.PRESENT if user < len(cases) else Status.NULL for user in users], dtype


def columns(of: Callable[[DType, dict[str, Any]], Any]) -> Iterator[tuple[Any, ...]]:
    """Per user what is made of the case of each type; None where there is none."""
    yield from zip_longest(*([of(parse_dtype(dtype), case) for case in cases] for dtype, cases in VALUES.items()))


def test_bytes_of_the_vectors_are_taken_by_the_node_and_read_as_their_value(cassandra_shop: CassandraShop) -> None:
    shop = cassandra_shop
    view = valued(shop)
    insert = shop.session.prepare(cql.insert_row(shop.target.keyspace, view))
    for user, cells in enumerate(columns(lambda _, case: bytes.fromhex(case["hex"]))):
        bound = insert.bind((user, 5, T0, UNSET_VALUE, *[UNSET_VALUE] * len(cells), 5))
        bound.values[4:-1] = [UNSET_VALUE if cell is None else cell for cell in cells]
        shop.session.execute(bound)
    assert_told(shop, view)


def test_values_of_the_vectors_are_written_read_and_verified(cassandra_shop: CassandraShop) -> None:
    shop = cassandra_shop
    view = valued(shop)
    cells = columns(lambda dtype, case: parsed(dtype, case["value"]))
    batch = rows_of(view, [(user, T0, "", *each) for user, each in enumerate(cells)])
    shop.write(view, 5, batch)
    assert shop.verify(view, 5, batch)["mismatches"] == 0
    assert_told(shop, view)


@pytest.mark.parametrize("cases", PACKED.values(), ids=[f"{len(types)}-{types[0]}" for types in PACKED])
def test_packed_rows_of_the_vectors_are_read_and_written_alike(
    cassandra_shop: CassandraShop, cases: list[dict[str, Any]]
) -> None:
    """User n has the bytes as they are, user n + 1000 what our writer makes of the values; what is no row is ERROR."""
    shop = cassandra_shop
    features = {f"f{place}": parse_dtype(dtype) for place, dtype in enumerate(cases[0]["types"])}
    view = shop.view("wide", features=features, layout="packed")
    shop.serve(view)
    insert = shop.session.prepare(cql.insert_row(shop.target.keyspace, view))
    for user, case in enumerate(cases):
        shop.session.execute(insert.bind((user, 5, T0, UNSET_VALUE, bytes.fromhex(case["hex"]), 5)))
    rows = {user: case["values"] for user, case in enumerate(cases) if case["values"] is not None}
    given = {
        user: [None if one is None else parsed(dtype, one) for dtype, one in zip(features.values(), row, strict=True)]
        for user, row in rows.items()
    }
    if rows:
        shop.put(view, 5, *((user + 1000, T0, "", *row) for user, row in given.items()))
    shop.publish((view, 5))
    asked = [*range(len(cases)), *(user + 1000 for user in rows)]
    batch = shop.client().get_many("svc", [{"user_id": user} for user in asked])
    for user, vector in zip(asked, batch, strict=True):
        row = rows.get(user % 1000)
        if row is None:
            assert set(vector.status.values()) == {Status.ERROR}
            continue
        told = zip(features.values(), vector.values.values(), strict=True)
        assert [None if one is None else spelled(dtype, one) for dtype, one in told] == row
        assert [status is Status.NULL for status in vector.status.values()] == [one is None for one in row]


def test_statuses_of_the_vectors_are_told_from_rows_of_the_node(cassandra_shop: CassandraShop) -> None:
    shop = cassandra_shop
    cases: list[dict[str, Any]] = VECTORS["statuses"]
    view = status_view(cases[0])
    shop.create(view)
    insert = shop.session.prepare(cql.insert_row(shop.target.keyspace, view))
    transport = shop.transport()
    try:
        for user, case in enumerate(cases):
            for generation, row in status_rows(case, user):
                cells = [UNSET_VALUE if cell is None else cell for cell in (row.event_us, row.state, *row.values)]
                shop.session.execute(insert.bind((user, generation, *cells, max(generation, 1))))
            assert status_told(case, transport, user) == case["expected"], case["name"]
    finally:
        transport.close()


@pytest.mark.parametrize("event_us", [-1, -1_500_001, -86_400_000_001])
def test_event_time_before_1970_is_told_to_the_microsecond(cassandra_shop: CassandraShop, event_us: int) -> None:
    shop = cassandra_shop
    view = shop.view("early", features={"x": Int64})
    shop.serve(view)
    shop.put(view, 5, (1, event_us, "", 7))
    shop.publish((view, 5))
    assert shop.client().get("svc", {"user_id": 1}).event_time == {"early": from_us(event_us)}
