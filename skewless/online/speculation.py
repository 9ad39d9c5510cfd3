"""When an idempotent request is tried on a second host: after the p99 of those before it, or half of its time."""

from __future__ import annotations

from collections import deque
from typing import Any

from cassandra.policies import SpeculativeExecutionPolicy

from skewless.online.percentile import p99

_FIRST_S = 0.010
_SHORTEST_S, _LONGEST_S = 0.004, 0.100
_WINDOW, _RENEW_AFTER = 512, 128
_TIME_LEFT = "skewless_time_left_s"


def with_time_left(statement: Any, seconds: float) -> Any:
    """Tell a request how long its caller waits: a second attempt that begins after half of that helps nobody."""
    setattr(statement, _TIME_LEFT, seconds)
    return statement


class MeasuredSpeculation(SpeculativeExecutionPolicy):  # type: ignore[misc] # the driver has no types
    """One further attempt after the p99 of the last few hundred answers, within bounds.

    Beside a host that is slow for good, the p99 is that host's. So an attempt never waits longer than half of the time
    that the caller has left.
    """

    def __init__(self) -> None:
        """Begin with 10 ms until enough was measured."""
        self._durations: deque[float] = deque(maxlen=_WINDOW)
        self._fresh = 0
        self.delay_s = _FIRST_S

    def record(self, seconds: float) -> None:
        """Count the duration of a request that was answered."""
        self._durations.append(seconds)
        self._fresh += 1
        if self._fresh >= _RENEW_AFTER:
            self._fresh = 0
            self.delay_s = min(_LONGEST_S, max(_SHORTEST_S, p99(self._durations)))

    def new_plan(self, keyspace: str | None, statement: Any) -> _OneAttempt:
        """The plan of one request."""
        time_left_s: float | None = getattr(statement, _TIME_LEFT, None)
        return _OneAttempt(self.delay_s if time_left_s is None else min(self.delay_s, time_left_s / 2))


class _OneAttempt:
    """The driver asks for the delay of each further attempt; negative means none."""

    __slots__ = ("_delay_s",)

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s

    def next_execution(self, host: Any) -> float:
        delay_s, self._delay_s = self._delay_s, -1.0
        return delay_s
