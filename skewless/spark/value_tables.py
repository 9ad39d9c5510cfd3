"""The two append-only tables of a view version: history (every value known) and served (what each push sent)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath

from delta.exceptions import ConcurrentTransactionException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless.core.dtypes import DType, Int64, String, Timestamp
from skewless.core.failpoints import Failpoint, reached
from skewless.core.names import EVENT_TIMESTAMP, FLAG, GENERATION, STATE
from skewless.core.reference import view_name, view_version
from skewless.core.resolver import RETRACTED
from skewless.core.time import from_us
from skewless.core.view import FeatureView
from skewless.spark.commits import Commit, commit, is_changed_by
from skewless.spark.dtypes import spark_type
from skewless.spark.few import settled
from skewless.spark.read import head_version, is_table, read_at

#: Writer of a chunk of a backfill, before its number.
_CHUNK = "history chunk"
#: Kinds of keys of which Delta keeps no statistics, and refuses to be asked for any.
_WITHOUT_STATISTICS = {"bool", "bytes"}


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append left.

    Attributes:
        version: The Delta version that holds the rows.
        rows: How many they are.
    """

    version: int
    rows: int


@dataclass(frozen=True, slots=True)
class Heads:
    """The newest Delta versions of history and served; -1 for a table that is not there."""

    history: int
    served: int


@dataclass(frozen=True, slots=True)
class ValueTables:
    """Where the values of one view version lie.

    Attributes:
        session: Spark.
        root: Folder of the offline store.
        view: The definition.
        horizon: How long old versions stay readable.
    """

    session: SparkSession
    root: str
    view: FeatureView
    horizon: timedelta

    @property
    def folder(self) -> str:
        """Folder of the view version."""
        return view_folder(self.root, self.view.reference)

    @property
    def history(self) -> str:
        """Path of history."""
        return f"{self.folder}/history"

    @property
    def served(self) -> str:
        """Path of served."""
        return f"{self.folder}/served"

    @property
    def quarantine(self) -> str:
        """Path of quarantine."""
        return f"{self.folder}/quarantine"

    @property
    def features(self) -> Mapping[str, DType]:
        """Feature → type."""
        return self.view.feature_types

    def columns(self, table: str) -> dict[str, DType]:
        """The columns of history or served."""
        last = FLAG if table == "history" else STATE
        keys = self.view.entity.keys
        return {**keys, EVENT_TIMESTAMP: Timestamp, **self.features, GENERATION: Int64, last: String}

    def create(self) -> None:
        """Create the tables unless they exist."""
        for path, name in ((self.history, "history"), (self.served, "served")):
            if not is_table(self.session, path):
                self._create(path, self.columns(name))
                reached(Failpoint.MATERIALIZE_TABLE)

    def heads(self) -> Heads:
        """Where both tables stand."""
        history, served = (
            head_version(self.session, path) if is_table(self.session, path) else -1
            for path in (self.history, self.served)
        )
        return Heads(history, served)

    def strange_commits(self, path: str, numbers: Collection[int], *, after: int, until: int) -> tuple[Commit, ...]:
        """The commits that changed what history or served says, and that no generation made.

        Args:
            path: History or served.
            numbers: Every generation of the view.
            after: Delta version after which commits are looked at.
            until: And until which, itself included.

        Returns:
            Those, by version; none when together they changed nothing. One that the log no longer has is strange.
        """
        found = [commit(self.session, path, version) for version in range(after + 1, until + 1)]
        strange = tuple(one for one in found if one.files and not _is_ours(path, one, numbers))
        return strange if is_changed_by(strange) else ()

    def _create(self, path: str, columns: Mapping[str, DType]) -> None:
        required = {*self.view.entity.key_names, GENERATION} | ({EVENT_TIMESTAMP} if path == self.history else set())
        body = ", ".join(
            f"`{name}` {spark_type(dtype).simpleString()}{' NOT NULL' if name in required else ''}"
            for name, dtype in columns.items()
        )
        horizon = f"interval {self.horizon.days} days"
        ranged = [name for name, dtype in self.view.entity.keys.items() if dtype.kind not in _WITHOUT_STATISTICS]
        properties = {
            "delta.appendOnly": "true",
            "delta.deletedFileRetentionDuration": horizon,
            "delta.logRetentionDuration": horizon,
            "delta.enableInCommitTimestamps": "true",
            # statistics of hundreds of features would cost more at each commit than any read could gain by them
            "delta.dataSkippingStatsColumns": ",".join([*ranged, EVENT_TIMESTAMP, GENERATION]),
        }
        listed = ", ".join(f"'{name}' = '{value}'" for name, value in properties.items())
        self.session.sql(f"CREATE TABLE IF NOT EXISTS delta.`{path}` ({body}) USING delta TBLPROPERTIES ({listed})")

    def append(self, path: str, rows: DataFrame, *, generation: int, run_id: str) -> Appended:
        """Append a generation's rows; a repeated append of the same generation is a no-op.

        Args:
            path: History or served.
            rows: Its rows, without `_gen`.
            generation: Its number.
            run_id: Recorded in the commit.

        Returns:
            The Delta version that holds them, and how many they are.
        """
        table = PurePosixPath(path).name
        self._write(path, rows, writer=table, generation=generation, run_id=run_id)
        version = head_version(self.session, path)
        made = commit(self.session, path, version)
        if made.transactions.get(table) == generation:
            return Appended(version, made.rows)
        return Appended(version, of_generations(self.read(path, version), [generation]).count())

    def append_chunk(self, rows: DataFrame, *, generation: int, chunk: int, run_id: str) -> int:
        """Append one chunk of a generation to history; repeated, it is a no-op.

        Args:
            rows: Its rows, without `_gen`.
            generation: Its number.
            chunk: Which one, counted from 0.
            run_id: Recorded in the commit.

        Returns:
            A Delta version that holds them.
        """
        self._write(self.history, rows, writer=f"{_CHUNK} {chunk}", generation=generation, run_id=run_id)
        return head_version(self.session, self.history)

    @staticmethod
    def _write(path: str, rows: DataFrame, *, writer: str, generation: int, run_id: str) -> None:
        once = (
            rows.withColumn(GENERATION, F.lit(generation).cast("long"))
            .write.format("delta")
            .mode("append")
            .option("txnAppId", writer)
            .option("txnVersion", generation)
            .option("userMetadata", run_id)
        )
        try:
            once.save(path)
        except ConcurrentTransactionException:
            # what a killed process had begun was committed meanwhile: written again, the same generation is a no-op
            once.save(path)

    def read(self, path: str, version: int | None = None) -> DataFrame:
        """History or served, at a version or as it is."""
        if version is None:
            return self.session.read.format("delta").load(path)
        return read_at(self.session, path, version)


