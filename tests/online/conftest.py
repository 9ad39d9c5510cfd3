from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from skewless.node import Endpoint
from skewless.online.connection import OnlineTarget, close_sessions, session_for
from skewless.online.schema import ensure_keyspace, ensure_project_tables
from tests.online.shop import CassandraShop, MemoryShop, Shop
from tests.support.cassandra_node import cassandra_endpoint

__all__ = ["cassandra_endpoint"]

_number = itertools.count()


@pytest.fixture(scope="module")
def target(cassandra_endpoint: Endpoint, request: pytest.FixtureRequest) -> Iterator[OnlineTarget]:
    """A keyspace of the test module's own."""
    module = re.sub(r"\W", "_", request.module.__name__.rsplit(".", 1)[-1])[:30]
    keyspace = f"{module}_{uuid.uuid4().hex[:8]}"
    target = OnlineTarget((cassandra_endpoint.host,), cassandra_endpoint.port, keyspace)
    session = session_for(target)
    ensure_keyspace(session, keyspace)
    ensure_project_tables(session, keyspace)
    yield target
    session.execute(f'DROP KEYSPACE "{keyspace}"', timeout=30)
    close_sessions()


@pytest.fixture
def cassandra_shop(target: OnlineTarget) -> Iterator[CassandraShop]:
    shop = CassandraShop(f"p{next(_number)}", target)
    yield shop
    shop.close()


@pytest.fixture(params=["memory", pytest.param("cassandra", marks=pytest.mark.cassandra)])
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    """An online store of one project: the same tests hold on dictionaries and on a real node."""
    if request.param == "cassandra":
        yield request.getfixturevalue("cassandra_shop")
        return
    memory = MemoryShop(f"p{next(_number)}")
    yield memory
    memory.close()


@pytest.fixture
def cassandra_pid(cassandra_endpoint: Endpoint) -> int:
    """The process that listens on the node's port."""
    wanted = f"{cassandra_endpoint.port:04X}"
    table = Path("/proc/net/tcp").read_text().splitlines()[1:]
    inodes = {row.split()[9] for row in table if row.split()[1].endswith(f":{wanted}") and row.split()[3] == "0A"}
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            link = str(descriptor.readlink())
        except OSError:
            continue
        if link.startswith("socket:[") and link[8:-1] in inodes:
            return int(descriptor.parts[2])
    pytest.skip("the node does not run on this machine")
