"""The timeline in Cassandra: one row changed by compare-and-set only, a log of attempts, the serving manifests."""
# ruff: noqa: S608 - names are quoted by `cql.quoted`, values are always bound

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cassandra import ConsistencyLevel

from skewless.core.failpoints import Failpoint, reached
from skewless.core.serving import ServingManifest
from skewless.core.timeline import Revision
from skewless.errors import TryAgainLater
from skewless.online import cql
from skewless.online.errors import RevisionConflict, UnknownOutcome
from skewless.online.patience import patiently, pause
from skewless.online.revisions import cells_of, check_follows, manifest_of, revision_of
from skewless.online.transport import Snapshot

_REVISION = "rev, visible_from_us, views, kind, run_id"
_PREVIOUS = "previous_rev, previous_visible_from_us, previous_views, previous_kind, previous_run_id"
#: Names the attempts of a restored timeline, together with project and revision.
_RESTORED = uuid.UUID("5d0c1f7e-6a43-4b0e-9d57-2f1f0a8e6c11")
_ROUNDS = 5
_RETRIES = 3
_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class _Head:
    """The row of `snapshot` with the identity of the attempts that made it."""

    snapshot: Snapshot
    attempt: uuid.UUID
    previous_attempt: uuid.UUID | None


class TimelineStore:
    """Reads and publishes the revisions of one project.

    The log row of a revision is written before the compare-and-set, under an attempt of its own that names its
    parent. The timeline is the chain of parents that begins at the snapshot's attempt, so a process killed between
    the two statements leaves a row that no chain reaches, and no revision that readers saw is ever missing.
    """

    def __init__(self, session: Any, keyspace: str, project: str) -> None:
        self._session = session
        self._project = project
        self._prepared: dict[str, Any] = {}
        space = cql.quoted(keyspace)
        self._snapshot, self._log = f"{space}.snapshot", f"{space}.snapshot_log"
        self._serving, self._contracts = f"{space}.serving", f"{space}.contracts"

    def read(self) -> Snapshot | None:
        """The current and the previous revision; None before the first."""
        head = self._head(ConsistencyLevel.LOCAL_QUORUM)
        return None if head is None else head.snapshot

    def log(self, *, since: int = 0) -> tuple[Revision, ...]:
        """Every revision after `since` that was ever published, ascending; attempts that lost are left out."""
        head = self._head(ConsistencyLevel.LOCAL_SERIAL)
        return () if head is None else tuple(revision for _, revision in self._chain(head, since))

    def publish(self, revision: Revision, *, expected: int | None) -> None:
        """Make a revision the current one, exactly if the current one still is `expected`.

        Args:
            revision: Its number follows `expected`; its instant is later than the current one's.
            expected: The number that the decision was made on; None for the first revision.

        Raises:
            RevisionConflict: Another revision is current; nothing changed.
            UnknownOutcome: The store stopped answering; only reading the timeline again can tell.
            BadRequest: Number or instant do not follow the current revision.
        """
        head = self._head(ConsistencyLevel.LOCAL_SERIAL)
        current = None if head is None else head.snapshot.current
        found = None if current is None else current.number
        if found != expected:
            raise RevisionConflict(project=self._project, expected=expected, found=found)
        check_follows(revision, current)
        attempt = uuid.uuid4()
        self._write_log(revision, attempt, None if head is None else head.attempt)
        reached(Failpoint.REVISION_LOGGED)
        self._settle(revision, attempt, head)

    def restore(self, revisions: Sequence[Revision]) -> None:
        """Give a store that lost everything its timeline back; killed, the same again goes on.

        Args:
            revisions: Ascending, without a gap; the last becomes the current one.

        Raises:
            RevisionConflict: The store knows another timeline, which stands.
        """
        # the same attempts each time: what a killed call wrote is written again, not beside it
        attempts = [uuid.uuid5(_RESTORED, f"{self._project} {one.number}") for one in revisions]
        for revision, attempt, parent in zip(revisions, attempts, [None, *attempts], strict=False):
            self._write_log(revision, attempt, parent)
        last = (*cells_of(revisions[-1]), attempts[-1], self._project)
        before = (*cells_of(revisions[-2]), attempts[-2]) if len(revisions) > 1 else (None,) * 6
        statement = (
            f"INSERT INTO {self._snapshot} ({_REVISION}, attempt, project, {_PREVIOUS}, previous_attempt) "
            f"VALUES ({', '.join('?' * 13)}) IF NOT EXISTS"
        )
        self._execute(statement, (*last, *before), "restore the timeline")
        head = self._head(ConsistencyLevel.LOCAL_SERIAL)
        if head is None or head.attempt != attempts[-1]:
            found = None if head is None else head.snapshot.current.number
            raise RevisionConflict(project=self._project, expected=None, found=found)

    def write_serving(self, manifest: ServingManifest) -> None:
        """Store a service's manifest in place of an older one, and read it back; older contracts stay readable.

        Raises:
            TryAgainLater: Another process wrote the same service at the same moment.
        """
        text = manifest.to_json()
        written_us = self._later_than_stored_us(manifest)
        for table in (self._contracts, self._serving):
            columns = "(project, service, contract_hash, manifest)"
            statement = f"INSERT INTO {table} {columns} VALUES (?, ?, ?, ?) USING TIMESTAMP ?"
            cells = (self._project, manifest.service, manifest.contract_hash, text, written_us)
            self._execute(statement, cells, "store a manifest")
        if self.read_serving(manifest.service) != ServingManifest.from_json(text):
            message = f"Another process wrote the manifest of '{manifest.service}' meanwhile. Apply again to see which."
            raise TryAgainLater(message)

    def read_serving(self, service: str) -> ServingManifest | None:
        """The manifest of a service; None when there is none.

        Raises:
            ManifestTooNew: A later release wrote it.
        """
        statement = f"SELECT manifest FROM {self._serving} WHERE project = ? AND service = ?"
        rows = self._execute(statement, (self._project, service), "read a manifest")
        return manifest_of(service, rows[0][0]) if rows else None

    def read_contract(self, service: str, contract_hash: str) -> ServingManifest | None:
        """The manifest that a service had under a contract; None when it never had that one.

        Raises:
            ManifestTooNew: A later release wrote it.
        """
        statement = f"SELECT manifest FROM {self._contracts} WHERE project = ? AND service = ? AND contract_hash = ?"
        rows = self._execute(statement, (self._project, service, contract_hash), "read a contract")
        return manifest_of(service, rows[0][0]) if rows else None

    def services(self) -> tuple[str, ...]:
        """The names of all services, sorted."""
        statement = f"SELECT service FROM {self._serving} WHERE project = ?"
        return tuple(sorted(row[0] for row in self._execute(statement, (self._project,), "list the services")))

    def server_clock_us(self) -> int:
        """The store's own clock, in microseconds, exact to a millisecond."""
        rows = self._execute("SELECT toUnixTimestamp(now()) FROM system.local", (), "read the server's clock")
        return _millis(rows[0][0]) * 1000

    def _later_than_stored_us(self, manifest: ServingManifest) -> int:
        """A write time that wins over what is stored, also when that was written by a clock that was ahead."""
        held = [int(self._session.cluster.timestamp_generator())]
        of_a_service, of_a_contract = "project = ? AND service = ?", "project = ? AND service = ? AND contract_hash = ?"
        cells = (self._project, manifest.service, manifest.contract_hash)
        for table, where in ((self._serving, of_a_service), (self._contracts, of_a_contract)):
            statement = f"SELECT WRITETIME(manifest) FROM {table} WHERE {where}"
            rows = self._execute(statement, cells[: where.count("?")], "read a manifest")
            held += [int(row[0]) + 1 for row in rows]
        return max(held)

    def _settle(self, revision: Revision, attempt: uuid.UUID, head: _Head | None) -> None:
        statement, values = self._swap(revision, attempt, head)
        cause = "no answer"
        for lap in range(1, _ROUNDS + 1):
            try:
                if self._execute(statement, values, "publish")[0][0]:
                    return
            except TryAgainLater as error:
                cause = str(error)
            try:
                if self._has_won(revision, attempt, None if head is None else head.attempt):
                    return
            except TryAgainLater as error:
                cause = str(error)
            pause(lap)
        raise UnknownOutcome(project=self._project, number=revision.number, cause=cause)

    def _has_won(self, revision: Revision, attempt: uuid.UUID, parent: uuid.UUID | None) -> bool:
        """True when the attempt is in the chain, False while it still may enter it."""
        head = self._head(ConsistencyLevel.LOCAL_SERIAL)
        if head is None or head.attempt == parent:
            return False
        if attempt in (head.attempt, head.previous_attempt):
            return True
        if any(each == attempt for each, _ in self._chain(head, revision.number - 1)):
            return True
        expected = None if parent is None else revision.number - 1
        raise RevisionConflict(project=self._project, expected=expected, found=head.snapshot.current.number)

    def _swap(self, revision: Revision, attempt: uuid.UUID, head: _Head | None) -> tuple[str, tuple[Any, ...]]:
        if head is None:
            statement = (
                f"INSERT INTO {self._snapshot} ({_REVISION}, attempt, project) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS"
            )
            return statement, (*cells_of(revision), attempt, self._project)
        columns = [*_REVISION.split(", "), "attempt", *_PREVIOUS.split(", "), "previous_attempt"]
        assignments = ", ".join(f"{column} = ?" for column in columns)
        statement = f"UPDATE {self._snapshot} SET {assignments} WHERE project = ? IF attempt = ?"
        cells = (*cells_of(revision), attempt, *cells_of(head.snapshot.current), head.attempt)
        return statement, (*cells, self._project, head.attempt)

    def _write_log(self, revision: Revision, attempt: uuid.UUID, parent: uuid.UUID | None) -> None:
        statement = f"INSERT INTO {self._log} ({_REVISION}, project, attempt, parent) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        self._execute(statement, (*cells_of(revision), self._project, attempt, parent), "log a revision")

    def _head(self, consistency: int) -> _Head | None:
        statement = (
            f"SELECT {_REVISION}, attempt, {_PREVIOUS}, previous_attempt FROM {self._snapshot} WHERE project = ?"
        )
        rows = self._execute(statement, (self._project,), "read the timeline", consistency=consistency)
        if not rows:
            return None
        row = rows[0]
        previous = None if row[6] is None else revision_of(row[6:11])
        return _Head(Snapshot(revision_of(row[:5]), previous), row[5], row[11])

    def _chain(self, head: _Head, since: int) -> list[tuple[uuid.UUID, Revision]]:
        statement = f"SELECT {_REVISION}, attempt, parent FROM {self._log} WHERE project = ? AND rev > ?"
        rows = self._execute(statement, (self._project, since), "read the log of revisions")
        attempts = {row[5]: row for row in rows}
        chain: list[tuple[uuid.UUID, Revision]] = []
        attempt: uuid.UUID | None = head.attempt
        while attempt is not None and attempt in attempts:
            row = attempts[attempt]
            chain.append((attempt, revision_of(row[:5])))
            attempt = row[6]
        return chain[::-1]

    def _execute(
        self, statement: str, values: tuple[Any, ...], operation: str, *, consistency: int | None = None
    ) -> list[tuple[Any, ...]]:
        is_swap = " IF " in statement

        def attempt() -> list[tuple[Any, ...]]:
            if statement not in self._prepared:
                self._prepared[statement] = self._session.prepare(statement)
            bound = self._prepared[statement].bind(values)
            bound.is_idempotent = not is_swap
            if consistency is not None:
                bound.consistency_level = consistency
            return list(self._session.execute(bound, timeout=_TIMEOUT_S))

        # What became of a swap is found out by reading, before it is tried again.
        return patiently(attempt, operation=operation, retries=0 if is_swap else _RETRIES)


def _millis(value: Any) -> int:
    return int(value.timestamp() * 1000) if hasattr(value, "timestamp") else int(value)
