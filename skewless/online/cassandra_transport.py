"""The store as a client sees it, on Cassandra."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cassandra import Unauthorized

from skewless.core.serving import ServedView, ServingManifest
from skewless.core.timeline import Revision
from skewless.core.vector import Status
from skewless.online import cql
from skewless.online.codec import Key, key_decoder, partition_bytes
from skewless.online.connection import CLIENT_HEARTBEAT_S, OnlineTarget, consistency_level, open_cluster
from skewless.online.errors import KeyspaceMissing, StoreRefused
from skewless.online.faults import DRIVER_ERRORS, as_ours, is_refusal, is_timeout
from skewless.online.roles import warn_of_writer
from skewless.online.routing import Router, in_groups, prefer
from skewless.online.speculation import with_time_left
from skewless.online.timeline_store import TimelineStore
from skewless.online.transport import Gather, Read, Snapshot, TransportHealth

_log = logging.getLogger(__name__)

#: Keys per request. A hundred keys in groups of 32 cost the client half as much again, and are answered a tenth later.
GROUP = 100
#: Less time than this is not worth a second attempt.
_WORTH_A_RETRY_S = 0.002


@dataclass(frozen=True, slots=True)
class _Request:
    """One request in flight: a point read or a group."""

    number: int
    read: Read
    keys: list[Key]
    host: Any | None = None
    is_retry: bool = False


@dataclass(frozen=True, slots=True)
class _Statements:
    """The prepared reads of some columns of a view."""

    one: Any
    many: Any
    is_wrapped: bool
    key_of: Callable[[Any], Key]


class CassandraTransport:
    """Reads through one cluster connection of its own."""

    def __init__(self, target: OnlineTarget, project: str, *, consistency: str = "LOCAL_QUORUM") -> None:
        self._target = target
        self._cluster, self._session = open_cluster(target, consistency=consistency, heartbeat_s=CLIENT_HEARTBEAT_S)
        warn_of_writer(self._session, target.username, target.keyspace)
        self._timeline = TimelineStore(self._session, target.keyspace, project)
        self._router = Router(self._cluster, target.keyspace)
        self._speculation = self._cluster.profile_manager.default.speculative_execution_policy
        self._prepared: dict[tuple[str, tuple[str, ...]], _Statements] = {}
        self._lock = threading.Lock()

    def snapshot(self) -> Snapshot | None:
        """The head of the timeline; None before the first revision.

        Raises:
            KeyspaceMissing: The project was never applied to this cluster.
            StoreRefused: The role may not read it.
        """
        try:
            return self._timeline.read()
        except StoreRefused as error:
            if isinstance(error.__cause__, Unauthorized):
                raise
            target = self._target
            raise KeyspaceMissing(
                keyspace=target.keyspace, contact_points=target.contact_points, port=target.port
            ) from error

    def revisions(self, since: int) -> tuple[Revision, ...]:
        """The revisions after a number, ascending."""
        return self._timeline.log(since=since)

    def serving(self, service: str) -> ServingManifest | None:
        """The manifest of a service; None when there is none."""
        return self._timeline.read_serving(service)

    def contract(self, service: str, contract_hash: str) -> ServingManifest | None:
        """The manifest that a service had under a contract; None when it never had that one."""
        return self._timeline.read_contract(service, contract_hash)

    def services(self) -> tuple[str, ...]:
        """The names of all services, sorted."""
        return self._timeline.services()

    def prepare(self, view: ServedView, features: tuple[str, ...]) -> None:
        """Prepare the reads of these columns."""
        self._statements(view, features)

    def start(self, reads: Sequence[Read], gather: Gather) -> None:
        """Send all reads at once: one key as a point read, more in groups by replica."""
        requests = [
            _Request(number, read, keys, host) for number, read in enumerate(reads) for host, keys in self._groups(read)
        ]
        gather.opened(len(requests))
        for request in requests:
            self._send(request, gather)

    def health(self) -> TransportHealth:
        """Hosts as the driver sees them."""
        hosts = self._cluster.metadata.all_hosts()
        up = sum(1 for host in hosts if host.is_up)
        return TransportHealth(
            is_connected=not self._session.is_shutdown,
            hosts_up=up,
            hosts_down=len(hosts) - up,
            orphaned_requests=self._orphans(),
            details={
                "event_loop": self._cluster.connection_class.__name__,
                "speculation_ms": self._speculation.delay_s * 1000,
            },
        )

    def close(self) -> None:
        """Close the connection."""
        self._cluster.shutdown()

    def _groups(self, read: Read) -> list[tuple[Any | None, list[Key]]]:
        keys = list(read.keys)
        if self._router.is_trivial:
            return [(self._router.sole_host(), group) for group in in_groups(keys, GROUP)]
        is_wrapped = cql.is_wrapped(read.view)
        routed = [(key, partition_bytes(read.view.keys, key, is_wrapped=is_wrapped)) for key in keys]
        return list(self._router.grouped(routed, size=GROUP))

    def _statements(self, view: ServedView, features: tuple[str, ...]) -> _Statements:
        found = self._prepared.get((view.table, features))
        if found is None:
            with self._lock:
                found = self._prepared[view.table, features] = self._prepare(view, features)
        return found

    def _prepare(self, view: ServedView, features: tuple[str, ...]) -> _Statements:
        keyspace = self._target.keyspace
        try:
            one = self._session.prepare(cql.select_newest(keyspace, view, features))
            many = self._session.prepare(cql.select_newest_of_many(keyspace, view, features))
        except DRIVER_ERRORS as error:
            raise as_ours(error, operation=f"prepare the reads of '{view.table}'") from error
        for statement in (one, many):
            statement.is_idempotent = True
            # With paging the coordinator would walk the partitions one after another.
            statement.fetch_size = None
        is_wrapped = cql.is_wrapped(view)
        return _Statements(one, many, is_wrapped, key_decoder(view.keys, is_wrapped=is_wrapped))

    def _orphans(self) -> int:
        pools = self._session.get_pools()
        return sum(
            len(connection.orphaned_request_ids)
            for pool in pools
            for connection in getattr(pool, "_connections", {}).values()
            if hasattr(connection, "orphaned_request_ids")
        )

    def _send(self, request: _Request, gather: Gather) -> None:
        try:
            bound = prefer(self._bound(request), request.host)
            if gather.consistency is not None:
                bound.consistency_level = consistency_level(gather.consistency)
            time_left_s = max(gather.remaining(), 0.001)
            future = self._session.execute_async(with_time_left(bound, time_left_s), timeout=time_left_s)
        except Exception as error:
            self._give_up(request, gather, error)
            return
        self._router.started(request.host)
        future.add_callbacks(
            self._received,
            self._failed,
            callback_args=(request, gather, time.perf_counter()),
            errback_args=(request, gather),
        )

    def _bound(self, request: _Request) -> Any:
        read = request.read
        statements = self._statements(read.view, read.features)
        keys = request.keys if statements.is_wrapped else [key[0] for key in request.keys]
        if len(keys) == 1:
            return statements.one.bind((keys[0], read.generation))
        return statements.many.bind((keys, read.generation))

    def _received(self, rows: list[tuple[Any, ...]] | None, request: _Request, gather: Gather, began: float) -> None:
        self._router.ended(request.host)
        self._speculation.record(time.perf_counter() - began)
        keys = request.keys
        try:
            if len(keys) == 1:
                found = {keys[0]: rows[0]} if rows else {}
            else:
                read = request.read
                key_of = self._statements(read.view, read.features).key_of
                found = {key_of(row[-1]): row for row in rows or ()}
        except Exception as error:
            self._give_up(request, gather, error)
            return
        gather.arrived(request.number, keys, found)

    def _failed(self, error: BaseException, request: _Request, gather: Gather) -> None:
        self._router.ended(request.host)
        if request.is_retry or is_refusal(error) or gather.remaining() < _WORTH_A_RETRY_S:
            self._give_up(request, gather, error)
            return
        again = [_Request(request.number, request.read, [key], is_retry=True) for key in request.keys]
        gather.retried(len(again))
        for single in again:
            self._send(single, gather)

    def _give_up(self, request: _Request, gather: Gather, error: BaseException) -> None:
        _log.debug("read of %s gave up: %s", request.read.view.table, error)
        gather.failed(request.number, request.keys, Status.TIMEOUT if is_timeout(error) else Status.ERROR)
