"""One Cassandra node for the whole test session.

A conftest takes the fixture with `from tests.support.cassandra_node import cassandra_endpoint`. The environment
variable SKEWLESS_TEST_CASSANDRA=host:port uses a node that runs already.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from skewless.config import load_settings
from skewless.node import CassandraNode, Endpoint

_ROOT = Path(__file__).resolve().parents[2]
_shared: list[Endpoint] = []


@pytest.fixture(scope="session")
def cassandra_endpoint(request: pytest.FixtureRequest) -> Endpoint:
    """Where the session's node answers; each conftest that imports this gets the same node."""
    if not _shared:
        _shared.append(_given() or _started(request.config))
    return _shared[0]


def _given() -> Endpoint | None:
    host, _, port = os.environ.get("SKEWLESS_TEST_CASSANDRA", "").rpartition(":")
    return Endpoint(host, int(port)) if host else None


def _started(config: pytest.Config) -> Endpoint:
    settings = load_settings(_ROOT / "conf", "ci")
    folder = tempfile.TemporaryDirectory(prefix="skewless-cassandra-")
    node = CassandraNode(
        Path(folder.name),
        settings.cassandra_jars,
        java_home=settings.java_home,
        heap_mb=256,
        die_with_parent=True,
    )
    config.add_cleanup(folder.cleanup)
    config.add_cleanup(node.stop)
    return node.start()
