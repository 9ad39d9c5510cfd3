"""What a client needs of a store: timeline, manifests, newest rows; Cassandra and memory both offer it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from skewless.core.serving import ServedView, ServingManifest
from skewless.core.timeline import Revision, Timeline
from skewless.core.vector import Status
from skewless.online.codec import Key

#: gen, event_us, state, then the features asked for, or the blob that holds them, in the store's own values; what may
#: follow is ignored.
StoredTuple = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The head of the timeline: the newest revision and the one before it."""

    current: Revision
    previous: Revision | None = None

    @property
    def timeline(self) -> Timeline:
        """Both as a timeline."""
        return Timeline((self.current,) if self.previous is None else (self.previous, self.current))


@dataclass(frozen=True, slots=True)
class Read:
    """The newest rows, up to a generation, of some entities of one view.

    Attributes:
        view: Whose table is read.
        features: Wanted, in that order.
        keys: Entities, each once.
        generation: Rows of later generations do not count.
    """

    view: ServedView
    features: tuple[str, ...]
    keys: tuple[Key, ...]
    generation: int


@dataclass(frozen=True, slots=True)
class TransportHealth:
    """What a transport knows of itself."""

    is_connected: bool
    hosts_up: int = 0
    hosts_down: int = 0
    orphaned_requests: int = 0
    details: dict[str, object] = field(default_factory=dict, hash=False)


class Gather:
    """Collects the answers to the reads of one call; whoever comes after the deadline is counted and dropped.

    A transport opens as many requests as it will send and ends each exactly once; the last end is the signal.
    """

    __slots__ = (
        "_lock",
        "_on_done",
        "_open",
        "consistency",
        "deadline",
        "failures",
        "is_closed",
        "late",
        "retries",
        "rows",
    )

    def __init__(
        self,
        reads: int,
        *,
        deadline: float,
        on_done: Callable[[], None],
        consistency: str | None = None,
    ) -> None:
        self.rows: list[dict[Key, StoredTuple | None]] = [{} for _ in range(reads)]
        self.failures: list[dict[Key, Status]] = [{} for _ in range(reads)]
        self.deadline = deadline
        self.consistency = consistency
        self.is_closed = False
        self.late = 0
        self.retries = 0
        self._on_done = on_done
        self._open = 0
        self._lock = threading.Lock()

    def remaining(self) -> float:
        """Seconds until the deadline; negative after it."""
        return self.deadline - time.monotonic()

    def opened(self, requests: int) -> None:
        """Announce requests, before the first of them is sent."""
        with self._lock:
            self._open += requests

    def arrived(self, read: int, keys: Iterable[Key], rows: dict[Key, StoredTuple]) -> None:
        """End a request: these keys were asked for, and these rows exist."""
        with self._lock:
            if not self.is_closed:
                self.rows[read].update(dict.fromkeys(keys))
                self.rows[read].update(rows)
        self._ended()

    def failed(self, read: int, keys: Iterable[Key], status: Status) -> None:
        """End a request that has no answer."""
        with self._lock:
            if not self.is_closed:
                self.failures[read].update(dict.fromkeys(keys, status))
        self._ended()

    def retried(self, requests: int) -> None:
        """End a request that failed, before others are sent in its place."""
        with self._lock:
            self._open += requests
            self.retries += requests
        self._ended()

    def close(self) -> int:
        """Refuse whatever comes from now on; return how many requests are still out."""
        with self._lock:
            self.is_closed = True
            return self._open

    def _ended(self) -> None:
        with self._lock:
            self._open -= 1
            is_last = self._open == 0
            self.late += self.is_closed
        if is_last:
            self._on_done()


class Transport(Protocol):
    """A store as a client sees it; every method may be called from any thread."""

    def snapshot(self) -> Snapshot | None:
        """The head of the timeline; None before the first revision."""

    def revisions(self, since: int) -> tuple[Revision, ...]:
        """The revisions after a number, ascending."""

    def serving(self, service: str) -> ServingManifest | None:
        """The manifest of a service; None when there is none."""

    def contract(self, service: str, contract_hash: str) -> ServingManifest | None:
        """The manifest that a service had under a contract; None when it never had that one."""

    def services(self) -> tuple[str, ...]:
        """The names of all services, sorted."""

    def start(self, reads: Sequence[Read], gather: Gather) -> None:
        """Send reads and return at once; answers go to `gather` by the reads' positions."""

    def prepare(self, view: ServedView, features: tuple[str, ...]) -> None:
        """Do ahead of time what the first read of these columns would have to do."""

    def health(self) -> TransportHealth:
        """How it is."""

    def close(self) -> None:
        """Let go of everything."""
