"""Sources and other Delta tables, read at a pinned version."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless.core.names import EVENT_TIMESTAMP
from skewless.core.source import DeltaSource
from skewless.errors import DefinitionError, UsageError
from skewless.spark.dtypes import holds, spark_type


class SourceMissing(UsageError):
    """A source's table is not there."""


class SourceDrift(DefinitionError):
    """A source's table no longer has the columns that its definition declares."""


@dataclass(frozen=True, slots=True)
class PinnedSource:
    """A source at one version of its table.

    Attributes:
        source: The definition.
        path: Folder of the table.
        version: The Delta version.
        table_id: The table's identity, which a replaced table does not share.
    """

    source: DeltaSource
    path: str
    version: int
    table_id: str


def is_table(session: SparkSession, path: str) -> bool:
    """True when a Delta table lies at a path."""
    return DeltaTable.isDeltaTable(session, path)


def head_version(session: SparkSession, path: str) -> int:
    """The newest version of a Delta table."""
    return int(snapshot(session, path).version())


def table_id(session: SparkSession, path: str) -> str:
    """The identity that Delta gave a table when it was created."""
    return str(snapshot(session, path).metadata().id())


def transaction(session: SparkSession, path: str, writer: str) -> int | None:
    """The newest transaction (`txnVersion`) that a writer (`txnAppId`) committed to a Delta table."""
    found: Any = snapshot(session, path).transactions().get(writer)
    return int(found.get()) if found.isDefined() else None


def snapshot(session: SparkSession, path: str) -> Any:
    """What Delta knows of a table's newest version, a Java object."""
    # DESCRIBE HISTORY and DESCRIBE DETAIL say the same, each with a job of its own: a hundred times slower
    jvm: Any = session._jvm
    nothing = jvm.scala.Option.empty()
    return delta_log(session, path).update(False, nothing, nothing)  # noqa: FBT003 - Java takes no keywords


def delta_log(session: SparkSession, path: str) -> Any:
    """Delta's own log of a table, a Java object."""
    jvm: Any = session._jvm
    return jvm.org.apache.spark.sql.delta.DeltaLog.forTable(session._jsparkSession, path)


def read_at(session: SparkSession, path: str, version: int) -> DataFrame:
    """A Delta table as it was at a version."""
    return session.read.format("delta").option("versionAsOf", version).load(path)


def pin(session: SparkSession, source: DeltaSource, path: str) -> PinnedSource:
    """Fix the version of a source that a run reads.

    Raises:
        SourceMissing: There is no table.
    """
    if not is_table(session, path):
        message = (
            f"Source '{source.name}' has no Delta table at {path}. Land it first: jobs/land.py {source.name} FILE."
        )
        raise SourceMissing(message)
    return PinnedSource(source, path, head_version(session, path), table_id(session, path))


def check_schema(session: SparkSession, source: DeltaSource, path: str) -> None:
    """Compare a source's table with its declared columns.

    Raises:
        SourceMissing: There is no table.
        SourceDrift: A declared column is missing or of another type.
    """
    if not is_table(session, path):
        raise SourceMissing(f"Source '{source.name}' has no Delta table at {path}. Land it first with jobs/land.py.")
    _refuse_drift(source, session.read.format("delta").load(path))


def read_source(session: SparkSession, pinned: PinnedSource) -> DataFrame:
    """The declared columns of a source, its event time renamed to `event_timestamp`.

    Raises:
        SourceDrift: A declared column is missing or of another type.
    """
    rows = read_at(session, pinned.path, pinned.version)
    _refuse_drift(pinned.source, rows)
    return declared_columns(pinned.source, rows)


def declared_columns(source: DeltaSource, rows: DataFrame, also: Iterable[Column] = ()) -> DataFrame:
    """What a transform sees of a source's rows, and further columns."""
    seen = (
        F.col(f"`{name}`").alias(EVENT_TIMESTAMP if name == source.event_timestamp else name) for name in source.schema
    )
    return rows.select(*seen, *also)


def empty_source(session: SparkSession, source: DeltaSource) -> DataFrame:
    """No rows, in the shape that a transform sees; for planning without data."""
    columns = ", ".join(f"`{name}` {spark_type(dtype).simpleString()}" for name, dtype in source.schema.items())
    return declared_columns(source, session.createDataFrame([], columns))


def _refuse_drift(source: DeltaSource, rows: DataFrame) -> None:
    found = {field.name: field.dataType for field in rows.schema.fields}
    for name, dtype in source.schema.items():
        if name not in found:
            columns = sorted(found)
            message = (
                f"Source '{source.name}' has no column '{name}' (it has {columns}). Fix its schema in feature_defs."
            )
            raise SourceDrift(message)
        if not holds(dtype, found[name]):
            seen = found[name].simpleString()
            message = (
                f"Source '{source.name}' declares '{name}' as {dtype}, but the table has {seen}. Change one of them."
            )
            raise SourceDrift(message)
