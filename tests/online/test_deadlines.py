from __future__ import annotations

import asyncio
import time

import pytest

from skewless.core.vector import Status
from skewless.online.cassandra_transport import CassandraTransport
from tests.online.freezer import Freezer
from tests.online.shop import T0, CassandraShop, Shop
from tests.online.slow import SlowTransport


def two_views(shop: Shop, delay: float | None) -> object:
    quick, slow = shop.view("quick"), shop.view("slow")
    shop.serve(quick, slow)
    for view in (quick, slow):
        shop.put(view, 5, (1, T0, "", 1.0, 1))
    shop.publish((quick, 5), (slow, 5))
    client = shop.client(transport=lambda: SlowTransport(shop.transport(), {"slow": delay}))
    client.warmup()
    return client


@pytest.mark.parametrize("delay", [3.0, None])
def test_deadline_met_by_one_view_only_gives_its_values_and_timeout_for_the_rest(
    shop: Shop, delay: float | None
) -> None:
    client = two_views(shop, delay)
    began = time.monotonic()
    vector = client.get("svc", {"user_id": 1}, deadline_ms=60)
    took = time.monotonic() - began
    assert vector.status["quick:spend"] is Status.PRESENT
    assert vector.status["slow:spend"] is Status.TIMEOUT
    assert vector.values["slow:spend"] is None
    assert vector.generation == {"quick": 5, "slow": 5}
    assert 0.05 < took < 1.0
    assert client.health().unanswered_requests == 1


def test_deadline_not_reached_waits_for_the_slower_view(shop: Shop) -> None:
    vector = two_views(shop, 0.1).get("svc", {"user_id": 1}, deadline_ms=2000)
    assert set(vector.status.values()) == {Status.PRESENT}


def test_deadline_of_an_async_call_holds_without_blocking_the_loop(shop: Shop) -> None:
    client = two_views(shop, 3.0)

    async def both() -> tuple[object, float, int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.005)
                ticks += 1

        ticking = asyncio.create_task(tick())
        began = time.monotonic()
        vector = await client.aget("svc", {"user_id": 1}, deadline_ms=60)
        took = time.monotonic() - began
        ticking.cancel()
        return vector, took, ticks

    vector, took, ticks = asyncio.run(both())
    assert vector.status["quick:spend"] is Status.PRESENT
    assert vector.status["slow:spend"] is Status.TIMEOUT
    assert 0.05 < took < 1.0
    assert ticks >= 4


@pytest.mark.cassandra
def test_deadline_holds_while_the_node_is_frozen(cassandra_shop: CassandraShop, frozen: Freezer) -> None:
    view = cassandra_shop.view()
    cassandra_shop.serve(view)
    cassandra_shop.put(view, 5, *((user, T0, "", 1.0, 1) for user in range(100)))
    cassandra_shop.publish((view, 5))
    client = cassandra_shop.client()
    requests = [{"user_id": user} for user in range(100)]
    with client.snapshot() as pinned:
        assert pinned.get("svc", {"user_id": 1}).status["spend:spend"] is Status.PRESENT
        frozen.freeze()
        try:
            began = time.monotonic()
            one = pinned.get("svc", {"user_id": 1}, deadline_ms=50)
            many = pinned.get_many("svc", requests, deadline_ms=50)
            took = time.monotonic() - began
        finally:
            frozen.thaw()
        assert set(one.status.values()) == {Status.TIMEOUT}
        assert set(many.status["spend:spend"]) == {Status.TIMEOUT}
        assert took < 1.0
        until = time.monotonic() + 20
        while pinned.get("svc", {"user_id": 1}).status["spend:spend"] is not Status.PRESENT:
            assert time.monotonic() < until


@pytest.mark.cassandra
def test_read_of_a_table_that_is_gone_is_an_error_and_not_an_exception(cassandra_shop: CassandraShop) -> None:
    view, other = cassandra_shop.view("gone"), cassandra_shop.view("here")
    cassandra_shop.serve(view, other)
    for each in (view, other):
        cassandra_shop.put(each, 5, (1, T0, "", 1.0, 1), (2, T0, "", 1.0, 1))
    cassandra_shop.publish((view, 5), (other, 5))
    transport = CassandraTransport(cassandra_shop.target, cassandra_shop.project)
    client = cassandra_shop.client(transport=lambda: transport)
    client.warmup()
    cassandra_shop.session.execute(f'DROP TABLE "{cassandra_shop.target.keyspace}"."{view.table}"')
    batch = client.get_many("svc", [{"user_id": 1}, {"user_id": 2}])
    assert set(batch.status["gone:spend"]) == {Status.ERROR}
    assert set(batch.status["here:spend"]) == {Status.PRESENT}
