"""Faults on three nodes, replication factor 3: an answer may be missing, it is never wrong."""

from __future__ import annotations

import itertools
import logging
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from cassandra import ConsistencyLevel
from cassandra.policies import ConstantSpeculativeExecutionPolicy

from skewless.core.vector import Status
from skewless.errors import TryAgainLater
from skewless.online import OnlineClient, TimelineStore
from skewless.online.cassandra_transport import CassandraTransport
from skewless.online.connection import OnlineTarget, close_sessions, session_for
from skewless.online.errors import UnknownOutcome
from skewless.online.schema import ensure_keyspace, ensure_project_tables
from tests.online.shop import SECOND, T0, CassandraShop, rows_of
from tests.support.cassandra_cluster import HOSTS, Cluster
from tests.support.witness import Count, Witness, value

pytestmark = pytest.mark.cassandra
#: A call may take this much longer than its deadline on a machine that runs everything at once.
_SLACK_S = 0.5
_number = itertools.count()
_log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    three = Cluster(tmp_path_factory.mktemp("three"))
    try:
        three.start()
        yield three
    finally:
        three.stop()


@pytest.fixture(scope="module")
def target(cluster: Cluster) -> Iterator[OnlineTarget]:
    target = cluster.target(f"three_{uuid.uuid4().hex[:8]}")
    ensure_keyspace(session_for(target), target.keyspace, replication_factor=3)
    ensure_project_tables(session_for(target), target.keyspace)
    yield target
    close_sessions()


@pytest.fixture
def shop(cluster: Cluster, target: OnlineTarget) -> Iterator[CassandraShop]:
    """A project of the test's own; every fault is undone after it."""
    shop = CassandraShop(f"p{next(_number)}", target)
    yield shop
    shop.close()
    cluster.heal()


@pytest.fixture
def witness(shop: CassandraShop) -> Witness:
    witness = Witness(shop)
    witness.publish(witness.push())
    return witness


def client_of(witness: Witness, **options: object) -> OnlineClient:
    """As a service has it: polls in the background, 50 ms for a call."""
    client = witness.shop.client(poll_interval=timedelta(seconds=1), deadline_ms=50.0, **options)
    client.warmup()
    witness.recovered_s(client, time.monotonic())
    return client


def without_speculation(shop: CassandraShop) -> CassandraTransport:
    transport = CassandraTransport(shop.target, shop.project)
    never = ConstantSpeculativeExecutionPolicy(60.0, 1)
    transport._cluster.profile_manager.default.speculative_execution_policy = never
    return transport


def manifest_time_us(shop: CassandraShop) -> int:
    """When the store thinks that the manifest of the other service was written."""
    table = f'"{shop.target.keyspace}".serving'
    statement = f"SELECT WRITETIME(manifest) FROM {table} WHERE project = '{shop.project}' AND service = 'other'"
    return int(shop.session.execute(statement).one()[0])


def told(name: str, seconds: float) -> None:
    """Goes into the log of the run."""
    _log.info("%s: %.2f s", name, seconds)


def test_reads_beside_a_frozen_node_keep_their_deadline_and_recover(cluster: Cluster, witness: Witness) -> None:
    client = client_of(witness)
    began = time.monotonic()
    cluster.freeze(1)
    told("frozen_recovery", witness.recovered_s(client, began))
    count = witness.watch(client, 10.0)
    assert count.longest_s < 0.05 + _SLACK_S
    assert count.share > 0.9
    cluster.thaw()
    witness.recovered_s(client, time.monotonic())


def test_speculation_answers_more_reads_beside_a_frozen_node(cluster: Cluster, witness: Witness) -> None:
    speculating = client_of(witness)
    patient = client_of(witness, transport=lambda: without_speculation(witness.shop))
    cluster.freeze(1)
    counts = {speculating: Count(), patient: Count()}
    until = time.monotonic() + 1.5
    for user in itertools.cycle(range(witness.users)):
        if time.monotonic() > until:
            break
        for client, count in counts.items():
            witness.look(client, user, count)
    _log.info("answered with speculation: %s; without: %s", counts[speculating], counts[patient])
    assert counts[patient].unanswered > 0
    assert counts[speculating].share > counts[patient].share


def test_reads_of_a_slow_node_keep_their_deadline(cluster: Cluster, witness: Witness) -> None:
    client = client_of(witness)
    done = threading.Event()

    def stutter() -> None:
        while not done.is_set():
            cluster.freeze(1)
            time.sleep(0.04)
            cluster.thaw()
            time.sleep(0.02)

    slowing = threading.Thread(target=stutter)
    slowing.start()
    try:
        count = witness.watch(client, 8.0)
    finally:
        done.set()
        slowing.join()
    _log.info("slow node: %s", count)
    assert count.longest_s < 0.05 + _SLACK_S
    assert count.share > 0.5


