"""Small files of a Delta table put together: each generation leaves some, and each costs every reader."""

from __future__ import annotations

from delta.tables import DeltaTable
from pyspark.sql import SparkSession

#: So many files cost readers little.
_FEW = 64
#: Files are put together up to so many bytes.
_TARGET = 128 << 20


def compact(session: SparkSession, path: str) -> int:
    """Put the small files of a table together, if there are many; what it says does not change.

    Args:
        session: Spark.
        path: The table.

    Returns:
        How many files were replaced.
    """
    table = DeltaTable.forPath(session, path)
    if len(table.toDF().inputFiles()) <= _FEW:
        return 0
    name = "spark.databricks.delta.optimize.maxFileSize"
    session.conf.set(name, str(_TARGET))
    try:
        row = table.optimize().executeCompaction().select("metrics.numFilesRemoved").first()
    finally:
        session.conf.unset(name)
    return int(row[0]) if row is not None else 0
