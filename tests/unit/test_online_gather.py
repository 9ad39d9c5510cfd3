from __future__ import annotations

import time

from skewless.core.vector import Status
from skewless.online.transport import Gather


def gather(ended: list[int]) -> Gather:
    return Gather(2, deadline=time.monotonic() + 10, on_done=lambda: ended.append(1))


def test_gather_signals_once_when_the_last_request_has_ended() -> None:
    ended: list[int] = []
    collected = gather(ended)
    collected.opened(3)
    collected.arrived(0, [(1,), (2,)], {(1,): (5, 6, None, 1.0)})
    collected.failed(1, [(3,)], Status.ERROR)
    assert ended == []
    collected.arrived(1, [(4,)], {})
    assert ended == [1]
    assert collected.rows == [{(1,): (5, 6, None, 1.0), (2,): None}, {(4,): None}]
    assert collected.failures == [{}, {(3,): Status.ERROR}]


def test_gather_retry_opened_before_its_failure_ends_does_not_signal_early() -> None:
    ended: list[int] = []
    collected = gather(ended)
    collected.opened(1)
    collected.opened(2)
    collected.failed(0, (), Status.ERROR)
    collected.arrived(0, [(1,)], {})
    assert ended == []
    collected.arrived(0, [(2,)], {})
    assert ended == [1]


def test_gather_closed_at_the_deadline_drops_and_counts_what_comes_late() -> None:
    collected = gather([])
    collected.opened(3)
    collected.arrived(0, [(1,)], {})
    assert collected.close() == 2
    collected.arrived(0, [(2,)], {(2,): (5, 6, None, 1.0)})
    collected.failed(1, [(3,)], Status.ERROR)
    assert (collected.rows, collected.failures, collected.late) == ([{(1,): None}, {}], [{}, {}], 2)


def test_gather_retried_request_is_ended_by_those_sent_in_its_place_and_counted() -> None:
    ended: list[int] = []
    collected = gather(ended)
    collected.opened(1)
    collected.retried(2)
    collected.arrived(0, [(1,)], {})
    assert ended == []
    collected.arrived(0, [(2,)], {})
    assert (ended, collected.retries, collected.failures) == ([1], 2, [{}, {}])
