"""Files of a Delta table: which versions need which, which lie there, and their removal by Delta's own VACUUM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless.plan.vacuum_plan import DataFile
from skewless.spark.commits import Commit, commit
from skewless.spark.read import delta_log, head_version, snapshot

_INVENTORY = "path STRING, length BIGINT, isDir BOOLEAN, modificationTime BIGINT"
_DAY_MS = 86_400_000
#: How Delta's errors of a log without its beginning are called.
_NO_LOG = ("FileNotFound", "VersionNotFound", "DeltaIllegalState", "DeltaFileNotFound")


class VersionGone(LookupError):
    """Delta's log no longer tells of a version, or does not know it yet."""


def listed_files(session: SparkSession, path: str) -> dict[str, DataFile]:
    """The data files that lie in a table's folder, by their names; names are unique, whatever folder they are in."""
    reader = session.read.format("binaryFile").option("recursiveFileLookup", "true")
    rows = reader.option("pathGlobFilter", "*.parquet").load(path)
    found = rows.select("path", "length", F.unix_millis("modificationTime").alias("modified")).collect()
    return {_name(row["path"]): DataFile(row["path"], row["length"], row["modified"]) for row in found}


def needed_files(session: SparkSession, path: str, version: int) -> frozenset[str]:
    """The names of the data files that a version of a table consists of.

    Raises:
        VersionGone: The log does not tell.
    """
    if version > head_version(session, path):
        raise VersionGone(f"the table ends at version {head_version(session, path)}")
    jvm: Any = session._jvm
    nothing = jvm.scala.Option.empty()
    try:
        at = delta_log(session, path).getSnapshotAt(version, nothing, nothing, False)  # noqa: FBT003 - as above
        rows = DataFrame(at.allFiles().toDF(), session).select("path").collect()
    except (AnalysisException, Py4JJavaError) as error:  # pyspark translates some errors of Delta, not all
        if isinstance(error, Py4JJavaError) and not _is_of_log(error):
            raise
        raise VersionGone("its log no longer reaches back to it") from error
    return frozenset(_name(row["path"]) for row in rows)


def dropped_files(session: SparkSession, path: str) -> dict[str, int]:
    """Data files that the newest version no longer has → when they were dropped, in milliseconds; of Delta's memory."""
    rows = DataFrame(snapshot(session, path).tombstones().toDF(), session).select("path", "deletionTimestamp").collect()
    return {_name(row["path"]): int(row["deletionTimestamp"] or 0) for row in rows}


def vacuums(session: SparkSession, path: str, *, after: int) -> list[Commit]:
    """What the log tells of VACUUMs that ended after a version, oldest first."""
    versions = range(after + 1, head_version(session, path) + 1)
    return [one for one in (commit(session, path, version) for version in versions) if one.operation == "VACUUM END"]


def remove_files(session: SparkSession, path: str, files: Mapping[str, DataFile]) -> None:
    """Have Delta remove these files of a table, and no others.

    Delta looks at nothing but the list, and refuses to remove what the newest version has. That it would keep files for
    a week, or for as long as the table says, is set aside: the list was made by what is still needed.

    Args:
        session: Spark.
        path: The table.
        files: Name → file.
    """
    rows = [(one.path, one.bytes, False, one.modified_ms) for one in files.values()]
    session.createDataFrame(rows, _INVENTORY).createOrReplaceTempView("skewless_vacuum")
    command = f"VACUUM delta.`{path}` USING INVENTORY (TABLE skewless_vacuum) RETAIN 0 HOURS"
    wanted = {
        "spark.databricks.delta.retentionDurationCheck.enabled": "false",
        "spark.databricks.delta.vacuum.logging.enabled": "true",
    }
    before: dict[str, str | None] = {name: session.conf.get(name, None) for name in wanted}
    try:
        for name, value in wanted.items():
            session.conf.set(name, value)
        session.sql(command).collect()
    finally:
        for name, earlier in before.items():
            if earlier is None:
                session.conf.unset(name)
            else:
                session.conf.set(name, earlier)
        session.catalog.dropTempView("skewless_vacuum")


def retention_days(session: SparkSession, path: str) -> int:
    """For how many days a table's old versions stay readable."""
    jvm: Any = session._jvm
    metadata = snapshot(session, path).metadata()
    files_ms = jvm.org.apache.spark.sql.delta.DeltaLog.tombstoneRetentionMillis(metadata)
    log_ms = delta_log(session, path).deltaRetentionMillis(metadata)
    return int(min(files_ms, log_ms)) // _DAY_MS


def keep_readable(session: SparkSession, path: str, *, days: int) -> None:
    """Have Delta keep a table's old versions readable for so many days."""
    names = ("delta.deletedFileRetentionDuration", "delta.logRetentionDuration")
    listed = ", ".join(f"'{name}' = 'interval {days} days'" for name in names)
    session.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ({listed})")


def _is_of_log(error: Py4JJavaError) -> bool:
    return str(error.java_exception.getClass().getSimpleName()).startswith(_NO_LOG)


def _name(path: str) -> str:
    return unquote(path).rsplit("/", 1)[-1]
