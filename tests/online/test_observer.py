from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from skewless.core.vector import Status
from skewless.errors import StoreUnreachable
from skewless.online import CallRecord, OnlineClient
from skewless.online.connection import OnlineTarget, session_for
from skewless.online.errors import BadKeys, ServiceUnknown
from skewless.online.schema import ensure_keyspace, ensure_project_tables
from skewless.online.transport import Gather, Read, Transport
from tests.online.shop import DAY, SECOND, T0, CassandraShop, Shop
from tests.online.slow import SlowTransport


def served(shop: Shop) -> None:
    """Users 1 (a day old) and 2 (its count null), through now minus an hour; the other view is not published."""
    spend, other = shop.view("spend"), shop.view("other")
    shop.serve(spend, other)
    shop.put(spend, 5, (1, T0 - DAY, "", 1.0, 1), (2, T0 - DAY // 2, "", 2.0, None))
    shop.publish((spend, 5))


def test_call_that_answers_is_told_once_with_statuses_ages_and_revision_per_view(shop: Shop) -> None:
    served(shop)
    seen: list[CallRecord] = []
    client = shop.client(observer=seen.append)
    client.get_many("svc", [{"user_id": user} for user in (1, 2, 2, 99)])
    assert [replace(record, seconds=0.0) for record in seen] == [
        CallRecord(
            service="svc",
            keys=4,
            seconds=0.0,
            statuses={
                "spend": {Status.PRESENT: 4, Status.NULL: 2, Status.NOT_FOUND: 2},
                "other": {Status.UNPUBLISHED: 8},
            },
            age={"spend": timedelta(days=1), "other": None},
            revision=1,
        )
    ]
    assert 0 < seen[0].seconds < 20
    assert not seen[0].is_timed_out


def test_each_way_of_asking_is_told_once(shop: Shop) -> None:
    served(shop)
    seen: list[CallRecord] = []
    client = shop.client(observer=seen.append)

    async def ask() -> None:
        await client.aget("svc", {"user_id": 1})
        await client.aget_many("svc", [{"user_id": 1}, {"user_id": 2}])

    client.get("svc", {"user_id": 1})
    asyncio.run(ask())
    with client.snapshot() as pinned:
        pinned.get_many("svc", [])
    client.explain("svc", {"user_id": 1})
    assert [record.keys for record in seen] == [1, 1, 2, 0, 1]
    assert {record.revision for record in seen} == {1}


def test_call_that_raises_is_told_with_the_errors_name(shop: Shop) -> None:
    served(shop)
    seen: list[CallRecord] = []
    client = shop.client(observer=seen.append)
    with pytest.raises(BadKeys):
        client.get("svc", {"user": 1})
    with pytest.raises(ServiceUnknown):
        asyncio.run(client.aget("nobody", {"user_id": 1}))
    assert [(record.service, record.error, record.statuses) for record in seen] == [
        ("svc", "BadKeys", {}),
        ("nobody", "ServiceUnknown", {}),
    ]


def test_call_without_a_store_is_told_as_unreachable() -> None:
    seen: list[CallRecord] = []
    client = OnlineClient.connect(["127.0.0.1"], project="demo", port=1, observer=seen.append)
    with client, pytest.raises(StoreUnreachable):
        client.get("svc", {"user_id": 1})
    assert [record.error for record in seen] == ["ClusterUnreachable"]


def test_deadline_that_comes_first_is_told_with_the_requests_left_out(shop: Shop) -> None:
    quick, slow = shop.view("quick"), shop.view("slow")
    shop.serve(quick, slow)
    for view in (quick, slow):
        shop.put(view, 5, (1, T0, "", 1.0, 1))
    shop.publish((quick, 5), (slow, 5))
    seen: list[CallRecord] = []
    client = shop.client(transport=lambda: SlowTransport(shop.transport(), {"slow": None}), observer=seen.append)
    client.warmup()
    for _ in range(2):
        client.get("svc", {"user_id": 1}, deadline_ms=80)
    assert [(record.is_timed_out, record.unanswered) for record in seen] == [(True, 1), (True, 1)]
    assert seen[1].statuses == {"quick": {Status.PRESENT: 2}, "slow": {Status.TIMEOUT: 2}}
    assert client.health().unanswered_requests == 2


def test_call_cancelled_by_its_caller_is_told_as_cancelled(shop: Shop) -> None:
    served(shop)
    seen: list[CallRecord] = []
    client = shop.client(transport=lambda: SlowTransport(shop.transport(), {"spend": None}), observer=seen.append)

    async def ask() -> None:
        await asyncio.wait_for(client.aget("svc", {"user_id": 1}), timeout=0.1)

    client.warmup()
    with pytest.raises((TimeoutError, asyncio.TimeoutError)):
        asyncio.run(ask())
    assert [record.error for record in seen] == ["CancelledError"]


@pytest.mark.parametrize("kind", ["get", "aget"])
def test_observer_that_fails_changes_no_answer_and_is_logged_once_per_kind(
    shop: Shop, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    served(shop)
    failures: Iterator[Exception] = iter([OSError("disk full"), OSError("disk full"), ValueError("no such label")])

    def refuse(record: CallRecord) -> None:
        raise next(failures)

    expected = shop.client().get("svc", {"user_id": 1})
    client = shop.client(observer=refuse)
    for _ in range(3):
        found: Any = getattr(client, kind)("svc", {"user_id": 1})
        assert (asyncio.run(found) if kind == "aget" else found) == expected
    logged = [record for record in caplog.records if record.name == "skewless.online.observer"]
    assert [str(record.exc_info[1]) for record in logged if record.exc_info] == ["disk full", "no such label"]


def test_observer_that_fails_leaves_the_calls_own_error_as_it_is(shop: Shop) -> None:
    served(shop)

    def refuse(record: CallRecord) -> None:
        raise OSError("disk full")

    with pytest.raises(BadKeys):
        shop.client(observer=refuse).get("svc", {"user": 1})


class Stumbling:
    """A transport whose every read is answered at the second attempt, key by key."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def start(self, reads: Sequence[Read], gather: Gather) -> None:
        gather.opened(len(reads))
        for number, read in enumerate(reads):
            gather.retried(len(read.keys))
            for key in read.keys:
                done = threading.Event()
                alone = Gather(1, deadline=gather.deadline, on_done=done.set)
                self._inner.start([replace(read, keys=(key,))], alone)
                assert done.wait(10)
                gather.arrived(number, (key,), {key: row for key, row in alone.rows[0].items() if row is not None})


def test_retries_of_a_call_are_counted_and_answer_as_if_nothing_had_happened(shop: Shop) -> None:
    served(shop)
    seen: list[CallRecord] = []
    requests = [{"user_id": user} for user in (1, 2, 3)]
    client = shop.client(transport=lambda: Stumbling(shop.transport()), observer=seen.append)
    found = client.get_many("svc", requests)
    assert list(found) == list(shop.client().get_many("svc", requests))
    assert [(record.retries, record.unanswered) for record in seen] == [(3, 0)]


@pytest.fixture
def short_of_replicas(cassandra_shop: CassandraShop) -> Iterator[CassandraShop]:
    """A keyspace of its own, where a quorum can be taken away and given back."""
    target = replace(cassandra_shop.target, keyspace=f"short_{uuid.uuid4().hex[:8]}")
    ensure_keyspace(cassandra_shop.session, target.keyspace)
    ensure_project_tables(cassandra_shop.session, target.keyspace)
    shop = CassandraShop("short", target)
    yield shop
    shop.close()
    shop.session.execute(f'DROP KEYSPACE "{target.keyspace}"', timeout=30)


def replicas(target: OnlineTarget, number: int) -> None:
    session_for(target).execute(
        f'ALTER KEYSPACE "{target.keyspace}" WITH replication = '
        f"{{'class': 'NetworkTopologyStrategy', 'datacenter1': {number}}}",
        timeout=30,
    )


@pytest.mark.cassandra
@pytest.mark.filterwarnings("ignore:Your replication factor")
def test_reads_that_a_real_store_refuses_for_want_of_replicas_are_sent_again_and_counted(
    short_of_replicas: CassandraShop,
) -> None:
    shop = short_of_replicas
    view = shop.view()
    shop.serve(view)
    shop.put(view, 5, *((user, T0, "", 1.0, user) for user in range(40)))
    shop.publish((view, 5))
    shop.clock.instant_us = T0 + SECOND
    seen: list[CallRecord] = []
    client = shop.client(observer=seen.append)
    requests = [{"user_id": user} for user in range(40)]
    with client.snapshot() as pinned:
        pinned.get_many("svc", requests)
        replicas(shop.target, 3)
        pinned.get_many("svc", requests)
        replicas(shop.target, 1)
        pinned.get_many("svc", requests)
    assert [record.statuses["spend"] for record in seen] == [
        {Status.PRESENT: 80},
        {Status.ERROR: 80},
        {Status.PRESENT: 80},
    ]
    assert [(record.retries, record.unanswered, record.is_timed_out) for record in seen] == [
        (0, 0, False),
        (40, 0, False),
        (0, 0, False),
    ]
