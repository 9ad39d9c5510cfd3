from __future__ import annotations

import threading
import uuid

import pytest

from skewless.core.timeline import Pointer, Revision
from skewless.errors import LeaseHeld
from skewless.online import TimelineStore
from skewless.online.errors import BadRequest, RevisionConflict
from skewless.online.revisions import cells_of
from tests.online.shop import T0, CassandraShop, Shop


def revision(number: int, *, run: str = "r", at_us: int | None = None) -> Revision:
    return Revision(number, T0 + number if at_us is None else at_us, {"v": Pointer("t", number * 10, T0)}, run_id=run)


def test_timeline_without_revision_is_none_and_empty(shop: Shop) -> None:
    assert shop.timeline.read() is None
    assert shop.timeline.log() == ()


def test_timeline_publish_gives_current_previous_and_log(shop: Shop) -> None:
    first = Revision(1, T0, {"a": Pointer("t1", 5, T0 - 1), "b": Pointer("t2", -7, 0)}, kind="publish", run_id="r1")
    second = Revision(2, T0 + 1, {}, kind="rollback", run_id="r2")
    shop.timeline.publish(first, expected=None)
    assert (shop.timeline.read().current, shop.timeline.read().previous) == (first, None)
    shop.timeline.publish(second, expected=1)
    snapshot = shop.timeline.read()
    assert (snapshot.current, snapshot.previous) == (second, first)
    assert shop.timeline.log() == (first, second)
    assert shop.timeline.log(since=1) == (second,)
    assert snapshot.current.views == {}
    assert snapshot.previous.views == first.views


@pytest.mark.parametrize("expected", [None, 1, 3])
def test_timeline_publish_on_another_revision_than_expected_is_refused(shop: Shop, expected: int | None) -> None:
    shop.timeline.publish(revision(1), expected=None)
    shop.timeline.publish(revision(2), expected=1)
    with pytest.raises(RevisionConflict, match="another run published") as caught:
        shop.timeline.publish(revision(3), expected=expected)
    assert isinstance(caught.value, LeaseHeld)
    assert shop.timeline.log() == (revision(1), revision(2))


@pytest.mark.parametrize(("number", "at_us"), [(3, T0 + 9), (1, T0 + 9), (2, T0 + 1), (2, T0)])
def test_timeline_revision_that_does_not_follow_is_refused(shop: Shop, number: int, at_us: int) -> None:
    shop.timeline.publish(revision(1), expected=None)
    with pytest.raises(BadRequest):
        shop.timeline.publish(revision(number, at_us=at_us), expected=1)


def test_timeline_eight_contenders_exactly_one_wins_each_round(shop: Shop) -> None:
    winners: dict[int, list[str]] = {}
    for number in (1, 2, 3, 4):
        won: list[str] = []
        start = threading.Barrier(8)

        def contend(run: str, number: int = number, won: list[str] = won, start: threading.Barrier = start) -> None:
            start.wait()
            try:
                shop.timeline.publish(revision(number, run=run), expected=number - 1 or None)
            except RevisionConflict:
                return
            won.append(run)

        threads = [threading.Thread(target=contend, args=(f"run{each}",)) for each in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        winners[number] = won
    assert [len(won) for won in winners.values()] == [1, 1, 1, 1]
    assert [each.run_id for each in shop.timeline.log()] == [won[0] for won in winners.values()]


def test_timeline_manifest_comes_back_and_newer_one_replaces_it(shop: Shop) -> None:
    view = shop.view()
    assert shop.timeline.read_serving("svc") is None
    first = shop.serve(view)
    shop.serve(view, service="another")
    assert shop.timeline.read_serving("svc") == first
    second = shop.serve(view, contract_hash="c2")
    assert shop.timeline.read_serving("svc") == second
    assert shop.timeline.services() == ("another", "svc")


def test_timeline_server_clock_is_close_to_ours(shop: Shop) -> None:
    import time

    assert abs(shop.timeline.server_clock_us() - time.time_ns() // 1000) < 5_000_000


@pytest.mark.cassandra
def test_log_attempt_killed_before_its_swap_is_ignored(cassandra_shop: CassandraShop) -> None:
    store = cassandra_shop.timeline
    store.publish(revision(1), expected=None)
    head = store._head(4)
    # What a process leaves that dies between the two statements.
    store._write_log(revision(2, run="dead"), uuid.uuid4(), head.attempt)
    assert store.log() == (revision(1),)
    store.publish(revision(2, run="alive"), expected=1)
    store.publish(revision(3), expected=2)
    assert [each.run_id for each in store.log()] == ["r", "alive", "r"]


@pytest.mark.cassandra
def test_log_holds_a_revision_from_the_moment_that_it_wins(cassandra_shop: CassandraShop) -> None:
    store = cassandra_shop.timeline
    attempt = uuid.uuid4()
    store._write_log(revision(1), attempt, None)
    assert store.log() == ()
    statement, values = store._swap(revision(1), attempt, None)
    # The process dies right after the swap, before it hears of its success.
    store._execute(statement, values, "publish")
    assert store.log() == (revision(1),)


class Mute(TimelineStore):
    """A store whose swaps are applied, or not, and then never answered."""

    is_applied = True
    swaps = 0

    def _execute(self, statement, values, operation, *, consistency=None):
        from skewless.errors import StoreUnreachable

        if operation != "publish":
            return super()._execute(statement, values, operation, consistency=consistency)
        self.swaps += 1
        if self.is_applied:
            super()._execute(statement, values, operation, consistency=consistency)
        raise StoreUnreachable("no answer")


@pytest.mark.cassandra
def test_publish_without_an_answer_that_did_win_returns(cassandra_shop: CassandraShop) -> None:
    mute = Mute(cassandra_shop.session, cassandra_shop.target.keyspace, cassandra_shop.project)
    mute.publish(revision(1), expected=None)
    mute.publish(revision(2), expected=1)
    assert mute.swaps == 2
    assert cassandra_shop.timeline.log() == (revision(1), revision(2))


@pytest.mark.cassandra
def test_publish_without_an_answer_that_did_not_win_says_unknown(cassandra_shop: CassandraShop) -> None:
    from skewless.online.errors import UnknownOutcome

    mute = Mute(cassandra_shop.session, cassandra_shop.target.keyspace, cassandra_shop.project)
    mute.is_applied = False
    with pytest.raises(UnknownOutcome, match="Read the timeline again"):
        mute.publish(revision(1), expected=None)
    assert cassandra_shop.timeline.log() == ()


@pytest.mark.cassandra
def test_publish_without_an_answer_overtaken_by_a_later_revision_finds_itself_in_the_log(
    cassandra_shop: CassandraShop,
) -> None:
    store = cassandra_shop.timeline

    class Overtaken(Mute):
        def _head(self, consistency):
            if self.swaps == 1:
                self.swaps = 2
                for number in (2, 3, 4):
                    store.publish(revision(number), expected=number - 1)
            return super()._head(consistency)

    Overtaken(cassandra_shop.session, cassandra_shop.target.keyspace, cassandra_shop.project).publish(
        revision(1), expected=None
    )
    assert [each.number for each in store.log()] == [1, 2, 3, 4]


def test_cells_of_a_revision_keep_every_pointer() -> None:
    assert cells_of(revision(3)) == (3, T0 + 3, {"v": ("t", 30, T0)}, "publish", "r")
