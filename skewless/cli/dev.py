"""dev cassandra: the local node of the demo and the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skewless.cli.desk import Desk
from skewless.errors import UsageError

if TYPE_CHECKING:
    from skewless.node import CassandraNode, NodeStatus

ABOUT = """The environment's local Cassandra node: a plain process with a folder of its own, started on demand.

    skewless dev cassandra status
    skewless dev cassandra stop
"""


def start(desk: Desk) -> None:
    """Start the node unless it runs already (5 to 15 s); other commands do it when they need it.

    For example:

        skewless dev cassandra start
    """
    node = _node(desk)
    node.ensure_started(desk.output.say)
    _show(desk, node.status())


def stop(desk: Desk) -> None:
    """End the node; its data stay.

    For example:

        skewless dev cassandra stop
    """
    node = _node(desk)
    was_running = node.stop()
    said = "The local Cassandra node is stopped; its data stay." if was_running else "It did not run."
    desk.show({**_facts(node.status()), "was_running": was_running}, [said])


def status(desk: Desk) -> None:
    """Say whether the node runs, and where; nothing is changed.

    For example:

        skewless dev cassandra status --json
    """
    _show(desk, _node(desk).status())


def _node(desk: Desk) -> CassandraNode:
    settings = desk.settings
    if settings.online.kind != "embedded":
        message = f"Environment '{settings.env}' has no local node (online.kind is {settings.online.kind})."
        raise UsageError(f"{message} Name another one with --env.")
    from skewless.node import CassandraNode

    return CassandraNode.of(settings)


def _show(desk: Desk, found: NodeStatus) -> None:
    state = "ready" if found.ready else "starting" if found.running else "not running"
    place = f" on {found.endpoint.host}:{found.endpoint.port}" if found.ready and found.endpoint else ""
    process = f" (process {found.pid})" if found.pid else ""
    desk.show(_facts(found), [f"The local Cassandra node is {state}{place}{process}. Data: {found.folder}"])


def _facts(found: NodeStatus) -> dict[str, Any]:
    return {
        "running": found.running,
        "ready": found.ready,
        "pid": found.pid,
        "host": found.endpoint.host if found.endpoint else None,
        "port": found.endpoint.port if found.endpoint else None,
        "folder": str(found.folder),
    }
