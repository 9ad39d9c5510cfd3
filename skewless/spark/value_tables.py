"""The two append-only tables of a view version: history (every value known) and served (what each push sent)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless.core.dtypes import DType, Int64, String, Timestamp
from skewless.core.names import EVENT_TIMESTAMP, FLAG, GENERATION, STATE
from skewless.core.resolver import ABSENT, RETRACTED
from skewless.core.time import from_us
from skewless.core.view import FeatureView
from skewless.spark.dtypes import identities, spark_type
from skewless.spark.read import head_version, is_table, read_at


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
        return str(PurePosixPath(self.root) / "views" / self.view.name / f"v{self.view.version}")

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
        return {feature.name: feature.dtype for feature in self.view.features}

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

    def _create(self, path: str, columns: Mapping[str, DType]) -> None:
        required = {*self.view.entity.key_names, GENERATION} | ({EVENT_TIMESTAMP} if path == self.history else set())
        body = ", ".join(
            f"`{name}` {spark_type(dtype).simpleString()}{' NOT NULL' if name in required else ''}"
            for name, dtype in columns.items()
        )
        horizon = f"interval {self.horizon.days} days"
        properties = {
            "delta.appendOnly": "true",
            "delta.deletedFileRetentionDuration": horizon,
            "delta.logRetentionDuration": horizon,
            "delta.enableInCommitTimestamps": "true",
        }
        listed = ", ".join(f"'{name}' = '{value}'" for name, value in properties.items())
        self.session.sql(f"CREATE TABLE IF NOT EXISTS delta.`{path}` ({body}) USING delta TBLPROPERTIES ({listed})")

    def append(self, path: str, rows: DataFrame, *, generation: int, run_id: str) -> int:
        """Append a generation's rows; a repeated append of the same generation is a no-op.

        Args:
            path: History or served.
            rows: Its rows, without `_gen`.
            generation: Its number.
            run_id: Recorded in the commit.

        Returns:
            The Delta version that holds them.
        """
        (
            rows.withColumn(GENERATION, F.lit(generation).cast("long"))
            .write.format("delta")
            .mode("append")
            .option("txnAppId", path.rsplit("/", maxsplit=1)[-1])
            .option("txnVersion", generation)
            .option("userMetadata", run_id)
            .save(path)
        )
        return head_version(self.session, path)

    def read(self, path: str, version: int | None = None) -> DataFrame:
        """History or served, at a version or as it is."""
        if version is None:
            return self.session.read.format("delta").load(path)
        return read_at(self.session, path, version)


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
    """Per entity the standing statement of the newest event time."""
    keys = view.entity.key_names
    payload = F.struct(EVENT_TIMESTAMP, *view.feature_names, FLAG, GENERATION)
    newest = statements.groupBy(*keys).agg(F.max_by(payload, EVENT_TIMESTAMP).alias("row"))
    return newest.select(*keys, "row.*")


def changed_statements(view: FeatureView, fresh: DataFrame, known: DataFrame) -> DataFrame:
    """What has to be said so that history agrees with a new evaluation.

    Args:
        view: The view.
        fresh: Keys, `event_timestamp`, features, `_flag`: all statements that should stand in the evaluated range.
        known: The statements that stand there now.

    Returns:
        The same columns as `fresh`, and `_change`: `new`, `corrected` or `retracted`.
    """
    keys, names = view.entity.key_names, view.feature_names
    at = (*keys, EVENT_TIMESTAMP)
    same = F.struct(identities({feature.name: feature.dtype for feature in view.features}), FLAG)
    sides = fresh.select(*at, *names, FLAG, F.lit(True).alias("_fresh")).unionByName(
        known.select(*at, *names, FLAG, F.lit(False).alias("_fresh"))
    )
    row = F.struct(*names, FLAG, same.alias("same"))
    both = sides.groupBy(*at).agg(
        F.max(F.when(F.col("_fresh"), row)).alias("fresh"), F.max(F.when(~F.col("_fresh"), row)).alias("known")
    )
    fresh_same, known_same = F.col("fresh.same"), F.col("known.same")
    change = (
        F.when(F.col("known").isNull(), "new")
        .when(F.col("fresh").isNull(), "retracted")
        .when(fresh_same != known_same, "corrected")
    )
    changed = both.withColumn("_change", change).filter(F.col("_change").isNotNull())
    flag = F.when(F.col("fresh").isNull(), RETRACTED).otherwise(F.col(f"fresh.{FLAG}"))
    return changed.select(*at, *(F.col(f"fresh.{name}").alias(name) for name in names), flag.alias(FLAG), "_change")


def changed_current(view: FeatureView, before: DataFrame, after: DataFrame) -> DataFrame:
    """The entities whose current value changed, with that value: what a push has to send.

    Args:
        view: The view.
        before: `as_served` rows of the entities in question at the generation before, at most one each.
        after: `as_served` rows of theirs now; an entity that is missing here is absent.

    Returns:
        Keys, `event_timestamp`, features, `_state` (empty, `deleted` or `absent`).
    """
    keys, names = view.entity.key_names, view.feature_names
    same = F.struct(EVENT_TIMESTAMP, identities({feature.name: feature.dtype for feature in view.features}), STATE)
    row = F.struct(EVENT_TIMESTAMP, *names, STATE, same.alias("same"))
    sides = after.select(*keys, row.alias("row"), F.lit(True).alias("_after")).unionByName(
        before.select(*keys, row.alias("row"), F.lit(False).alias("_after"))
    )
    both = sides.groupBy(*keys).agg(
        F.max(F.when(F.col("_after"), F.col("row"))).alias("after"),
        F.max(F.when(~F.col("_after"), F.col("row"))).alias("before"),
    )
    was_absent = F.col("before").isNull() | (F.col(f"before.{STATE}") == ABSENT)
    is_absent = F.col("after").isNull()
    moved = F.when(is_absent, ~was_absent).otherwise(
        F.col("before").isNull() | (F.col("after.same") != F.col("before.same"))
    )
    state = F.when(is_absent, F.lit(ABSENT)).otherwise(F.col(f"after.{STATE}"))
    kept = (F.col(f"after.{name}").alias(name) for name in (EVENT_TIMESTAMP, *names))
    return both.filter(moved).select(*keys, *kept, state.alias(STATE))


def as_served(view: FeatureView, statements: DataFrame) -> DataFrame:
    """Current statements in the shape of served rows: `_flag` becomes `_state`."""
    return statements.select(*view.entity.key_names, EVENT_TIMESTAMP, *view.feature_names, F.col(FLAG).alias(STATE))


def newest_served(view: FeatureView, rows: DataFrame) -> DataFrame:
    """Per entity the served row of the newest generation: what a reader of the online store would be given."""
    keys = view.entity.key_names
    payload = F.struct(EVENT_TIMESTAMP, *view.feature_names, STATE, GENERATION)
    newest = rows.groupBy(*keys).agg(F.max_by(payload, GENERATION).alias("row"))
    return newest.select(*keys, "row.*")


def later_than(instant_us: int | None) -> Column:
    """True for rows whose event time lies after an instant; for all rows when there is none."""
    return F.lit(True) if instant_us is None else F.col(EVENT_TIMESTAMP) > F.lit(from_us(instant_us))