def test_reads_and_pushes_beside_an_overloaded_coordinator(cluster: Cluster, witness: Witness) -> None:
    cluster.overload(1)
    answers = cluster.answers_within(1, 2.0), cluster.answers_within(0, 2.0)
    _log.info("answers of an overloaded and of another coordinator: %s", answers)
    assert 0 < 3 * answers[0] < answers[1], "the coordinator is not overloaded: the test shows nothing"
    client = client_of(witness)
    count = witness.watch(client, 8.0)
    _log.info("overloaded coordinator: %s", count)
    assert count.longest_s < 0.05 + _SLACK_S
    assert count.share > 0.9
    began = time.monotonic()
    pushed = witness.push()
    told("push_beside_overloaded", time.monotonic() - began)
    rows = rows_of(witness.view, [(user, T0, "", value(user, witness.generation), user) for user in pushed])
    assert witness.shop.verify(witness.view, witness.generation, rows)["mismatches"] == 0
    number = witness.publish(pushed)
    client.refresh()
    assert client.health().revision == number
    assert witness.watch(client, 2.0).share > 0.9
    began = time.monotonic()
    cluster.heal()
    told("overloaded_recovery_with_restart", witness.recovered_s(client, began))


def test_push_and_reads_go_on_when_a_node_is_killed(cluster: Cluster, witness: Witness) -> None:
    client = client_of(witness)
    pushes: list[dict[int, int]] = []
    enough = threading.Event()

    def push() -> None:
        while not enough.is_set():
            pushes.append(witness.push())

    pushing = threading.Thread(target=push)
    pushing.start()
    try:
        witness.watch(client, 0.5)
        began, before = time.monotonic(), len(pushes)
        cluster.kill(1)
        told("killed_recovery", witness.recovered_s(client, began))
        witness.watch(client, 1.0)
    finally:
        enough.set()
        pushing.join(timeout=120)
    assert not pushing.is_alive()
    assert 0 < before < len(pushes)
    assert pushes[-1][0] == witness.generation, "the push died with the node"
    rows = rows_of(witness.view, [(user, T0, "", value(user, witness.generation), user) for user in pushes[-1]])
    assert witness.shop.verify(witness.view, witness.generation, rows)["mismatches"] == 0
    number = witness.publish(pushes[-1])
    client.refresh()
    assert client.health().revision == number
    assert witness.watch(client, 2.0).share > 0.9


@pytest.mark.parametrize("fault", ["freeze", "kill"])
def test_publish_beside_a_lost_node_has_one_outcome_and_it_can_be_read(
    cluster: Cluster, witness: Witness, fault: str
) -> None:
    client = client_of(witness)
    pushed = witness.push()
    getattr(cluster, fault)(1)
    began = time.monotonic()
    unknown = 0
    for _ in range(5):
        before = witness.shop.timeline.log()[-1].number
        try:
            number = witness.publish(pushed)
        except UnknownOutcome:
            unknown += 1
            number = witness.shop.timeline.log()[-1].number
            assert number in (before, before + 1)
            witness.in_force(number, pushed if number > before else witness.model[before])
        assert [one.number for one in witness.shop.timeline.log()] == list(range(1, number + 1))
    told(f"publish_beside_{fault}", (time.monotonic() - began) / 5)
    _log.info("unknown outcomes: %d of 5", unknown)
    cluster.heal()
    client.refresh()
    assert client.health().revision == witness.shop.timeline.log()[-1].number
    witness.recovered_s(client, time.monotonic())


class StruckTimeline(TimelineStore):
    """Two nodes hang from the moment at which a revision is logged and about to be swapped in, for some seconds."""

    def __init__(self, shop: CassandraShop, cluster: Cluster, seconds: float) -> None:
        super().__init__(shop.session, shop.target.keyspace, shop.project)
        self.unanswered: list[str] = []
        self.is_armed = False
        self._cluster, self._seconds = cluster, seconds

    def _settle(self, *how: Any) -> None:
        if not self.is_armed:
            super()._settle(*how)
            return
        for number in (1, 2):
            self._cluster.freeze(number)
        thawing = threading.Timer(self._seconds, self._cluster.thaw)
        thawing.start()
        try:
            super()._settle(*how)
        finally:
            thawing.join()

    def _execute(self, statement: str, values: tuple[Any, ...], operation: str, **how: Any) -> list[tuple[Any, ...]]:
        try:
            return super()._execute(statement, values, operation, **how)
        except TryAgainLater:
            self.unanswered.append(operation)
            raise


def test_swap_without_an_answer_is_looked_up_and_not_repeated_blindly(cluster: Cluster, witness: Witness) -> None:
    client = client_of(witness)
    struck = StruckTimeline(witness.shop, cluster, 6.0)
    witness.shop.timeline = struck
    # prepares the swap, which would otherwise be what waits
    witness.publish(witness.push())
    pushed, before = witness.push(), struck.log()
    struck.is_armed = True
    number = witness.publish(pushed)
    assert "publish" in struck.unanswered, "the swap was answered: the test shows nothing"
    assert [one.number for one in struck.log()] == [*(one.number for one in before), number]
    cluster.heal()
    client.refresh()
    assert client.health().revision == number
    witness.recovered_s(client, time.monotonic())


