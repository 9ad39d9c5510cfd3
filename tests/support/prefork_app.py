"""A WSGI application whose client is made before its server forks: with `--preload` gunicorn loads it in the master."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from skewless.online import OnlineClient

client = OnlineClient.connect(
    ["127.0.0.1"],
    project=os.environ["PREFORK_PROJECT"],
    port=int(os.environ["PREFORK_PORT"]),
    keyspace=os.environ["PREFORK_KEYSPACE"],
    deadline_ms=5_000.0,
)
MADE_IN = os.getpid()


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """What the service `svc` says of `?user=1`, and which process says so."""
    (user,) = parse_qs(environ["QUERY_STRING"])["user"]
    vector = client.get("svc", {"user_id": int(user)})
    told = {
        "values": dict(vector.values),
        "status": {name: status.value for name, status in vector.status.items()},
        "pid": os.getpid(),
        "made_in": MADE_IN,
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]
