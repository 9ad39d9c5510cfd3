"""Which replica is asked: murmur3 over the ring, two choices by load, one preferred host per request."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from cassandra.cluster import Cluster
from cassandra.policies import DCAwareRoundRobinPolicy, HostDistance, TokenAwarePolicy

T = TypeVar("T", bound=Hashable)
_PREFERRED = "skewless_host"


class PreferredHostPolicy(TokenAwarePolicy):  # type: ignore[misc] # the driver has no types
    """Asks the host that a request prefers, then the others of the data centre; token-aware without a preference."""

    def __init__(self, local_dc: str) -> None:
        super().__init__(DCAwareRoundRobinPolicy(local_dc), shuffle_replicas=True)

    def make_query_plan(self, working_keyspace: str | None = None, query: Any = None) -> Iterator[Any]:
        """Yield hosts in the order in which they are tried."""
        preferred = getattr(query, _PREFERRED, None)
        if preferred is None:
            yield from super().make_query_plan(working_keyspace, query)
            return
        if preferred.is_up:
            yield preferred
        for host in self._child_policy.make_query_plan(working_keyspace, query):
            if host is not preferred:
                yield host


def prefer(statement: Any, host: Any | None) -> Any:
    """Make a statement prefer a host; None leaves the choice to the policy."""
    if host is not None:
        setattr(statement, _PREFERRED, host)
    return statement


class Router:
    """Groups keys by a live local replica and counts what each host has in flight."""

    def __init__(self, cluster: Cluster, keyspace: str) -> None:
        self._metadata = cluster.metadata
        self._profile = cluster.profile_manager.default
        self._keyspace = keyspace
        self._load: dict[Any, int] = defaultdict(int)

    @property
    def is_trivial(self) -> bool:
        """True when there is only one host to ask, so that tokens need not be computed."""
        return len(self._metadata.all_hosts()) < 2

    def sole_host(self) -> Any | None:
        """The only host there is; None when there are more, or none."""
        hosts = self._metadata.all_hosts()
        return hosts[0] if len(hosts) == 1 else None

    def replicas(self, partition: bytes) -> list[Any]:
        """Live replicas of a partition in the local data centre."""
        return [
            host
            for host in self._metadata.get_replicas(self._keyspace, partition)
            if host.is_up is not False and self._profile.load_balancing_policy.distance(host) == HostDistance.LOCAL
        ]

    def choose(self, partition: bytes) -> Any | None:
        """The less loaded of two replicas drawn at random; None leaves it to the policy."""
        replicas = self.replicas(partition)
        if len(replicas) > 2:
            replicas = random.sample(replicas, 2)
        return min(replicas, key=lambda host: self._load[host], default=None)

    def primary(self, partition: bytes) -> Any | None:
        """The first live replica in ring order: equal for neighbours, so that batches fill."""
        return next(iter(self.replicas(partition)), None)

    def started(self, host: Any | None) -> None:
        """Count a request that was sent to a host."""
        if host is not None:
            self._load[host] += 1

    def ended(self, host: Any | None) -> None:
        """Count a request that was answered, failed or given up."""
        if host is not None:
            self._load[host] -= 1

    def grouped(self, keys: Sequence[tuple[T, bytes]], *, size: int) -> Iterator[tuple[Any | None, list[T]]]:
        """Group keys by a chosen replica, at most `size` to a group."""
        by_host: dict[Any | None, list[T]] = defaultdict(list)
        for key, partition in keys:
            by_host[self.choose(partition)].append(key)
        for host, members in by_host.items():
            for group in in_groups(members, size):
                yield host, group


def in_groups(items: list[T], size: int) -> Iterator[list[T]]:
    """Cut a list into as few lists of at most `size` as possible, of about equal length."""
    groups = -(-len(items) // size)
    for number in range(groups):
        yield items[len(items) * number // groups : len(items) * (number + 1) // groups]


def in_chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut a stream into lists of `size`; the last may be shorter."""
    source = iter(items)
    while chunk := list(islice(source, size)):
        yield chunk
