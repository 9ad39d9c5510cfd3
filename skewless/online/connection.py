"""Connections to Cassandra: one value that says where, and one session per process for jobs."""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cassandra import ConsistencyLevel, OperationTimedOut
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable
from cassandra.policies import (
    ConstantReconnectionPolicy,
    ConstantSpeculativeExecutionPolicy,
    SpeculativeExecutionPolicy,
)
from cassandra.query import tuple_factory

from skewless.online import cql, entrance
from skewless.online.errors import BadRequest
from skewless.online.routing import PreferredHostPolicy
from skewless.online.speculation import MeasuredSpeculation

#: Seconds after which a write, which is idempotent, is tried on a second host as well, once.
WRITE_SPECULATION_S = 0.250
#: A service must leave a frozen node soon; a job on a busy machine must not take a pause for a death.
CLIENT_HEARTBEAT_S, JOB_HEARTBEAT_S = 2.0, 10.0
_CONNECT_TIMEOUT_S = 3.0
_RECONNECT_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class OnlineTarget:
    """Where the online store is and how hard it may be leant on; travels to executors.

    Attributes:
        contact_points: Host names or addresses.
        port: Native protocol port.
        keyspace: The project's keyspace.
        local_dc: Data centre whose replicas are asked.
        username: Role; None without authentication.
        password: Of the role; never shown.
        ca_file: Certificate authorities for TLS; None without TLS.
        tls_name: The name that every node's certificate holds; None: each holds its own address.
        batch_statements: Rows per unlogged batch, at most.
        batch_bytes: Bytes of values per unlogged batch, at most (but at least one row).
        in_flight: Requests in flight per call, at most.
        rows_per_second_cap: Rows written per second and call, at most; None without bound.
        retries: Further attempts of a failed request.
    """

    contact_points: tuple[str, ...]
    port: int = 9042
    keyspace: str = ""
    local_dc: str = "datacenter1"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    tls_name: str | None = None
    batch_statements: int = 20
    batch_bytes: int = 5_000
    in_flight: int = 32
    rows_per_second_cap: int | None = None
    retries: int = 4

    def __post_init__(self) -> None:
        """Refuse a keyspace that is no name before anything is sent.

        Raises:
            UsageError: It could be anything but a name.
        """
        if self.keyspace:
            cql.quoted(self.keyspace)


def open_cluster(
    target: OnlineTarget, *, consistency: str = "LOCAL_QUORUM", heartbeat_s: float = JOB_HEARTBEAT_S
) -> tuple[Cluster, Any]:
    """Connect and return (cluster, session); nothing is kept, the caller shuts the cluster down.

    Args:
        target: The online store.
        consistency: Of reads.
        heartbeat_s: Silence after which an idle connection is tested, and again after which it is given up.

    Raises:
        ClusterUnreachable: No contact point answered.
        LoginRefused: The role or its password is not accepted, or none is set and one is asked for.
        CertificateRefused: Who answers is not proven to be the cluster.
        ConfigError: The file of certificate authorities cannot be read.
    """
    logging.getLogger("cassandra.protocol").addFilter(_is_news)
    cluster = Cluster(
        list(target.contact_points),
        port=target.port,
        protocol_version=4,
        compression=False,
        auth_provider=entrance.login(target),
        ssl_context=entrance.tls(target),
        ssl_options=None if target.tls_name is None else {"server_hostname": target.tls_name},
        execution_profiles={
            EXEC_PROFILE_DEFAULT: _profile(target, consistency, MeasuredSpeculation()),
            "write": _profile(target, "LOCAL_QUORUM", ConstantSpeculativeExecutionPolicy(WRITE_SPECULATION_S, 1)),
        },
        connect_timeout=_CONNECT_TIMEOUT_S,
        # The driver's own policy doubles its pauses up to ten minutes, long after the node is back.
        reconnection_policy=ConstantReconnectionPolicy(_RECONNECT_EVERY_S, max_attempts=None),
        idle_heartbeat_interval=heartbeat_s,
        idle_heartbeat_timeout=heartbeat_s,
        status_event_refresh_window=0,
    )
    try:
        return cluster, cluster.connect()
    except (NoHostAvailable, OperationTimedOut, OSError) as error:
        cluster.shutdown()
        raise entrance.refusal(error, target) from error


def consistency_level(name: str) -> int:
    """The driver's number of a consistency level.

    Raises:
        BadRequest: There is none of that name.
    """
    try:
        return int(ConsistencyLevel.name_to_value[name])
    except KeyError:
        message = f"'{name}' is no consistency level. Use LOCAL_QUORUM (the default) or LOCAL_ONE."
        raise BadRequest(message) from None


_lock = threading.Lock()
_open: dict[tuple[Any, ...], tuple[Cluster, Any]] = {}


def session_for(target: OnlineTarget) -> Any:
    """The process's own session to a target: opened once, shared by its tasks, closed at exit.

    Targets that differ in keyspace or load only share one.

    Raises:
        ClusterUnreachable: No contact point answered.
    """
    place = (target.contact_points, target.port, target.local_dc)
    key = (os.getpid(), *place, target.username, target.password, target.ca_file, target.tls_name)
    with _lock:
        if key not in _open:
            _open[key] = open_cluster(target)
        return _open[key][1]


@contextmanager
def session(target: OnlineTarget) -> Iterator[Any]:
    """A session of its own, closed at the end of the block."""
    cluster, opened = open_cluster(target)
    try:
        yield opened
    finally:
        cluster.shutdown()


def close_sessions() -> None:
    """Close what `session_for` opened in this process."""
    with _lock:
        mine = [key for key in _open if key[0] == os.getpid()]
        for key in mine:
            _open.pop(key)[0].shutdown()


atexit.register(close_sessions)


def _after_fork() -> None:
    # A lock held by another thread at the fork would never be released in the child.
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def _profile(target: OnlineTarget, consistency: str, speculation: SpeculativeExecutionPolicy) -> ExecutionProfile:
    return ExecutionProfile(
        load_balancing_policy=PreferredHostPolicy(target.local_dc),
        speculative_execution_policy=speculation,
        row_factory=tuple_factory,
        consistency_level=consistency_level(consistency),
        serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL,
        request_timeout=5.0,
    )


def _is_news(record: logging.LogRecord) -> bool:
    # Batches over many partitions of one replica are what the push is made of; the server remarks on every one.
    return "Unlogged batch covering" not in record.getMessage()
