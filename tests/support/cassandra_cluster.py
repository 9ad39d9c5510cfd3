"""Three Cassandra nodes on 127.0.0.1, .2 and .3 that tests may freeze, kill and start again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cassandra import ConsistencyLevel, DriverException, Unavailable
from cassandra.cluster import EXEC_PROFILE_DEFAULT, ExecutionProfile, NoHostAvailable
from cassandra.cluster import Cluster as DriverCluster
from cassandra.policies import FallthroughRetryPolicy, WhiteListRoundRobinPolicy

from skewless.config import load_settings
from skewless.node import CassandraNode, Member
from skewless.node.machine import free_port
from skewless.node.process import is_running, wait_until
from skewless.online.connection import OnlineTarget
from tests.online.freezer import Freezer

_ROOT = Path(__file__).resolve().parents[2]
_LONG, _SHORT = timedelta(seconds=120), timedelta(seconds=10)
_PROBE = "probe"
_DAEMON = "org.apache.cassandra.service.CassandraDaemon"
HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
#: Thirds of the ring.
_TOKENS = (-(2**63), -3074457345618258603, 3074457345618258602)
_SETTINGS = {
    "read_request_timeout": "1000ms",
    "write_request_timeout": "1000ms",
    "cas_contention_timeout": "1000ms",
    # a node that was away for longer comes back without what was written meanwhile
    "max_hint_window": "2s",
}
_OVERLOADED = {
    "native_transport_rate_limiting_enabled": "true",
    "native_transport_max_requests_per_second": "20",
}


class Cluster:
    """Three nodes of one ring, by number 0, 1, 2; the first is the seed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port(folder)
        self._storage = free_port(folder, avoid=self.port)
        self._nodes = [self._node(number) for number in range(len(HOSTS))]
        self._frozen: dict[int, Freezer] = {}
        self._changed: set[int] = set()

    def target(self, keyspace: str, *numbers: int) -> OnlineTarget:
        """Where the cluster is reached: by all nodes, or by some."""
        hosts = tuple(HOSTS[number] for number in numbers) if numbers else HOSTS
        return OnlineTarget(hosts, self.port, keyspace)

    def start(self) -> None:
        """Start those that do not run, one after the other, and wait until each knows of all."""
        for number in range(len(HOSTS)):
            self._nodes[number].start()
        self.wait_until_whole()

    def stop(self) -> None:
        """End all of them."""
        self.thaw()
        for node in self._nodes:
            node.stop()

    def freeze(self, number: int) -> None:
        """Make a node hang: it keeps its connections and answers nothing."""
        freezer = Freezer(self.pid(number))
        freezer.freeze()
        self._frozen[number] = freezer

    def thaw(self) -> None:
        """Let every frozen node go on."""
        for freezer in self._frozen.values():
            freezer.thaw()
        self._frozen.clear()

    def kill(self, number: int) -> None:
        """End a node without a warning."""
        pid = self.pid(number)
        os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: not is_running(pid, _DAEMON), _SHORT)

    def restart(self, number: int) -> None:
        """Start a node again on its data; as a coordinator it asks itself first, however slow it is yet."""
        self._again(number, {"dynamic_snitch": "false"})

    def overload(self, number: int) -> None:
        """Start a node again as a coordinator that takes 20 requests a second, and lets all others wait."""
        self._again(number, _OVERLOADED)

    def pid(self, number: int) -> int:
        """The process of a node, which must run."""
        pid = self._nodes[number].status().pid
        assert pid is not None, f"node {number} does not run"
        return pid

    def heal(self) -> None:
        """Undo every fault."""
        self.thaw()
        for number in sorted(self._changed):
            self._again(number, {})
        self._changed.clear()
        self.start()

    def wait_until_whole(self) -> None:
        """Wait until every node, as a coordinator, reaches three replicas."""
        assert wait_until(self._has_probe, _LONG), "the nodes do not agree on the schema"
        for number in range(len(HOSTS)):
            whole = wait_until(lambda number=number: self.replicas_seen_by(number) == len(HOSTS), _LONG)
            assert whole, f"node {number} does not see all others"

    def wait_until_dead(self, number: int, *, by: int) -> float:
        """Wait until one node counts another one as down; return the seconds that it took."""
        began = time.monotonic()
        assert wait_until(lambda: self.replicas_seen_by(by) == len(HOSTS) - 1, _LONG), f"{number} is not seen as dead"
        return time.monotonic() - began

    def replicas_seen_by(self, number: int) -> int | None:
        """How many replicas a node believes to be up; None when it does not answer, or waits for one in vain."""
        try:
            self.ask(number, f"SELECT * FROM {_PROBE}.row WHERE id = 1", consistency=ConsistencyLevel.ALL)
        except Unavailable as error:
            return int(error.alive_replicas)
        except (DriverException, NoHostAvailable, OSError):
            return None
        return len(HOSTS)

    def ask(self, number: int, statement: str, *, consistency: int = ConsistencyLevel.ONE) -> list[Any]:
        """Run a statement on one node and on no other, without a second attempt."""
        with self._only(number, consistency) as session:
            return list(session.execute(statement))

    def ask_alone(self, number: int, statement: str) -> list[Any]:
        """Run a statement on one node while the others hang: a cold coordinator asks a second replica otherwise."""
        others = [other for other in range(len(HOSTS)) if other != number]
        try:
            for other in others:
                self.freeze(other)
            return self.ask(number, statement)
        finally:
            self.thaw()

    def answers_within(self, number: int, seconds: float) -> int:
        """How often a node answers a trivial question, asked again as soon as it is answered."""
        count, until = 0, time.monotonic() + seconds
        with self._only(number, ConsistencyLevel.ONE) as session:
            while time.monotonic() < until:
                session.execute("SELECT key FROM system.local")
                count += 1
        return count

    @contextmanager
    def _only(self, number: int, consistency: int) -> Iterator[Any]:
        profile = ExecutionProfile(
            load_balancing_policy=WhiteListRoundRobinPolicy([HOSTS[number]]),
            retry_policy=FallthroughRetryPolicy(),
            consistency_level=consistency,
            request_timeout=5.0,
        )
        connection = DriverCluster(
            [HOSTS[number]],
            port=self.port,
            protocol_version=4,
            execution_profiles={EXEC_PROFILE_DEFAULT: profile},
            connect_timeout=3.0,
        )
        try:
            yield connection.connect()
        finally:
            connection.shutdown()

    def _again(self, number: int, settings: dict[str, str]) -> None:
        self._nodes[number].stop()
        self._nodes[number] = self._node(number, settings)
        self._changed.add(number)
        self.start()

    def _node(self, number: int, further: Mapping[str, str] = MappingProxyType({})) -> CassandraNode:
        settings = load_settings(_ROOT / "conf", "ci")
        return CassandraNode(
            self._folder / f"node{number}",
            settings.cassandra_jars,
            java_home=settings.java_home,
            port=self.port,
            heap_mb=256,
            die_with_parent=True,
            patience=timedelta(seconds=120),
            member=Member(HOSTS[number], HOSTS[0], self._storage, _TOKENS[number], settings={**_SETTINGS, **further}),
        )

    def _has_probe(self) -> bool:
        replication = "{'class': 'NetworkTopologyStrategy', 'datacenter1': 3}"
        try:
            if len(self.ask(0, "SELECT peer FROM system.peers_v2")) < len(HOSTS) - 1:
                return False
            self.ask(0, f"CREATE KEYSPACE IF NOT EXISTS {_PROBE} WITH replication = {replication}")
            self.ask(0, f"CREATE TABLE IF NOT EXISTS {_PROBE}.row (id int PRIMARY KEY)")
            versions = {
                row[0]
                for number in range(len(HOSTS))
                for row in self.ask(number, "SELECT schema_version FROM system.local")
            }
        except (DriverException, NoHostAvailable, OSError):
            return False
        return len(versions) == 1
