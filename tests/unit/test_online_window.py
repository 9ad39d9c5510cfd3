from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from cassandra import InvalidRequest, WriteTimeout

from skewless.errors import StoreUnreachable
from skewless.online import patience
from skewless.online.errors import StoreRefused
from skewless.online.window import RequestWindow


class Answer:
    """A driver's future that ends at once, or when the test says so."""

    def __init__(self, outcome: Any = (), *, is_held: bool = False) -> None:
        self._outcome = outcome
        self._is_held = is_held
        self.end: Callable[[], None] = lambda: None

    def add_callbacks(self, good: Any, bad: Any, callback_args: tuple[Any, ...], errback_args: tuple[Any, ...]) -> None:
        def end() -> None:
            if isinstance(self._outcome, Exception):
                bad(self._outcome, *errback_args)
            else:
                good(self._outcome, *callback_args)

        self.end = end
        if not self._is_held:
            end()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_FIRST_PAUSE_S", 0.0)


def late() -> WriteTimeout:
    return WriteTimeout("late", write_type=0)


def test_window_returns_each_answer_with_its_context() -> None:
    window = RequestWindow("try", in_flight=2, retries=0)
    for number in range(5):
        window.put(lambda number=number: Answer([number]), number)
    window.drain()
    assert window.taken() == [(number, [number]) for number in range(5)]
    assert window.taken() == []


def test_window_failed_request_is_tried_again_and_counted() -> None:
    window = RequestWindow("try", in_flight=2, retries=2)
    outcomes: list[Any] = [late(), late(), ["ok"]]
    window.put(lambda: Answer(outcomes.pop(0)), "job")
    window.drain()
    assert window.taken() == [("job", ["ok"])]
    assert window.retried == 2


def test_window_request_failing_at_its_last_attempt_raises_what_was_done() -> None:
    window = RequestWindow("write rows of 'x'", in_flight=2, retries=2)
    sent: list[int] = []

    def send() -> Answer:
        sent.append(1)
        return Answer(late())

    window.put(send)
    with pytest.raises(StoreUnreachable, match="write rows of 'x'"):
        window.drain()
    assert len(sent) == 3


def test_window_refused_request_is_never_tried_again() -> None:
    window = RequestWindow("write rows of 'x'", in_flight=2, retries=9)
    window.put(lambda: Answer(InvalidRequest("no such table")))
    with pytest.raises(StoreRefused, match="no such table"):
        window.drain()
    assert window.retried == 0


def test_window_request_that_cannot_be_sent_is_an_error_of_its_own() -> None:
    window = RequestWindow("try", in_flight=2, retries=0)

    def send() -> Answer:
        raise ValueError("broken")

    window.put(send)
    with pytest.raises(StoreRefused, match="broken"):
        window.drain()


def test_window_holds_back_when_full_and_goes_on_after_an_answer() -> None:
    window = RequestWindow("try", in_flight=2, retries=0)
    held = [Answer(["a"], is_held=True), Answer(["b"], is_held=True), Answer(["c"])]
    answers = list(held)
    for _ in range(2):
        window.put(lambda: answers.pop(0))
    passed = threading.Event()

    def third() -> None:
        window.put(lambda: answers.pop(0))
        passed.set()

    thread = threading.Thread(target=third)
    thread.start()
    assert not passed.wait(0.1)
    held[0].end()
    assert passed.wait(5)
    thread.join()


def test_window_halves_under_load_and_grows_back() -> None:
    window = RequestWindow("try", in_flight=8, retries=5)
    outcomes: list[Any] = [late(), late()]
    window.put(lambda: Answer(outcomes.pop(0) if outcomes else ["ok"]))
    window.drain()
    assert window.limit == 2
    for _ in range(32 * 6):
        window.put(lambda: Answer(["ok"]))
    window.drain()
    assert window.limit == 8


class Pace:
    """A clock, and answers that take what the test says."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.window = RequestWindow("try", in_flight=16, retries=0, clock=lambda: self.now_s)

    def answered(self, *ms: float, times: int = 1) -> int:
        """Send requests one after the other that take so long; return the window after them."""
        for _ in range(times):
            for each in ms:
                held = Answer(["ok"], is_held=True)
                self.window.put(lambda held=held: held)
                self.now_s += each / 1000
                held.end()
        return self.window.limit


def test_window_halves_when_the_p99_of_a_hundred_answers_doubles() -> None:
    pace = Pace()
    assert pace.answered(10.0, times=300) == 16
    assert pace.answered(19.9, times=100) == 16
    # 97 quick answers and three slow ones: the p99 is one of the slow
    assert pace.answered(*[10.0] * 97, 60.0, 60.0, 60.0) == 8


def test_window_one_slow_answer_in_a_hundred_changes_nothing() -> None:
    pace = Pace()
    pace.answered(10.0, times=100)
    assert pace.answered(*[10.0] * 99, 5_000.0) == 16


def test_window_of_a_store_that_stays_slower_grows_back() -> None:
    pace = Pace()
    pace.answered(10.0, times=100)
    assert pace.answered(25.0, times=100) == 8
    assert pace.answered(25.0, times=1_500) == 16


def test_window_is_never_less_than_one() -> None:
    window = RequestWindow("try", in_flight=8, retries=9)
    outcomes: list[Any] = [late() for _ in range(9)]
    window.put(lambda: Answer(outcomes.pop(0) if outcomes else ["ok"]))
    window.drain()
    assert window.limit == 1
