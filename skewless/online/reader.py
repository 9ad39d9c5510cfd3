"""The reading half of a client: get, get_many, their async twins, explain."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

from skewless.core.vector import FeatureVector
from skewless.online.batch import FeatureBatch, feature_batch
from skewless.online.connection import consistency_level
from skewless.online.errors import BadRequest
from skewless.online.explanation import Explanation, explanation
from skewless.online.live import Live
from skewless.online.observer import Watch, Watcher
from skewless.online.reading import Moment, Question, question
from skewless.online.served_log import ServedLog
from skewless.online.service_plan import Answer
from skewless.online.transport import Gather, Read

Keys = Mapping[str, object]


class Reader(ABC):
    """Reads vectors at the moments that a subclass decides."""

    _is_pinned: ClassVar[bool] = False

    def __init__(self, *, deadline_ms: float, log: ServedLog | None, watcher: Watcher | None) -> None:
        self._deadline_ms = _checked_deadline(deadline_ms)
        self._log = log
        self._watcher = watcher

    @abstractmethod
    def _live(self) -> Live:
        """The connection of this process."""

    @abstractmethod
    async def _alive(self) -> Live:
        """As `_live`, without holding the event loop up."""

    @abstractmethod
    def _moment(self, live: Live) -> Moment:
        """When the next call is asked."""

    def get(
        self, service: str, keys: Keys, *, deadline_ms: float | None = None, consistency: str | None = None
    ) -> FeatureVector:
        """The features of one entity now.

        Args:
            service: Name of a feature service.
            keys: Key column → value, exactly those of the service; a null part is nobody's key: NOT_FOUND.
            deadline_ms: For the whole call; what has not arrived by then is TIMEOUT.
            consistency: LOCAL_ONE waives the quorum for this call.

        Raises:
            UsageError: Unknown service, or keys that cannot be its keys.
            ContractBroken: The service has another contract than the pinned one.
            StoreUnreachable: No connection could be made; a store that fails later shows as ERROR and TIMEOUT.
        """
        asked, answers = self._answered(service, (keys,), deadline_ms, consistency)
        return asked.vector(answers)

    def get_many(
        self,
        service: str,
        keys: Iterable[Keys],
        *,
        deadline_ms: float | None = None,
        consistency: str | None = None,
    ) -> FeatureBatch:
        """The features of many entities now, as columns; order and duplicates are kept. Raises as `get` does."""
        return feature_batch(*self._answered(service, tuple(keys), deadline_ms, consistency))

    async def aget(
        self, service: str, keys: Keys, *, deadline_ms: float | None = None, consistency: str | None = None
    ) -> FeatureVector:
        """As `get`, without holding the event loop up."""
        asked, answers = await self._aanswered(service, (keys,), deadline_ms, consistency)
        return asked.vector(answers)

    async def aget_many(
        self,
        service: str,
        keys: Iterable[Keys],
        *,
        deadline_ms: float | None = None,
        consistency: str | None = None,
    ) -> FeatureBatch:
        """As `get_many`, without holding the event loop up."""
        return feature_batch(*await self._aanswered(service, tuple(keys), deadline_ms, consistency))

    def explain(self, service: str, keys: Keys) -> Explanation:
        """Why the answer is what it is: revision, pointers, the rows that won, ages. Raises as `get` does."""
        return explanation(*self._answered(service, (keys,), max(self._deadline_ms, 1000.0), None))

    def _answered(
        self, service: str, keys: Sequence[Keys], deadline_ms: float | None, consistency: str | None
    ) -> tuple[Question, list[list[Answer]]]:
        watch = None if self._watcher is None else self._watcher.watch(service, len(keys))
        try:
            live = self._live()
            asked = self._asked(live, service, keys)
            done = threading.Lock()
            done.acquire()
            gather, reads = self._gather(asked, deadline_ms, consistency, done.release)
            if reads:
                live.transport.start([read for _, read in reads], gather)
                done.acquire(timeout=max(gather.remaining(), 0.0))
            return asked, self._ended(live, asked, reads, gather, watch)
        except BaseException as error:
            if watch is not None:
                watch.failed(error)
            raise

    async def _aanswered(
        self, service: str, keys: Sequence[Keys], deadline_ms: float | None, consistency: str | None
    ) -> tuple[Question, list[list[Answer]]]:
        watch = None if self._watcher is None else self._watcher.watch(service, len(keys))
        try:
            live = await self._alive()
            if live.is_ready(service, self._moment(live).revision):
                asked = self._asked(live, service, keys)
            else:
                asked = await asyncio.to_thread(self._asked, live, service, keys)
            loop = asyncio.get_running_loop()
            done: asyncio.Future[None] = loop.create_future()
            gather, reads = self._gather(asked, deadline_ms, consistency, _signal(loop, done))
            if reads:
                live.transport.start([read for _, read in reads], gather)
                await asyncio.wait((done,), timeout=max(gather.remaining(), 0.0))
            return asked, self._ended(live, asked, reads, gather, watch)
        except BaseException as error:
            if watch is not None:
                watch.failed(error)
            raise

    def _asked(self, live: Live, service: str, keys: Sequence[Keys]) -> Question:
        if live.polls_before_calls and not self._is_pinned:
            live.follower.refresh()
        moment = self._moment(live)
        return question(live.plan(service, moment.revision), keys, moment)

    def _gather(
        self, asked: Question, deadline_ms: float | None, consistency: str | None, on_done: Callable[[], None]
    ) -> tuple[Gather, list[tuple[int, Read]]]:
        if consistency is not None:
            consistency_level(consistency)
        milliseconds = self._deadline_ms if deadline_ms is None else _checked_deadline(deadline_ms)
        reads = asked.reads
        deadline = time.monotonic() + milliseconds / 1000
        return Gather(len(reads), deadline=deadline, on_done=on_done, consistency=consistency), reads

    def _ended(
        self, live: Live, asked: Question, reads: Sequence[tuple[int, Read]], gather: Gather, watch: Watch | None
    ) -> list[list[Answer]]:
        unanswered = gather.close()
        live.unanswered += unanswered
        answers = asked.answers(reads, gather)
        if self._log is not None:
            self._log.record(asked, answers)
        if watch is not None:
            watch.answered(asked, answers, retries=gather.retries, unanswered=unanswered)
        return answers


def _checked_deadline(milliseconds: float) -> float:
    if not milliseconds > 0:
        raise BadRequest(f"A deadline of {milliseconds} ms leaves no time to answer. Give a positive number.")
    return milliseconds


def _signal(loop: asyncio.AbstractEventLoop, done: asyncio.Future[None]) -> Callable[[], None]:
    def settle() -> None:
        if not done.done():
            done.set_result(None)

    def signal() -> None:
        # An answer after the deadline may find the loop closed already.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle)

    return signal
