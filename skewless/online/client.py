"""The client that services use: values, each with an honest status, in a few milliseconds."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType

from skewless.core.clock import Clock, SystemClock
from skewless.core.dtypes import DType
from skewless.online.cassandra_transport import CassandraTransport
from skewless.online.connection import OnlineTarget
from skewless.online.errors import BadRequest
from skewless.online.live import Live
from skewless.online.observer import Observer, Watcher
from skewless.online.options import ClientHealth, ClientOptions
from skewless.online.reader import Reader
from skewless.online.reading import Moment
from skewless.online.served_log import ServedLog, ServedRecord
from skewless.online.transport import Transport


class OnlineClient(Reader):
    """Reads feature vectors; made by `connect`, safe to share between threads and to keep across a fork."""

    def __init__(self, open_transport: Callable[[], Transport], options: ClientOptions | None = None) -> None:
        """Remember how to reach a store; nothing is opened before the first call."""
        self._open_transport = open_transport
        self._options = options or ClientOptions()
        log, observer = self._options.log, self._options.observer
        super().__init__(
            deadline_ms=self._options.deadline_ms,
            log=None if log is None else ServedLog(log, self._options.log_share),
            watcher=None if observer is None else Watcher(observer),
        )
        self._lives: dict[int, Live] = {}
        self._locks: dict[int, threading.Lock] = {}
        self._is_closed = False

    @classmethod
    def connect(  # noqa: PLR0913 - the front door: all by keyword, each with a default
        cls,
        contact_points: Sequence[str],
        *,
        project: str,
        port: int = 9042,
        keyspace: str | None = None,
        local_dc: str = "datacenter1",
        username: str | None = None,
        password: str | None = None,
        ca_file: str | None = None,
        tls_name: str | None = None,
        consistency: str = "LOCAL_QUORUM",
        clock: Clock | None = None,
        contract_hash: str | Mapping[str, str] | None = None,
        poll_interval: timedelta | None = timedelta(seconds=1),
        deadline_ms: float = 50.0,
        log: Callable[[ServedRecord], None] | None = None,
        log_share: float = 0.01,
        observer: Observer | None = None,
    ) -> OnlineClient:
        """Make a client of a Cassandra cluster; it connects at the first call, once per process.

        Args:
            contact_points: Host names or addresses.
            project: Whose services are read.
            port: Native protocol port.
            keyspace: Of the project; None means `skewless_<project>`.
            local_dc: Data centre whose replicas are asked.
            username: Role; None without authentication. A role that can only read is enough; one that can write
                is told so in the log.
            password: Of the role.
            ca_file: Certificate authorities for TLS; None without TLS.
            tls_name: The name that every node's certificate holds; None: each holds its own address.
            consistency: Of every read.
            clock: Whose now is the observation time; None is the machine's own.
            contract_hash: The contract by which every service is read, or one per service, also when the service has
                moved on to another; None takes the newest when it first asks, and goes on with it until `refresh`.
            poll_interval: Between two looks at the timeline; None looks before each call.
            deadline_ms: For a whole call, unless the call says otherwise; connecting and a service's first call
                are outside of it (see `warmup`).
            log: Receives what was served.
            log_share: Share of the keys that is recorded, always the same ones.
            observer: Is told of every call, in its caller's thread (for `aget` in the event loop): it should be quick.
                What it raises changes no answer; it is logged, once per kind.
        """
        target = OnlineTarget(
            contact_points=(contact_points,) if isinstance(contact_points, str) else tuple(contact_points),
            port=port,
            keyspace=keyspace or f"skewless_{project}",
            local_dc=local_dc,
            username=username,
            password=password,
            ca_file=ca_file,
            tls_name=tls_name,
        )
        options = ClientOptions(
            clock=clock or SystemClock(),
            contract_hash=contract_hash,
            poll_interval=poll_interval,
            deadline_ms=deadline_ms,
            log=log,
            log_share=log_share,
            observer=observer,
        )
        return cls(lambda: CassandraTransport(target, project, consistency=consistency), options)

    @contextmanager
    def snapshot(self) -> Iterator[PinnedClient]:
        """Several reads of one revision at one instant, whatever is published meanwhile.

        Keep it short: rows older than the retained revisions are swept.
        """
        live = self._live()
        yield PinnedClient(live, self._moment(live), self._deadline_ms, log=self._log, watcher=self._watcher)

    def refresh(self) -> None:
        """Look at the timeline and at the manifests in use now.

        Raises:
            StoreUnreachable: The store did not answer; what is held stays held.
        """
        self._live().refresh()

    def warmup(self, services: Sequence[str] | None = None) -> None:
        """Connect and prepare the reads of services, so that the first call is as quick as the others.

        Args:
            services: Which; None means all of the project.

        Raises:
            StoreUnreachable: The store does not answer or knows nothing of the project.
            ServiceUnknown: A service has no manifest.
            ContractMismatch: A service never had the pinned contract.
        """
        live = self._live()
        for service in live.transport.services() if services is None else services:
            live.plan(service, self._moment(live).revision)

    def key_types(self, service: str) -> Mapping[str, DType]:
        """The keys that a service is asked by: key column → type. Raises as `warmup` does."""
        live = self._live()
        return live.plan(service, self._moment(live).revision).key_types

    def health(self) -> ClientHealth:
        """How the client is."""
        live = self._live()
        head = live.follower.timeline.head
        seconds = live.follower.confirmed_s()
        return ClientHealth(
            revision=None if head is None else head.number,
            is_confirmed=live.follower.is_confirmed(),
            confirmed_ago=None if seconds == float("inf") else timedelta(seconds=seconds),
            unanswered_requests=live.unanswered,
            transport=live.transport.health(),
        )

    def close(self) -> None:
        """Let go of connection and background thread; calls after it are refused."""
        self._is_closed = True
        live = self._lives.pop(os.getpid(), None)
        if live is not None:
            live.close()

    def __enter__(self) -> OnlineClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _moment(self, live: Live) -> Moment:
        return live.moment()

    def _live(self) -> Live:
        # The parent's connection stays referenced in a forked child: letting go of it would close the parent's socket.
        pid = os.getpid()
        live = self._lives.get(pid)
        if live is not None:
            return live
        with self._locks.setdefault(pid, threading.Lock()):
            if self._is_closed:
                raise BadRequest("This client is closed. Make another one with OnlineClient.connect.")
            if pid not in self._lives:
                self._lives[pid] = self._opened()
            return self._lives[pid]

    async def _alive(self) -> Live:
        live = self._lives.get(os.getpid())
        return live if live is not None else await asyncio.to_thread(self._live)

    def _opened(self) -> Live:
        options = self._options
        transport = self._open_transport()
        try:
            return Live.begin(
                transport, clock=options.clock, pins=options.contract_hash, poll_interval=options.poll_interval
            )
        except BaseException:
            transport.close()
            raise


class PinnedClient(Reader):
    """Reads of one revision at one instant; made by `OnlineClient.snapshot`."""

    _is_pinned = True

    def __init__(
        self, live: Live, moment: Moment, deadline_ms: float, *, log: ServedLog | None, watcher: Watcher | None
    ) -> None:
        """Stand still at a moment."""
        super().__init__(deadline_ms=deadline_ms, log=log, watcher=watcher)
        self._held, self._pinned = live, moment

    @property
    def revision(self) -> int | None:
        """The revision that answers; None before the first."""
        return None if self._pinned.revision is None else self._pinned.revision.number

    def _moment(self, live: Live) -> Moment:
        return self._pinned

    def _live(self) -> Live:
        return self._held

    async def _alive(self) -> Live:
        return self._held
