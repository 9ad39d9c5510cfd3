"""The ledgers: append-only Delta tables of generation states, revisions and run records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from pyspark.sql import Row, SparkSession

from skewless.core.generation import Chunks, Generation, GenerationState, newest_states
from skewless.core.timeline import Pointer, Revision, Timeline
from skewless.spark.read import is_table

_GENERATIONS = (
    "number BIGINT, view STRING, version INT, table STRING, state STRING, through_us BIGINT, fingerprint STRING, "
    "sources STRING, source_ids STRING, history_version BIGINT, served_version BIGINT, run_id STRING, kind STRING, "
    "counts STRING, chunks STRING"
)
_TIMELINE = (
    "revision BIGINT, visible_from_us BIGINT, kind STRING, run_id STRING, "
    "view STRING, table STRING, generation BIGINT, through_us BIGINT"
)
#: Taken when the table is created. A checkpoint reads and writes all of it: seldom, for commits of a row or two.
_PROPERTIES = {"delta.appendOnly": "true", "delta.checkpointInterval": "100"}
_RUNS = "run_id STRING, started_us BIGINT, record STRING"


@dataclass(frozen=True, slots=True)
class Ledger:
    """What ran, on which inputs, and what became visible when.

    Attributes:
        session: Spark.
        root: Folder of the offline store.
    """

    session: SparkSession
    root: str

    def generations(self) -> tuple[Generation, ...]:
        """Every generation in its newest state, by number."""
        return newest_states(_generation(row) for row in self._rows("generations"))

    def record(self, generations: Iterable[Generation]) -> None:
        """Append the states of generations in one commit."""
        rows = [
            (
                one.number, one.view, one.version, one.table, one.state.value, one.through_us, one.fingerprint,
                json.dumps(dict(one.sources), sort_keys=True), json.dumps(dict(one.source_ids), sort_keys=True),
                one.history_version, one.served_version,
                one.run_id, one.kind, json.dumps(dict(one.counts), sort_keys=True),
                None if one.chunks is None else json.dumps(asdict(one.chunks), sort_keys=True),
            )
            for one in generations
        ]  # fmt: skip
        self._append("generations", _GENERATIONS, rows)

    def timeline(self) -> Timeline:
        """The revisions, each number once: a row repeated by a retry counts once."""
        found: dict[int, dict[str, Row]] = {}
        for row in self._rows("timeline"):
            found.setdefault(row["revision"], {})[row["view"]] = row
        return Timeline(tuple(_revision(found[number]) for number in sorted(found)))

    def add_revision(self, revision: Revision) -> None:
        """Append one revision; the caller has made sure that it is the truth."""
        rows = [
            (
                revision.number, revision.visible_from_us, revision.kind, revision.run_id,
                view, pointer.table, pointer.generation, pointer.through_us,
            )
            for view, pointer in revision.views.items()
        ]  # fmt: skip
        self._append("timeline", _TIMELINE, rows)

    def add_run(self, run_id: str, *, started_us: int, record: Mapping[str, object]) -> None:
        """Append one run record."""
        self._append("runs", _RUNS, [(run_id, started_us, json.dumps(record, sort_keys=True))])

    def path(self, name: str) -> str:
        """Path of one ledger."""
        return f"{self.root}/ledger/{name}"

    def _rows(self, name: str) -> list[Row]:
        if not is_table(self.session, self.path(name)):
            return []
        return self.session.read.format("delta").load(self.path(name)).collect()

    def _append(self, name: str, schema: str, rows: Sequence[tuple[object, ...]]) -> None:
        if rows:
            # one partition: a ledger's commit is one small file
            frame = self.session.createDataFrame(rows, schema).coalesce(1)
            once = frame.write.format("delta").mode("append").options(**_PROPERTIES)
            # a ledger that an earlier release made gets the columns that came since
            once.option("mergeSchema", "true").save(self.path(name))


def _generation(row: Row) -> Generation:
    chunks = row.asDict().get("chunks")
    return Generation(
        number=row["number"],
        view=row["view"],
        version=row["version"],
        table=row["table"],
        state=GenerationState(row["state"]),
        through_us=row["through_us"],
        fingerprint=row["fingerprint"],
        sources=json.loads(row["sources"]),
        source_ids=json.loads(row["source_ids"]),
        history_version=row["history_version"],
        served_version=row["served_version"],
        run_id=row["run_id"],
        kind=row["kind"],
        counts=json.loads(row["counts"]),
        chunks=None if chunks is None else Chunks(**json.loads(chunks)),
    )


def _revision(rows: Mapping[str, Row]) -> Revision:
    first = next(iter(rows.values()))
    return Revision(
        number=first["revision"],
        visible_from_us=first["visible_from_us"],
        views={view: Pointer(row["table"], row["generation"], row["through_us"]) for view, row in sorted(rows.items())},
        kind=first["kind"],
        run_id=first["run_id"],
    )
