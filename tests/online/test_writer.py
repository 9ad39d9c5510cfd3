from __future__ import annotations

import dataclasses
import pickle
import time
from collections.abc import Iterator

import pytest

from skewless.core import dtypes
from skewless.core.vector import Status
from skewless.errors import StoreUnreachable
from skewless.online.connection import OnlineTarget, session_for
from skewless.online.errors import StoreRefused
from skewless.online.verify import verify_rows
from skewless.online.writer import purge_rows, write_rows
from tests.online.freezer import Freezer
from tests.online.shop import T0, CassandraShop, Rows, Shop, rows_of


def users(count: int) -> list[tuple[object, ...]]:
    return [(user, T0, "", float(user), user) for user in range(count)]


@pytest.mark.cassandra
@pytest.mark.parametrize(
    ("changes", "batches"),
    [
        ({"batch_statements": 20}, 5),
        ({"batch_statements": 7}, 15),
        ({"batch_statements": 1}, 100),
        ({"batch_bytes": 1}, 100),
        ({"batch_statements": 1000, "batch_bytes": 10**6}, 1),
    ],
)
def test_write_batches_keep_both_bounds_and_every_row(
    cassandra_shop: CassandraShop, changes: dict[str, int], batches: int
) -> None:
    view = cassandra_shop.view()
    target = dataclasses.replace(cassandra_shop.target, **changes)
    result = next(write_rows(target, view, 5, [rows_of(view, users(100))]))
    nodes = len(cassandra_shop.session.cluster.metadata.all_hosts())
    assert batches <= result["batches"] <= batches + nodes - 1
    assert (result["written"], result["retried"]) == (100, 0)
    assert cassandra_shop.verify(view, 5, rows_of(view, users(100)))["mismatches"] == 0


@pytest.mark.cassandra
def test_write_bytes_of_long_values_count_towards_the_bound(cassandra_shop: CassandraShop) -> None:
    view = cassandra_shop.view(features={"x": dtypes.String})
    rows = [(user, T0, "", "a" * 2400) for user in range(20)]
    assert cassandra_shop.write(view, 5, rows_of(view, rows))["batches"] >= 10


@pytest.mark.cassandra
def test_write_rate_above_the_cap_is_slowed(cassandra_shop: CassandraShop) -> None:
    view = cassandra_shop.view()
    target = dataclasses.replace(cassandra_shop.target, rows_per_second_cap=200)
    assert next(write_rows(target, view, 5, [rows_of(view, users(100))]))["seconds"] > 0.4


@pytest.mark.cassandra
def test_write_into_a_missing_table_is_refused_with_what_to_do(cassandra_shop: CassandraShop) -> None:
    view = dataclasses.replace(cassandra_shop.view(), table="never_created")
    for work in (write_rows, verify_rows, purge_rows):
        with pytest.raises(StoreRefused, match=r"never_created.*created by `apply`") as caught:
            next(work(cassandra_shop.target, view, 5, [rows_of(view, users(1))]))
        assert "\n" not in str(caught.value)


@pytest.mark.cassandra
def test_write_of_null_leaves_no_tombstone(cassandra_shop: CassandraShop) -> None:
    view = cassandra_shop.view()
    table = f'"{cassandra_shop.target.keyspace}"."{view.table}"'
    # A tombstone at write time 5 would hide this older cell.
    planted = f'UPDATE {table} USING TIMESTAMP 1 SET "spend" = 99 WHERE "user_id" = 1 AND gen = 5'
    cassandra_shop.session.execute(planted)
    cassandra_shop.put(view, 5, (1, T0, "", None, 1))
    statement = f'SELECT "spend", state, "visits" FROM {table}'
    assert cassandra_shop.session.execute(statement).one() == (99.0, None, 1)


@pytest.mark.cassandra
@pytest.mark.slow
def test_write_repeats_what_failed_while_the_node_was_frozen(cassandra_shop: CassandraShop, frozen: Freezer) -> None:
    view = cassandra_shop.view()
    target = dataclasses.replace(cassandra_shop.target, retries=8)

    def batches() -> Iterator[Rows]:
        yield rows_of(view, users(50))
        frozen.freeze(seconds=6.5)
        yield rows_of(view, users(300)[50:])

    result = next(write_rows(target, view, 5, batches()))
    assert result["written"] == 300
    assert result["retried"] > 0
    assert cassandra_shop.verify(view, 5, rows_of(view, users(300)))["mismatches"] == 0


@pytest.mark.cassandra
def test_write_whose_last_attempt_fails_raises_unreachable(cassandra_shop: CassandraShop, frozen: Freezer) -> None:
    view = cassandra_shop.view()
    target = dataclasses.replace(cassandra_shop.target, retries=0)
    next(write_rows(target, view, 4, [rows_of(view, users(1))]))
    frozen.freeze()
    began = time.monotonic()
    with pytest.raises(StoreUnreachable, match="write rows of"):
        next(write_rows(target, view, 5, [rows_of(view, users(30))]))
    assert time.monotonic() - began < 20


def test_target_travels_to_executors_and_back() -> None:
    target = OnlineTarget(("a", "b"), 9142, "ks", username="u", password="p")  # noqa: S106 - not a secret
    assert pickle.loads(pickle.dumps(target)) == target  # noqa: S301 - our own


@pytest.mark.cassandra
def test_session_of_a_target_is_opened_once_per_process(target: OnlineTarget) -> None:
    assert session_for(target) is session_for(dataclasses.replace(target))


def test_sweep_removes_what_no_retained_revision_can_see(shop: Shop) -> None:
    view = shop.view()
    shop.serve(view)
    for generation in (3, 5, 7, 9):
        shop.put(view, generation, *((user, T0, "", float(generation), 1) for user in (1, 2)))
    # The oldest retained revision points at 8: user 1 keeps 7 and later; user 2 was not swept.
    swept = shop.sweep(view, Rows({"user_id": [1], "_keep_gen": [7]}))
    assert swept["written"] == 1
    for generation, user, spend in [(9, 1, 9.0), (8, 1, 7.0), (6, 1, None), (6, 2, 5.0), (3, 2, 3.0)]:
        head = shop.timeline.read()
        number = 0 if head is None else head.current.number
        shop.clock.instant_us = T0 + number
        shop.publish((view, generation), at_us=T0 + number)
        vector = shop.client().get("svc", {"user_id": user})
        assert vector.values["spend:spend"] == spend
        assert (vector.status["spend:spend"] is Status.NOT_FOUND) == (spend is None)
