"""What a call of a client was like, told to whoever watches: for metrics and traces, not for replay."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from skewless.core.vector import Status
from skewless.online.reading import Question
from skewless.online.service_plan import Answer

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call, whichever way it ended.

    Attributes:
        service: As the caller named it.
        keys: How many it asked for.
        seconds: From the call's beginning until every answer was there and judged, connecting included.
        statuses: view → status → number of values, one per key and feature; empty when the call raised.
        age: view → the greatest age among its answers, withheld ones included; None without a row.
        revision: The revision that answered; None before the first, or when the call raised.
        unconfirmed: True when the client could not confirm the timeline lately.
        retries: Requests that were sent again after a failure.
        unanswered: Requests still out when the deadline came: the store answers them for nobody.
        error: Name of the exception that ended the call; None when it answered.
    """

    service: str
    keys: int
    seconds: float
    statuses: Mapping[str, Mapping[Status, int]] = field(default_factory=dict, hash=False)
    age: Mapping[str, timedelta | None] = field(default_factory=dict, hash=False)
    revision: int | None = None
    unconfirmed: bool = False
    retries: int = 0
    unanswered: int = 0
    error: str | None = None

    @property
    def is_timed_out(self) -> bool:
        """True when a value is missing because the deadline came first."""
        return any(Status.TIMEOUT in counts for counts in self.statuses.values())


Observer = Callable[[CallRecord], None]


class Watcher:
    """Tells an observer of every call; an observer that fails changes no answer."""

    def __init__(self, observer: Observer) -> None:
        """Tell that one."""
        self._observer = observer
        self._failures: set[type[Exception]] = set()

    def watch(self, service: str, keys: int) -> Watch:
        """Begin to watch a call."""
        return Watch(self, service, keys)

    def tell(self, record: Callable[[], CallRecord]) -> None:
        """Tell of a call that has ended; a failure is logged once per kind of exception, for calls are many."""
        try:
            self._observer(record())
        except Exception as failure:
            if type(failure) not in self._failures:
                self._failures.add(type(failure))
                _log.exception("the observer of calls failed; its next %s is not logged", type(failure).__name__)


class Watch:
    """A call that is going on; it ends in one of two ways."""

    __slots__ = ("_began", "_keys", "_service", "_watcher")

    def __init__(self, watcher: Watcher, service: str, keys: int) -> None:
        self._watcher, self._service, self._keys = watcher, service, keys
        self._began = time.perf_counter()

    def answered(self, asked: Question, answers: Sequence[Sequence[Answer]], *, retries: int, unanswered: int) -> None:
        """The call answers."""
        seconds = time.perf_counter() - self._began

        def record() -> CallRecord:
            by_view = {view.view.name: column for view, column in zip(asked.plan.views, answers, strict=True)}
            revision = asked.moment.revision
            return CallRecord(
                self._service,
                self._keys,
                seconds,
                statuses={view: _counted(column) for view, column in by_view.items()},
                age={view: _greatest_age(column) for view, column in by_view.items()},
                revision=None if revision is None else revision.number,
                unconfirmed=not asked.moment.is_confirmed,
                retries=retries,
                unanswered=unanswered,
            )

        self._watcher.tell(record)

    def failed(self, error: BaseException) -> None:
        """The call raises."""
        seconds = time.perf_counter() - self._began
        self._watcher.tell(lambda: CallRecord(self._service, self._keys, seconds, error=type(error).__name__))


def _counted(column: Sequence[Answer]) -> dict[Status, int]:
    # Most answers of a view share one tuple of statuses: each of those is counted once, and not value by value.
    shared = {id(answer.status): answer.status for answer in column}
    counts: Counter[Status] = Counter()
    for place, times in Counter(id(answer.status) for answer in column).items():
        for status in shared[place]:
            counts[status] += times
    return dict(counts)


def _greatest_age(column: Sequence[Answer]) -> timedelta | None:
    return max((answer.age for answer in column if answer.age is not None), default=None)
