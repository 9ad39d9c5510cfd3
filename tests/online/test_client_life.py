from __future__ import annotations

import asyncio
import os
import threading
import time
import traceback
from collections.abc import Callable
from datetime import timedelta

import pytest

from skewless.core.clock import ManualClock, SystemClock
from skewless.core.vector import Status
from skewless.online import OnlineClient, ServedRecord
from skewless.online.served_log import key_fraction
from tests.online.shop import SECOND, T0, CassandraShop, Shop


def served(shop: Shop, *generations: int) -> None:
    view = shop.view()
    shop.serve(view)
    for generation in generations:
        shop.put(view, generation, *((user, T0, "", float(generation), user) for user in range(20)))
        shop.publish((view, generation), at_us=T0 + generation)


def eventually(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + 20
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()


def test_snapshot_pins_revision_and_instant_while_others_are_published(shop: Shop) -> None:
    served(shop, 5)
    shop.clock.instant_us = T0 + SECOND
    client = shop.client()
    with client.snapshot() as pinned:
        before = pinned.get("svc", {"user_id": 1})
        view = shop.view()
        shop.put(view, 6, (1, T0, "", 6.0, 1))
        shop.publish((view, 6), at_us=T0 + SECOND)
        shop.clock.instant_us = T0 + 2 * SECOND
        assert pinned.get("svc", {"user_id": 1}) == before
        assert pinned.get_many("svc", [{"user_id": 1}])[0] == before
        assert asyncio.run(pinned.aget("svc", {"user_id": 1})) == before
        assert pinned.revision == 1
    assert client.get("svc", {"user_id": 1}).values["spend:spend"] == 6.0


def test_aget_equals_get(shop: Shop) -> None:
    served(shop, 5)
    shop.clock.instant_us = T0 + SECOND
    client = shop.client()
    requests = [{"user_id": user} for user in (3, 1, 3, 99)]

    async def ask() -> None:
        many = await client.aget_many("svc", requests)
        single = await asyncio.gather(*(client.aget("svc", keys) for keys in requests))
        assert list(many) == list(single) == list(client.get_many("svc", requests))

    asyncio.run(ask())


def test_client_without_polls_holds_its_revision_until_refresh(shop: Shop) -> None:
    served(shop, 5)
    client = shop.client(poll_interval=timedelta(hours=1))
    shop.clock.instant_us = T0 + SECOND
    assert client.get("svc", {"user_id": 1}).revision == 1
    served(shop, 6)
    assert client.get("svc", {"user_id": 1}).revision == 1
    client.refresh()
    assert client.get("svc", {"user_id": 1}).revision == 2


def test_client_polling_in_the_background_switches_by_itself(shop: Shop) -> None:
    served(shop, 5)
    shop.clock.instant_us = T0 + SECOND
    client = shop.client(poll_interval=timedelta(milliseconds=20))
    assert client.get("svc", {"user_id": 1}).revision == 1
    served(shop, 6)
    assert eventually(lambda: client.get("svc", {"user_id": 1}).revision == 2)


def test_client_whose_polls_fail_goes_on_and_says_unconfirmed(shop: Shop) -> None:
    from skewless.errors import StoreUnreachable

    served(shop, 5)
    shop.clock.instant_us = T0 + SECOND
    transport = shop.transport()
    broken = threading.Event()
    snapshot = transport.snapshot

    def failing() -> object:
        if broken.is_set():
            raise StoreUnreachable("down")
        return snapshot()

    transport.snapshot = failing  # type: ignore[method-assign]
    client = shop.client(transport=lambda: transport, poll_interval=timedelta(milliseconds=200))
    assert eventually(lambda: not client.get("svc", {"user_id": 1}).unconfirmed)
    broken.set()
    assert eventually(lambda: client.get("svc", {"user_id": 1}).unconfirmed)
    assert client.get("svc", {"user_id": 1}).values["spend:spend"] == 5.0
    assert not client.health().is_confirmed
    broken.clear()
    assert eventually(lambda: not client.get("svc", {"user_id": 1}).unconfirmed)


def test_client_on_the_machines_clock_reads_rows_of_years_ago(shop: Shop) -> None:
    served(shop, 5)
    vector = shop.client(clock=SystemClock()).get("svc", {"user_id": 1})
    assert vector.status["spend:spend"] is Status.PRESENT
    assert vector.age["spend"] > timedelta(days=365)


def test_client_whose_clock_stands_before_the_held_revisions_reads_the_log(shop: Shop) -> None:
    served(shop, 5, 6, 7, 8)
    client = shop.client(clock=ManualClock(T0 + 5))
    assert client.get("svc", {"user_id": 1}).values["spend:spend"] == 5.0
    assert shop.client(clock=ManualClock(T0 + 4)).get("svc", {"user_id": 1}).status["spend:spend"] is (
        Status.UNPUBLISHED
    )


def test_client_shared_by_threads_answers_each_its_own(shop: Shop) -> None:
    served(shop, 5)
    client = shop.client(poll_interval=timedelta(seconds=1))
    shop.clock.instant_us = T0 + SECOND
    wrong: list[object] = []

    def ask(user: int) -> None:
        for _ in range(25):
            got = client.get("svc", {"user_id": user}).values["spend:visits"]
            if got != user:
                wrong.append((user, got))

    threads = [threading.Thread(target=ask, args=(user,)) for user in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def in_a_fork(work: object) -> int:
    """Run in a forked child; 0 when it returned."""
    child = os.fork()
    if child == 0:
        try:
            work()  # type: ignore[operator]
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_client_kept_across_a_fork_connects_anew_and_leaves_the_parents_connection(shop: Shop) -> None:
    served(shop, 5)
    shop.clock.instant_us = T0 + SECOND
    client = shop.client(poll_interval=timedelta(seconds=1))
    before = client.get("svc", {"user_id": 1})

    def child() -> None:
        for _ in range(3):
            assert client.get("svc", {"user_id": 1}) == before
        client.close()

    assert in_a_fork(child) == 0
    assert client.get("svc", {"user_id": 1}) == before
    assert client.health().transport.is_connected


@pytest.mark.cassandra
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_writer_in_a_forked_worker_uses_a_session_of_its_own(cassandra_shop: CassandraShop) -> None:
    view = cassandra_shop.view()
    cassandra_shop.put(view, 5, (1, T0, "", 1.0, 1))
    assert in_a_fork(lambda: cassandra_shop.put(view, 6, (1, T0, "", 2.0, 1))) == 0
    from tests.online.shop import rows_of

    assert cassandra_shop.verify(view, 6, rows_of(view, [(1, T0, "", 2.0, 1)]))["mismatches"] == 0


def test_served_log_records_whole_keys_of_a_sample(shop: Shop) -> None:
    served(shop, 5)
    shop.clock.instant_us = T0 + SECOND
    records: list[ServedRecord] = []
    client = shop.client(log=records.append, log_share=0.5)
    requests = [{"user_id": user} for user in range(20)]
    for _ in range(2):
        client.get_many("svc", requests)
    sampled = [keys for keys in requests if key_fraction(keys) < 0.5]
    assert 0 < len(sampled) < 20
    assert [record.keys for record in records] == sampled * 2
    assert records[0].at_us == T0 + SECOND
    assert records[0].revision == 1
    assert records[0].values == {"spend:spend": 5.0, "spend:visits": sampled[0]["user_id"]}


def test_served_log_that_fails_never_fails_the_call(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    served(shop, 5)
    shop.clock.instant_us = T0 + SECOND

    def refuse(record: ServedRecord) -> None:
        raise OSError("disk full")

    client = shop.client(log=refuse, log_share=1.0)
    assert client.get("svc", {"user_id": 1}).revision == 1
    assert "disk full" in caplog.text


@pytest.mark.cassandra
def test_connect_serves_through_the_front_door(cassandra_shop: CassandraShop) -> None:
    served(cassandra_shop, 5)
    target = cassandra_shop.target
    with OnlineClient.connect(
        list(target.contact_points), project=cassandra_shop.project, port=target.port, keyspace=target.keyspace
    ) as client:
        client.warmup()
        vector = client.get("svc", {"user_id": 1}, deadline_ms=2000)
        health = client.health()
    assert vector.values["spend:spend"] == 5.0
    assert (health.revision, health.is_confirmed, health.transport.hosts_up >= 1) == (1, True, True)