def test_two_nodes_down_refuse_a_quorum_and_answer_one(cluster: Cluster, witness: Witness) -> None:
    client = client_of(witness)
    for number in (1, 2):
        cluster.kill(number)
    time.sleep(1.0)
    assert witness.watch(client, 3.0).answered == 0
    until, one = time.monotonic() + 60, Count()
    while not witness.look(client, 1, one, consistency="LOCAL_ONE"):
        assert time.monotonic() < until
    assert witness.watch(client, 3.0, consistency="LOCAL_ONE").share > 0.9
    assert client.get("svc", {"user_id": 1}, consistency="LOCAL_ONE").unconfirmed
    began = time.monotonic()
    cluster.heal()
    told("two_down_recovery_with_restart", witness.recovered_s(client, began, limit_s=120))


def test_node_back_after_the_hint_window_is_stale_for_one_and_never_for_a_quorum(
    cluster: Cluster, witness: Witness
) -> None:
    client = client_of(witness)
    before = witness.generation
    cluster.kill(2)
    cluster.wait_until_dead(2, by=0)
    cluster.wait_until_dead(2, by=1)
    time.sleep(4.0)
    number = witness.publish(witness.push())
    cluster.restart(2)
    cluster.wait_until_whole()
    keyspace, table = witness.shop.target.keyspace, witness.view.table
    rows = cluster.ask_alone(2, f'SELECT gen FROM "{keyspace}"."{table}" WHERE user_id = 1')
    assert [row[0] for row in rows] == [before], "the node was told by a hint: the test shows nothing"
    pointer = cluster.ask_alone(2, f"SELECT rev FROM \"{keyspace}\".snapshot WHERE project = '{witness.shop.project}'")
    assert pointer[0][0] < number, "the pointer is not stale"
    there = CassandraTransport(cluster.target(keyspace, 2), witness.shop.project)
    try:
        found = there.snapshot()
        assert found is not None
        assert found.current.number == number
    finally:
        there.close()
    client.refresh()
    witness.recovered_s(client, time.monotonic())
    assert witness.watch(client, 3.0).share > 0.9
    waived = [client.get("svc", {"user_id": 1}, consistency="LOCAL_ONE") for _ in range(200)]
    seen = {one.values["spend:spend"] for one in waived if one.status["spend:spend"] is Status.PRESENT}
    assert seen <= {value(1, before), value(1, witness.generation)}
    _log.info("LOCAL_ONE gave %s", seen)


@pytest.mark.parametrize("days", [-1, 1])
def test_clock_of_the_pusher_off_by_a_day_changes_nothing(witness: Witness, days: int) -> None:
    client = client_of(witness)
    shared = session_for(witness.shop.target).cluster
    right = shared.timestamp_generator
    shared.timestamp_generator = lambda: int(time.time() * SECOND) + days * 86_400 * SECOND
    try:
        witness.shop.serve(witness.view, service="other", contract_hash="of-the-wrong-clock")
        ahead_us = manifest_time_us(witness.shop) - int(time.time() * SECOND)
        assert abs(ahead_us - days * 86_400 * SECOND) < 60 * SECOND, "the clock is right: the test shows nothing"
        witness.publish(witness.push(range(20)))
        witness.push(range(5))
        abandoned = witness.generation
        witness.shop.purge(
            witness.view, abandoned, rows_of(witness.view, [(user, T0, "", 0.0, 0) for user in range(5)])
        )
    finally:
        shared.timestamp_generator = right
    assert witness.shop.serve(witness.view, service="other", contract_hash="of-the-right-clock") == (
        witness.shop.timeline.read_serving("other")
    )
    number = witness.publish(witness.push(range(10, 40)))
    client.refresh()
    assert client.health().revision == number
    for user in range(witness.users):
        assert witness.is_answer(client.get("svc", {"user_id": user}, deadline_ms=2000), user)


def test_table_defined_beside_a_frozen_node_is_agreed_on_or_said_not_to_be(
    cluster: Cluster, shop: CassandraShop
) -> None:
    cluster.freeze(2)
    try:
        shop.view("late")
        outcome = "agreed"
    except TryAgainLater:
        outcome = "refused"
    _log.info("schema beside a frozen node: %s", outcome)
    cluster.heal()
    view = shop.view("late")
    for number in range(len(HOSTS)):
        statement = f'SELECT gen FROM "{shop.target.keyspace}"."{view.table}"'
        assert cluster.ask(number, statement, consistency=ConsistencyLevel.ALL) == []
