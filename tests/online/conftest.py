from __future__ import annotations

import itertools
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from skewless.core.layout import OnlineLayout
from skewless.node import Endpoint
from skewless.online.connection import OnlineTarget, close_sessions, session_for
from skewless.online.schema import ensure_keyspace, ensure_project_tables
from tests.online.freezer import Freezer
from tests.online.shop import CassandraShop, MemoryShop, Shop

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


@pytest.fixture
def layout() -> OnlineLayout:
    """Of the shop's views; a module that says `pytestmark = both_layouts` goes through all."""
    return "typed"


@pytest.fixture(params=["memory", pytest.param("cassandra", marks=pytest.mark.cassandra)])
def shop(request: pytest.FixtureRequest, layout: OnlineLayout) -> Iterator[Shop]:
    """An online store of one project: the same tests hold on dictionaries and on a real node."""
    if request.param == "cassandra":
        cassandra: CassandraShop = request.getfixturevalue("cassandra_shop")
        cassandra.layout = layout
        yield cassandra
        return
    memory = MemoryShop(f"p{next(_number)}")
    memory.layout = layout
    yield memory
    memory.close()


@pytest.fixture
def frozen(cassandra_endpoint: Endpoint, target: OnlineTarget) -> Iterator[Freezer]:
    """Freezes the node, and never leaves it frozen."""
    freezer = Freezer(_listener(cassandra_endpoint.port))
    yield freezer
    freezer.thaw()
    until = time.monotonic() + 30
    while not _answers(target):
        assert time.monotonic() < until
        time.sleep(0.2)


def _answers(target: OnlineTarget) -> bool:
    try:
        session_for(target).execute("SELECT release_version FROM system.local", timeout=2)
    except Exception:
        return False
    return True


def _listener(port: int) -> int:
    """The process that listens on a port of this machine."""
    table = Path("/proc/net/tcp").read_text().splitlines()[1:]
    rows = [row.split() for row in table]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"}
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(descriptor.readlink()) in sockets:
                return int(descriptor.parts[2])
        except OSError:
            continue
    pytest.fail("the node does not run on this machine, so it cannot be frozen")
