"""The push: served rows of one generation into a view's table, from any number of executors at once.

Every statement carries the generation as its write time and writes one immutable row, so that any of them may be
repeated, reordered or sent twice without changing what a reader sees.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

from cassandra.query import UNSET_VALUE, BatchStatement, BatchType

from skewless.core.failpoints import Failpoint, reached
from skewless.core.serving import ServedView
from skewless.online import cql
from skewless.online.codec import Key, partition_bytes
from skewless.online.connection import OnlineTarget, session_for
from skewless.online.routing import Router, prefer
from skewless.online.rows import RowBatch, StoredRow, kept_generations, served_keys, served_rows
from skewless.online.window import RequestWindow, prepared

_FIXED_BYTES = {"boolean": 1, "tinyint": 1, "int": 4, "float": 4, "date": 4, "bigint": 8, "double": 8}

__all__ = ["OnlineTarget", "purge_rows", "sweep_rows", "write_rows"]


def write_rows(
    target: OnlineTarget, view: ServedView, generation: int, batches: Iterable[RowBatch]
) -> Iterator[dict[str, Any]]:
    """Write the served rows of a generation.

    Args:
        target: The online store.
        view: Whose table, which must exist.
        generation: Of the rows; also their write time.
        batches: Arrow record batches with the columns keys, `event_us` (int64, null when absent), `_state`
            ("", "deleted", "absent") and every feature, timestamps as int64 microseconds.

    Yields:
        One row: written, retried, batches, seconds, p99_ms.

    Raises:
        StoreUnreachable: A batch failed at its last attempt; running the same again is safe.
        StoreRefused: The table is missing, or the role may not write.
        BadRow: A row is not what the view declares.
    """
    mutations = _Mutations(target, view, cql.insert_row(target.keyspace, view), operation="write")
    for row in served_rows(view, batches):
        mutations.add(row.key, _insert_values(mutations.stored_key(row.key), row, generation))
    yield mutations.finish()


def purge_rows(
    target: OnlineTarget, view: ServedView, generation: int, batches: Iterable[RowBatch]
) -> Iterator[dict[str, Any]]:
    """Delete exactly the rows (key, generation), at the generation's own write time.

    That generation can never be written again: its number is spent. Other generations of the keys stay untouched.

    Args:
        target: The online store.
        view: Whose table.
        generation: To be removed; it must never have been published.
        batches: Arrow record batches with the key columns; others are ignored.

    Yields:
        One row: written (rows deleted), retried, batches, seconds, p99_ms.

    Raises:
        StoreUnreachable: A batch failed at its last attempt; running the same again is safe.
        StoreRefused: The table is missing, or the role may not write.
    """
    mutations = _Mutations(target, view, cql.delete_row(target.keyspace, view), operation="purge")
    for key in served_keys(view, batches):
        mutations.add(key, (generation, mutations.stored_key(key), generation))
    yield mutations.finish()


def sweep_rows(target: OnlineTarget, view: ServedView, batches: Iterable[RowBatch]) -> Iterator[dict[str, Any]]:
    """Delete, per entity, the rows of generations before the one that must stay readable.

    The write time of the deletion lies before that generation, so it cannot touch a row that stays.

    Args:
        target: The online store.
        view: Whose table.
        batches: Arrow record batches with the key columns and `_keep_gen` (int64): the entity's newest generation
            at or before the oldest retained revision.

    Yields:
        One row: written (entities swept), retried, batches, seconds, p99_ms.

    Raises:
        StoreUnreachable: A batch failed at its last attempt; running the same again is safe.
        StoreRefused: The table is missing, or the role may not write.
    """
    mutations = _Mutations(target, view, cql.delete_older(target.keyspace, view), operation="sweep")
    for key, kept in kept_generations(view, batches):
        mutations.add(key, (kept - 1, mutations.stored_key(key), kept))
    yield mutations.finish()


def _insert_values(stored_key: Any, row: StoredRow, generation: int) -> tuple[Any, ...]:
    # Unset leaves nothing behind; null would leave a tombstone.
    event_us = UNSET_VALUE if row.event_us is None else row.event_us
    state = UNSET_VALUE if row.state is None else row.state
    features = [UNSET_VALUE if value is None else value for value in row.values]
    return (stored_key, generation, event_us, state, *features, generation)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, bytes) else 0


class _Mutations:
    """Collects statements into unlogged batches by replica and keeps a window of them in flight."""

    def __init__(self, target: OnlineTarget, view: ServedView, statement: str, *, operation: str) -> None:
        self._target = target
        self._keys = view.keys
        self._is_wrapped = cql.is_wrapped(view)
        operation = f"{operation} rows of '{view.table}'"
        self._session = session_for(target)
        self._router = Router(self._session.cluster, target.keyspace)
        self._statement = prepared(self._session, statement, operation=operation, retries=target.retries)
        self._window = RequestWindow(operation, in_flight=target.in_flight, retries=target.retries)
        types = [column.type for column in self._statement.column_metadata]
        self._variable = [place for place, each in enumerate(types) if each.typename not in _FIXED_BYTES]
        self._fixed_bytes = sum(_FIXED_BYTES.get(each.typename, 0) for each in types)
        self._waiting: dict[Any, list[Any]] = {}
        self._bytes: dict[Any, int] = {}
        self._began = time.perf_counter()
        self._rows = self._batches = 0

    def stored_key(self, key: Key) -> Any:
        """The key as the driver takes it."""
        return key if self._is_wrapped else key[0]

    def add(self, key: Key, values: tuple[Any, ...]) -> None:
        """Queue one statement; it is sent when its replica's batch is full."""
        bound = self._statement.bind(values)
        size = self._fixed_bytes + sum([_length(bound.values[place]) for place in self._variable])
        host = None
        if not self._router.is_trivial:
            host = self._router.primary(partition_bytes(self._keys, key, is_wrapped=self._is_wrapped))
        waiting = self._waiting.setdefault(host, [])
        if waiting and self._bytes[host] + size > self._target.batch_bytes:
            self._flush(host)
            waiting = self._waiting.setdefault(host, [])
        waiting.append(bound)
        self._bytes[host] = self._bytes.get(host, 0) + size
        self._rows += 1
        if len(waiting) >= self._target.batch_statements:
            self._flush(host)

    def finish(self) -> dict[str, Any]:
        """Send what is left, wait for all, return what was done."""
        for host in list(self._waiting):
            self._flush(host)
        self._window.drain()
        return {
            "written": self._rows,
            "retried": self._window.retried,
            "batches": self._batches,
            "seconds": time.perf_counter() - self._began,
            "p99_ms": self._window.p99_ms(),
        }

    def _flush(self, host: Any) -> None:
        bounds = self._waiting.pop(host)
        self._bytes.pop(host, None)
        self._pace()
        batch = BatchStatement(BatchType.UNLOGGED)
        for bound in bounds:
            batch.add(bound)
        batch.is_idempotent = True
        prefer(batch, host)
        self._batches += 1
        self._window.put(lambda: self._session.execute_async(batch, execution_profile="write"))
        self._window.taken()
        reached(Failpoint.PUSH_BATCH)

    def _pace(self) -> None:
        cap = self._target.rows_per_second_cap
        if cap is not None:
            ahead = self._rows / cap - (time.perf_counter() - self._began)
            if ahead > 0:
                time.sleep(ahead)
