"""Requests in flight within bounds: a window that shrinks under load, retries with jitter, then an error."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from skewless.online.faults import as_ours, is_overload, is_refusal
from skewless.online.patience import patiently, pause
from skewless.online.percentile import p99

#: Successes in a row after which a shrunken window grows by one.
_GROW_AFTER = 32
#: Answers of which the slowest but one tells how long they take now.
_JUDGED = 100


def prepared(session: Any, statement: str, *, operation: str, retries: int) -> Any:
    """Prepare a statement as patiently as it will be executed. Raises as `patiently` does."""
    return patiently(lambda: session.prepare(statement), operation=operation, retries=retries)


@dataclass(slots=True)
class _Job:
    send: Callable[[], Any]
    context: Any
    attempts: int = 0
    began: float = 0.0


class RequestWindow:
    """Keeps at most `in_flight` requests out; `put` waits, answers are taken with `taken`.

    The window halves when the store says that it is overloaded, and when the p99 of the last hundred answers is twice
    the usual one: whoever reads beside a push feels that before the push does. It grows again by one at a time.

    Args:
        operation: What the requests do, for messages ("write rows of 'x'").
        in_flight: Requests out at once, at most.
        retries: Further attempts of a failed request.
        clock: Seconds, from anywhere.
    """

    def __init__(
        self, operation: str, *, in_flight: int, retries: int, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._operation = operation
        self._clock = clock
        self._most = self._limit = max(1, in_flight)
        self._retries = retries
        self._out = 0
        self._streak = 0
        self._recent_ms: list[float] = []
        self._usual_ms: float | None = None
        self._failed: deque[tuple[_Job, BaseException]] = deque()
        self._answered: deque[tuple[Any, Any]] = deque()
        self._changed = threading.Condition()
        self.retried = 0
        self.durations_ms: list[float] = []

    @property
    def limit(self) -> int:
        """The window now."""
        return self._limit

    def put(self, send: Callable[[], Any], context: Any = None) -> None:
        """Send a request when there is room.

        Args:
            send: Returns the driver's future; called again for each attempt.
            context: Given back with the answer.

        Raises:
            StoreUnreachable: A request failed at its last attempt.
            StoreRefused: A request can never succeed.
        """
        self._wait(lambda: self._out < self._limit)
        self._send(_Job(send, context))

    def drain(self) -> None:
        """Wait until every request has succeeded. Raises as `put` does."""
        self._wait(lambda: self._out == 0)

    def taken(self) -> list[tuple[Any, Any]]:
        """The (context, rows) of requests answered since the last call."""
        with self._changed:
            answered = list(self._answered)
            self._answered.clear()
            return answered

    def p99_ms(self) -> float:
        """The 99th percentile of the durations of successful requests."""
        return p99(self.durations_ms)

    def _wait(self, is_enough: Callable[[], bool]) -> None:
        while True:
            with self._changed:
                while not self._failed and not is_enough():
                    self._changed.wait()
                if not self._failed:
                    return
                job, error = self._failed.popleft()
            self._retry(job, error)

    def _retry(self, job: _Job, error: BaseException) -> None:
        if job.attempts > self._retries or is_refusal(error):
            raise as_ours(error, operation=self._operation) from error
        self.retried += 1
        pause(job.attempts)
        self._send(job)

    def _send(self, job: _Job) -> None:
        job.attempts += 1
        job.began = self._clock()
        with self._changed:
            self._out += 1
        try:
            future = job.send()
        except Exception as error:
            self._on_error(error, job)
            return
        future.add_callbacks(self._on_rows, self._on_error, callback_args=(job,), errback_args=(job,))

    def _on_rows(self, rows: Any, job: _Job) -> None:
        with self._changed:
            self._out -= 1
            self._timed((self._clock() - job.began) * 1000)
            self._answered.append((job.context, rows))
            self._streak += 1
            if self._streak >= _GROW_AFTER and self._limit < self._most:
                self._limit, self._streak = self._limit + 1, 0
            self._changed.notify()

    def _on_error(self, error: BaseException, job: _Job) -> None:
        with self._changed:
            self._out -= 1
            self._streak = 0
            if is_overload(error):
                self._halve()
            self._failed.append((job, error))
            self._changed.notify()

    def _timed(self, ms: float) -> None:
        self.durations_ms.append(ms)
        self._recent_ms.append(ms)
        if len(self._recent_ms) < _JUDGED:
            return
        now_ms = p99(self._recent_ms)
        self._recent_ms.clear()
        usual_ms = now_ms if self._usual_ms is None else self._usual_ms
        if now_ms > 2 * usual_ms:
            self._halve()
        # What is usual follows slowly: a store that stays slower is not throttled for ever.
        self._usual_ms = usual_ms + (now_ms - usual_ms) / 8

    def _halve(self) -> None:
        self._limit, self._streak = max(1, self._limit // 2), 0
