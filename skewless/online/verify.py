"""Verification before visibility: what was written is read back and compared bit for bit."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from skewless.core.serving import ServedView
from skewless.online import cql
from skewless.online.cassandra_transport import GROUP
from skewless.online.codec import Key, key_from_driver, partition_bytes, same_bits
from skewless.online.connection import OnlineTarget, session_for
from skewless.online.errors import DamagedRow
from skewless.online.packing import Unpacker
from skewless.online.routing import Router, in_chunks, prefer
from skewless.online.rows import RowBatch, StoredRow, served_rows
from skewless.online.window import RequestWindow, prepared

_SHOWN = 20
_CHUNK = 1024


@dataclass(slots=True)
class MismatchList:
    """Counts comparisons and keeps the first few differences in words."""

    checked: int = 0
    mismatches: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, view: ServedView, key: Key, difference: str) -> None:
        """Note a difference."""
        self.mismatches += 1
        if len(self.first) < _SHOWN:
            named = ", ".join(f"{name}={part!r}" for name, part in zip(view.keys, key, strict=True))
            self.first.append(f"{view.name}[{named}]: {difference}")

    def as_result(self) -> dict[str, Any]:
        """The row that travels back to the driver."""
        return {"checked": self.checked, "mismatches": self.mismatches, "first": list(self.first)}


def verify_rows(
    target: OnlineTarget, view: ServedView, generation: int, batches: Iterable[RowBatch]
) -> Iterator[dict[str, Any]]:
    """Read the rows of exactly a generation back and compare every cell with the served rows.

    Args:
        target: The online store.
        view: Whose table.
        generation: That was written.
        batches: The served rows, as `write_rows` takes them.

    Yields:
        One row: checked (rows), mismatches (cells, or 1 for a missing row), first (at most 20, in words).

    Raises:
        StoreUnreachable: A read failed at its last attempt.
        StoreRefused: The table is missing, or the role may not read.
    """
    reading = _Rereading(target, view, generation)
    for chunk in in_chunks(served_rows(view, batches), _CHUNK):
        reading.add(chunk)
    yield reading.finish()


def compare(view: ServedView, row: StoredRow, cells: Sequence[Any] | None, found: MismatchList) -> None:
    """Compare a served row with event_us, state and value columns as they were read; None when no row was."""
    found.checked += 1
    if cells is None:
        found.add(view, row.key, "the row is missing")
        return
    for name, served, stored in (("event_us", row.event_us, cells[0]), ("_state", row.state, cells[1])):
        if served != stored:
            found.add(view, row.key, f"{name} is {stored!r} online, {served!r} in the served table")
    for difference in _differences(view, row.values, cells[2:]):
        found.add(view, row.key, difference)


def _differences(view: ServedView, served: Sequence[Any], stored: Sequence[Any]) -> Iterator[str]:
    if view.is_packed:
        yield from _of_packed(view, served[0], stored[0])
        return
    for (name, dtype), one, other in zip(view.features.items(), served, stored, strict=True):
        if not same_bits(dtype, one, other):
            yield f"{name} is {other!r} online, {one!r} in the served table"


def _of_packed(view: ServedView, served: bytes | None, stored: bytes | None) -> Iterator[str]:
    """A row has one spelling as bytes, so equal ones need no second look; others are taken apart to name the cells."""
    if served == stored:
        return
    unpacker = Unpacker(view.features, tuple(view.features))
    try:
        one, other = (unpacker.nothing if blob is None else unpacker.unpack(blob) for blob in (served, stored))
    except DamagedRow as damage:
        yield f"its packed values cannot be read online: {damage.why}"
        return
    found = list(_differences(replace(view, layout="typed"), one, other))
    yield from found or ["its packed values are other bytes online than in the served table"]


class _Rereading:
    """Reads groups of keys back with a window in flight and compares as answers arrive."""

    def __init__(self, target: OnlineTarget, view: ServedView, generation: int) -> None:
        self._view, self._generation = view, generation
        self._is_wrapped = cql.is_wrapped(view)
        self._session = session_for(target)
        self._router = Router(self._session.cluster, target.keyspace)
        operation = f"read the rows of '{view.table}' back"
        self._statement = prepared(
            self._session, cql.select_exactly(target.keyspace, view), operation=operation, retries=target.retries
        )
        self._statement.is_idempotent = True
        self._statement.fetch_size = None
        self._window = RequestWindow(operation, in_flight=target.in_flight, retries=target.retries)
        self._found = MismatchList()
        self._began = time.perf_counter()

    def add(self, rows: list[StoredRow]) -> None:
        """Ask for the rows of a chunk."""
        by_key = {row.key: row for row in rows}
        if len(by_key) < len(rows):
            self._found.add(self._view, rows[0].key, f"{len(rows) - len(by_key)} keys near this one occur twice")
        routed = [(key, partition_bytes(self._view.keys, key, is_wrapped=self._is_wrapped)) for key in by_key]
        for host, keys in self._router.grouped(routed, size=GROUP):
            self._ask(host, [by_key[key] for key in keys])

    def finish(self) -> dict[str, Any]:
        """Wait for all answers and return what was found."""
        self._window.drain()
        self._compare()
        return self._found.as_result()

    def _ask(self, host: Any, rows: list[StoredRow]) -> None:
        keys = [row.key if self._is_wrapped else row.key[0] for row in rows]
        bound = prefer(self._statement.bind((keys, self._generation)), host)
        self._window.put(lambda: self._session.execute_async(bound), rows)
        self._compare()

    def _compare(self) -> None:
        for rows, answer in self._window.taken():
            stored = {key_from_driver(cells[0], is_wrapped=self._is_wrapped): cells[2:] for cells in answer or ()}
            for row in rows:
                compare(self._view, row, stored.get(row.key), self._found)
