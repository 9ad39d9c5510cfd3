"""A client that is made before gunicorn forks its workers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.online.shop import T0, CassandraShop

pytestmark = pytest.mark.cassandra
_ROOT = Path(__file__).resolve().parents[2]
_WORKERS, _USERS = 3, 40


@contextmanager
def gunicorn(shop: CassandraShop) -> Iterator[tuple[str, list[str]]]:
    """Serve the preloaded application from three workers; yields its address and what the server has said."""
    environ = {
        **os.environ,
        "PREFORK_PROJECT": shop.project,
        "PREFORK_PORT": str(shop.target.port),
        "PREFORK_KEYSPACE": shop.target.keyspace,
    }
    options = ["--preload", f"--workers={_WORKERS}", "--bind=127.0.0.1:0", "--no-control-socket"]
    command = [sys.executable, "-m", "gunicorn", *options, "tests.support.prefork_app:app"]
    server = subprocess.Popen(command, cwd=_ROOT, env=environ, stderr=subprocess.PIPE, text=True)
    said: list[str] = []
    assert server.stderr is not None
    listener = threading.Thread(target=lambda: said.extend(iter(server.stderr.readline, "")), daemon=True)
    listener.start()
    try:
        yield _address(server, said), said
    finally:
        server.terminate()
        assert server.wait(30) == 0, said
        listener.join(10)
        server.stderr.close()


def _address(server: subprocess.Popen[str], said: list[str]) -> str:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found = re.search(r"Listening at: (http://127\.0\.0\.1:\d+)", "".join(said))
        if found:
            return found.group(1)
        assert server.poll() is None, "".join(said)
        time.sleep(0.05)
    raise AssertionError("".join(said))


def test_client_made_before_gunicorn_forks_answers_in_every_worker(cassandra_shop: CassandraShop) -> None:
    shop = cassandra_shop
    view = shop.view()
    shop.serve(view)
    shop.put(view, 5, *((user, T0, "", user / 8, user) for user in range(_USERS)))
    shop.publish((view, 5))
    seen: set[int] = set()

    def ask(user: int) -> None:
        told = httpx.get(f"{address}/?user={user}", timeout=30).json()
        assert told["values"] == {"spend:spend": user / 8, "spend:visits": user}, told
        assert told["made_in"] != told["pid"]
        seen.add(told["pid"])

    with gunicorn(shop) as (address, said), ThreadPoolExecutor(8) as callers:
        until = time.monotonic() + 30
        while len(seen) < _WORKERS and time.monotonic() < until:
            list(callers.map(ask, range(_USERS)))
    assert len(seen) == _WORKERS
    assert not [line for line in said if "error" in line.lower() or "traceback" in line.lower()], said
