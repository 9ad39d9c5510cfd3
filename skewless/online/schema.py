"""Keyspace and tables; run by one process, which waits until every node has them."""

from __future__ import annotations

from typing import Any

from skewless.core.failpoints import Failpoint, reached
from skewless.core.serving import ServedView
from skewless.errors import TryAgainLater
from skewless.online import cql
from skewless.online.patience import patiently

_POINTERS = "frozen<map<text, frozen<tuple<text, bigint, bigint>>>>"
_REVISION = f"visible_from_us bigint, views {_POINTERS}, kind text, run_id text"
_SCHEMA_TIMEOUT_S = 30.0
_RETRIES = 4
_KEYSPACE = "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = %s"

_PROJECT_TABLES = (
    # One row per project, changed only by compare-and-set; `attempt` tells equal-looking contenders apart.
    f"snapshot (project text PRIMARY KEY, rev bigint, attempt uuid, {_REVISION}, "
    f"previous_rev bigint, previous_attempt uuid, previous_visible_from_us bigint, previous_views {_POINTERS}, "
    "previous_kind text, previous_run_id text)",
    # Every attempt, winners and losers; the winners are the chain of parents that begins at `snapshot`.
    f"snapshot_log (project text, rev bigint, attempt uuid, parent uuid, {_REVISION}, "
    "PRIMARY KEY ((project), rev, attempt)) WITH CLUSTERING ORDER BY (rev DESC, attempt ASC)",
    "serving (project text, service text, contract_hash text, manifest text, PRIMARY KEY ((project), service))",
    # Every contract that a service ever had: a client that is pinned to one goes on when the service has moved.
    "contracts (project text, service text, contract_hash text, manifest text, "
    "PRIMARY KEY ((project, service), contract_hash))",
)


def ensure_keyspace(session: Any, keyspace: str, *, local_dc: str = "datacenter1", replication_factor: int = 1) -> None:
    """Create the keyspace when it is missing; an existing one keeps its replication.

    Where it exists, a role without rights outside of it is enough.

    Raises:
        TryAgainLater: The nodes do not agree on the schema.
        StoreRefused: The role may not create it.
    """
    statement = cql.create_keyspace(keyspace, local_dc=local_dc, replication_factor=replication_factor)
    # To create it if it does not exist would need the right to create any keyspace, also where it does.
    known = patiently(lambda: session.execute(_KEYSPACE, (keyspace,)), operation="read the schema", retries=_RETRIES)
    if known.one() is None:
        _define(session, statement)


def ensure_project_tables(session: Any, keyspace: str) -> None:
    """Create `snapshot`, `snapshot_log`, `serving` and `contracts` when they are missing.

    Raises:
        TryAgainLater: The nodes do not agree on the schema.
        StoreRefused: The role may not create them.
    """
    for table in _PROJECT_TABLES:
        _define(session, f"CREATE TABLE IF NOT EXISTS {cql.quoted(keyspace)}.{table}")


def ensure_view_table(session: Any, keyspace: str, view: ServedView) -> None:
    """Create a view version's table when it is missing; its name holds a hash of its columns, so it never changes.

    Raises:
        TryAgainLater: The nodes do not agree on the schema.
        StoreRefused: The role may not create it.
    """
    _define(session, cql.create_table(keyspace, view))
    reached(Failpoint.APPLY_TABLE)


def _define(session: Any, statement: str) -> None:
    # Each statement says IF NOT EXISTS, so it may be repeated.
    future = patiently(lambda: _sent(session, statement), operation="define the schema", retries=_RETRIES)
    if not future.is_schema_agreed:
        message = "The Cassandra nodes do not agree on the schema yet. Try again when all of them are up."
        raise TryAgainLater(message)


def _sent(session: Any, statement: str) -> Any:
    future = session.execute_async(statement, timeout=_SCHEMA_TIMEOUT_S)
    future.result()
    return future