def view_folder(root: str, reference: str) -> str:
    """Folder of the tables of a view version, as `name@version`, below the offline store's."""
    return str(PurePosixPath(root) / "views" / view_name(reference) / f"v{view_version(reference)}")


def _is_ours(path: str, one: Commit, numbers: Collection[int]) -> bool:
    """True when each of a commit's transactions is the writing of a generation, and there is one."""
    writers = one.transactions
    named = (writer == PurePosixPath(path).name or writer.startswith(_CHUNK) for writer in writers)
    return bool(writers) and all(named) and set(writers.values()) <= set(numbers)


def of_generations(rows: DataFrame, generations: Collection[int]) -> DataFrame:
    """The rows that published generations wrote; those of refused and abandoned ones stay out of sight."""
    return rows.filter(F.col(GENERATION).isin(sorted(generations)))


def standing(view: FeatureView, rows: DataFrame) -> DataFrame:
    """Per (keys, event time) the newest statement, unless it is a retraction.

    Args:
        view: The view.
        rows: History rows of the generations that count.
    """
    keys = view.entity.key_names
    payload = F.struct(*view.feature_names, FLAG, GENERATION)
    newest = rows.groupBy(*keys, EVENT_TIMESTAMP).agg(F.max_by(payload, GENERATION).alias("row"))
    return newest.select(*keys, EVENT_TIMESTAMP, "row.*").filter(F.col(FLAG) != RETRACTED)


def current(view: FeatureView, statements: DataFrame) -> DataFrame:
    """Per entity the statement of the newest event time; each (keys, event time) occurs once in what is given."""
    return _of_greatest(statements, settled(_greatest(view, statements, EVENT_TIMESTAMP)))


def as_served(view: FeatureView, statements: DataFrame) -> DataFrame:
    """Current statements in the shape of served rows: `_flag` becomes `_state`."""
    return statements.select(*view.entity.key_names, EVENT_TIMESTAMP, *view.feature_names, F.col(FLAG).alias(STATE))


def newest_served(view: FeatureView, rows: DataFrame) -> DataFrame:
    """Per entity the served row of the newest generation: what a reader of the online store would be given."""
    return _of_greatest(rows, _greatest(view, rows, GENERATION).hint("shuffle_hash"))


def _greatest(view: FeatureView, rows: DataFrame, order: str) -> DataFrame:
    # the greatest by itself is hashed; together with the values it would be sorted
    return rows.groupBy(*view.entity.key_names).agg(F.max(order).alias(order))


def _of_greatest(rows: DataFrame, greatest: DataFrame) -> DataFrame:
    return rows.join(greatest, greatest.columns, "left_semi").select(*rows.columns)


def later_than(instant_us: int | None) -> Column:
    """True for rows whose event time lies after an instant; for all rows when there is none."""
    return F.lit(True) if instant_us is None else F.col(EVENT_TIMESTAMP) > F.lit(from_us(instant_us))
