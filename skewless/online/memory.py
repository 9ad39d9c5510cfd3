"""The online store over dictionaries: the same rules as Cassandra's, for tests, examples and dry runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from skewless.core.serving import ServedView, ServingManifest
from skewless.core.timeline import Revision
from skewless.online.codec import Key
from skewless.online.errors import RevisionConflict
from skewless.online.revisions import check_follows, manifest_of
from skewless.online.rows import RowBatch, StoredRow, kept_generations, served_keys, served_rows
from skewless.online.transport import Gather, Read, Snapshot, StoredTuple, TransportHealth
from skewless.online.verify import MismatchList, compare


class MemoryTimeline:
    """The timeline of one project, with the methods of `TimelineStore`."""

    def __init__(self, project: str) -> None:
        """Begin without revisions and services."""
        self._project = project
        self._revisions: tuple[Revision, ...] = ()
        self._manifests: dict[str, str] = {}
        self._contracts: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def read(self) -> Snapshot | None:
        """The current and the previous revision; None before the first."""
        revisions = self._revisions
        if not revisions:
            return None
        return Snapshot(revisions[-1], revisions[-2] if len(revisions) > 1 else None)

    def log(self, *, since: int = 0) -> tuple[Revision, ...]:
        """Every revision after `since`, ascending."""
        return self._revisions[since:]

    def publish(self, revision: Revision, *, expected: int | None) -> None:
        """Make a revision the current one, exactly if the current one still is `expected`.

        Raises:
            RevisionConflict: Another revision is current; nothing changed.
            BadRequest: Number or instant do not follow the current revision.
        """
        with self._lock:
            current = self._revisions[-1] if self._revisions else None
            found = None if current is None else current.number
            if found != expected:
                raise RevisionConflict(project=self._project, expected=expected, found=found)
            check_follows(revision, current)
            self._revisions = (*self._revisions, revision)

    def write_serving(self, manifest: ServingManifest) -> None:
        """Store a service's manifest in place of an older one; older contracts stay readable."""
        self._contracts[manifest.service, manifest.contract_hash] = manifest.to_json()
        self._manifests[manifest.service] = manifest.to_json()

    def read_serving(self, service: str) -> ServingManifest | None:
        """The manifest of a service; None when there is none."""
        text = self._manifests.get(service)
        return None if text is None else manifest_of(service, text)

    def read_contract(self, service: str, contract_hash: str) -> ServingManifest | None:
        """The manifest that a service had under a contract; None when it never had that one."""
        text = self._contracts.get((service, contract_hash))
        return None if text is None else manifest_of(service, text)

    def services(self) -> tuple[str, ...]:
        """The names of all services, sorted."""
        return tuple(sorted(self._manifests))

    def server_clock_us(self) -> int:
        """The machine's own clock."""
        return time.time_ns() // 1000


class MemoryStore:
    """Tables and timeline of one project in this process."""

    def __init__(self, project: str = "demo") -> None:
        """Begin empty."""
        self.timeline = MemoryTimeline(project)
        self._tables: dict[str, dict[Key, dict[int, StoredRow]]] = {}

    def transport(self) -> MemoryTransport:
        """What an `OnlineClient` reads: `OnlineClient(store.transport)`."""
        return MemoryTransport(self)

    def ensure_view_table(self, view: ServedView) -> None:
        """Create a view version's table when it is missing."""
        self._tables.setdefault(view.table, {})

    def write_rows(self, view: ServedView, generation: int, batches: Iterable[RowBatch]) -> Iterator[dict[str, Any]]:
        """As `skewless.online.writer.write_rows`."""
        written = 0
        for row in served_rows(view, batches):
            self._tables[view.table].setdefault(row.key, {})[generation] = row
            written += 1
        yield {"written": written, "retried": 0, "batches": 0, "seconds": 0.0, "p99_ms": 0.0}

    def verify_rows(self, view: ServedView, generation: int, batches: Iterable[RowBatch]) -> Iterator[dict[str, Any]]:
        """As `skewless.online.verify.verify_rows`."""
        found = MismatchList()
        for row in served_rows(view, batches):
            stored = self._tables[view.table].get(row.key, {}).get(generation)
            cells = None if stored is None else (stored.event_us, stored.state, *stored.values)
            compare(view, row, cells, found)
        yield found.as_result()

    def purge_rows(self, view: ServedView, generation: int, batches: Iterable[RowBatch]) -> Iterator[dict[str, Any]]:
        """As `skewless.online.writer.purge_rows`."""
        purged = 0
        for key in served_keys(view, batches):
            self._tables[view.table].get(key, {}).pop(generation, None)
            purged += 1
        yield {"written": purged, "retried": 0, "batches": 0, "seconds": 0.0, "p99_ms": 0.0}

    def sweep_rows(self, view: ServedView, batches: Iterable[RowBatch]) -> Iterator[dict[str, Any]]:
        """As `skewless.online.writer.sweep_rows`."""
        swept = 0
        for key, kept in kept_generations(view, batches):
            rows = self._tables[view.table].get(key, {})
            for generation in [each for each in rows if each < kept]:
                del rows[generation]
            swept += 1
        yield {"written": swept, "retried": 0, "batches": 0, "seconds": 0.0, "p99_ms": 0.0}

    def newest(self, read: Read, key: Key) -> StoredTuple | None:
        """The newest row of an entity at or before a generation."""
        rows = self._tables[read.view.table].get(key, {})
        generation = max((each for each in rows if each <= read.generation), default=None)
        if generation is None:
            return None
        row = rows[generation]
        values = dict(zip(read.view.value_columns, row.values, strict=True))
        return (generation, row.event_us, row.state, *(values[one] for one in read.view.columns_of(read.features)))


class MemoryTransport:
    """Reads a `MemoryStore`."""

    def __init__(self, store: MemoryStore) -> None:
        """Read that store."""
        self._store = store

    def snapshot(self) -> Snapshot | None:
        """The head of the timeline; None before the first revision."""
        return self._store.timeline.read()

    def revisions(self, since: int) -> tuple[Revision, ...]:
        """The revisions after a number, ascending."""
        return self._store.timeline.log(since=since)

    def serving(self, service: str) -> ServingManifest | None:
        """The manifest of a service; None when there is none."""
        return self._store.timeline.read_serving(service)

    def contract(self, service: str, contract_hash: str) -> ServingManifest | None:
        """The manifest that a service had under a contract; None when it never had that one."""
        return self._store.timeline.read_contract(service, contract_hash)

    def services(self) -> tuple[str, ...]:
        """The names of all services, sorted."""
        return self._store.timeline.services()

    def prepare(self, view: ServedView, features: tuple[str, ...]) -> None:
        """Nothing to prepare."""

    def start(self, reads: Sequence[Read], gather: Gather) -> None:
        """Answer at once."""
        gather.opened(len(reads))
        for number, read in enumerate(reads):
            rows = {key: self._store.newest(read, key) for key in read.keys}
            gather.arrived(number, read.keys, {key: row for key, row in rows.items() if row is not None})

    def health(self) -> TransportHealth:
        """Always well."""
        return TransportHealth(is_connected=True, hosts_up=1, details={"event_loop": "none"})

    def close(self) -> None:
        """Nothing to let go of."""
