"""The local Cassandra node, as a real process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import WhiteListRoundRobinPolicy

from skewless.config import Settings, load_settings
from skewless.node import CassandraNode, Endpoint
from skewless.node.errors import JarsMissing, JavaMissing, NodeDidNotStart, PortTaken, TooLittleMemory

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.cassandra

Rooms = Callable[..., CassandraNode]


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load_settings(ROOT / "conf", "ci")


@pytest.fixture
def nodes(tmp_path: Path, settings: Settings) -> Iterator[Rooms]:
    """Makes nodes of one folder, and leaves none behind."""

    def make(**options: object) -> CassandraNode:
        chosen = {"die_with_parent": True, "heap_mb": 256, "java_home": settings.java_home, **options}
        return CassandraNode(tmp_path / "a node", settings.cassandra_jars, **chosen)  # type: ignore[arg-type]  # test data

    yield make
    make().stop()


def ask(endpoint: Endpoint, *statements: str) -> list[object]:
    profile = ExecutionProfile(load_balancing_policy=WhiteListRoundRobinPolicy([endpoint.host]), request_timeout=20)
    profiles = {EXEC_PROFILE_DEFAULT: profile}
    with Cluster([endpoint.host], port=endpoint.port, execution_profiles=profiles, protocol_version=5) as cluster:
        session = cluster.connect()
        return [list(session.execute(statement)) for statement in statements]


def eventually(condition: Callable[[], bool], limit: timedelta = timedelta(seconds=20)) -> bool:
    deadline = time.monotonic() + limit.total_seconds()
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def test_node_started_twice_is_one_process_and_keeps_data_over_stop_and_kill(nodes: Rooms) -> None:
    node, said = nodes(), list[str]()
    endpoint = node.ensure_started(said.append)
    assert len(said) == 1
    ask(
        endpoint,
        "CREATE KEYSPACE kept WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
        "CREATE TABLE kept.rows (k int PRIMARY KEY)",
        "INSERT INTO kept.rows (k) VALUES (1)",
    )
    first = node.status()

    assert nodes().ensure_started(said.append) == endpoint
    assert len(said) == 1
    assert nodes().status() == first

    assert node.stop()
    assert not node.status().running
    assert not node.stop()

    assert nodes().start() == endpoint
    ask(endpoint, "INSERT INTO kept.rows (k) VALUES (2)")
    time.sleep(0.5)  # what was acknowledged in the last 50 ms may be lost
    stopped = node.status().pid
    assert stopped is not None
    os.kill(stopped, signal.SIGKILL)
    assert eventually(lambda: not node.status().running)

    assert nodes().start() == endpoint
    assert [tuple(row) for row in ask(endpoint, "SELECT k FROM kept.rows")[0]] == [(1,), (2,)]  # type: ignore[attr-defined]  # rows of the driver


def test_node_dies_with_its_parent_even_when_that_is_killed(nodes: Rooms, tmp_path: Path, settings: Settings) -> None:
    script = (
        "import sys, time; from pathlib import Path; from skewless.node import CassandraNode;"
        "node = CassandraNode(Path(sys.argv[1]), Path(sys.argv[2]), heap_mb=256, die_with_parent=True);"
        "node.start(); print('started', flush=True); time.sleep(600)"
    )
    arguments = [sys.executable, "-c", script, str(tmp_path / "a node"), str(settings.cassandra_jars)]
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "started\n"
        assert nodes().status().ready
        parent.kill()
    assert eventually(lambda: not nodes().status().running)


def test_node_of_its_own_survives_the_process_that_started_it(nodes: Rooms, tmp_path: Path, settings: Settings) -> None:
    script = (
        "import sys; from pathlib import Path; from skewless.node import CassandraNode;"
        "CassandraNode(Path(sys.argv[1]), Path(sys.argv[2]), heap_mb=256).start()"
    )
    arguments = [sys.executable, "-c", script, str(tmp_path / "a node"), str(settings.cassandra_jars)]
    # a pipe that the node had inherited would keep this call waiting
    subprocess.run(arguments, cwd=ROOT, check=True, capture_output=True, timeout=90)
    assert nodes().status().ready


def test_port_taken_by_another_process_is_one_clear_error(nodes: Rooms) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"^Port {port} of 127\.0\.0\.1 is taken.*or to 0") as refused:
            nodes(port=port).start()
    assert "\n" not in str(refused.value)
    assert not nodes().status().running


def test_memory_too_little_is_one_clear_error(nodes: Rooms) -> None:
    with pytest.raises(TooLittleMemory, match="needs about 9000700 MB"):
        nodes(heap_mb=9_000_000).start()


def test_jars_missing_is_one_clear_error(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(JarsMissing, match="Run 'make setup'"):
        CassandraNode(tmp_path / "node", tmp_path / "none", java_home=settings.java_home).start()


def test_java_missing_is_one_clear_error(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skewless.node.cassandra.find_java_home", lambda _: None)
    with pytest.raises(JavaMissing, match="JAVA_HOME"):
        CassandraNode(tmp_path / "node", settings.cassandra_jars).start()


def test_process_that_ends_at_once_is_one_error_with_its_reason(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "jars").mkdir()
    (tmp_path / "jars" / "cassandra-all-0.jar").write_bytes(b"not a jar")
    with pytest.raises(NodeDidNotStart, match=r"ended while it started.*CassandraDaemon.*console\.log"):
        CassandraNode(tmp_path / "node", tmp_path / "jars", java_home=settings.java_home).start()


def test_recorded_id_of_somebody_elses_process_is_left_alone(tmp_path: Path, settings: Settings) -> None:
    node = CassandraNode(tmp_path / "node", settings.cassandra_jars)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as other:
        (tmp_path / "node").mkdir()
        (tmp_path / "node" / "pid").write_text(str(other.pid))
        assert not node.status().running
        assert not node.stop()
        assert other.poll() is None
        other.kill()
