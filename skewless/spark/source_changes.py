"""What changed in a source between two of its versions: as its change feed says, else by comparing both."""

from __future__ import annotations

from contextlib import suppress

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless.core.names import EVENT_TIMESTAMP
from skewless.spark.dtypes import identities
from skewless.spark.read import PinnedSource, declared_columns, read_at, read_source

IS_ADDED = "_is_added"
_SAME, _ROW, _SIDE = "_same", "_row", "_side"


def changes_since(session: SparkSession, pinned: PinnedSource, since: int) -> DataFrame | None:
    """The rows that changed: those that came, those that went, those that were corrected in both of their forms.

    Args:
        session: Spark.
        pinned: The source at the version that is read now.
        since: The version that was read before; an older one of the same table.

    Returns:
        Declared columns, event time under `event_timestamp`, and `_is_added`: true for a row as the newer version has
        it, false for one as the older had it. None when neither the feed nor the older version can be read any more.
    """
    for read in (_fed, _compared):
        # they are used several times; and files that a vacuum took are missed only by a job
        with suppress(PySparkException, Py4JJavaError):
            return read(session, pinned, since).localCheckpoint()
    return None


def _fed(session: SparkSession, pinned: PinnedSource, since: int) -> DataFrame:
    """As the change feed recorded them."""
    options = {"readChangeFeed": "true", "startingVersion": str(since + 1), "endingVersion": str(pinned.version)}
    feed = session.read.format("delta").options(**options).load(pinned.path)
    is_added = F.col("_change_type").isin("insert", "update_postimage").alias(IS_ADDED)
    return declared_columns(pinned.source, feed, also=(is_added,))


def _compared(session: SparkSession, pinned: PinnedSource, since: int) -> DataFrame:
    """The rows that one version has and the other has not, counted; of equal bits, not of equal order."""
    older = declared_columns(pinned.source, read_at(session, pinned.path, since))
    newer = read_source(session, pinned)
    named = {
        EVENT_TIMESTAMP if name == pinned.source.event_timestamp else name: dtype
        for name, dtype in pinned.source.schema.items()
    }
    sides = ((older, -1), (newer, 1))
    told, also = (
        rows.select(identities(named).alias(_SAME), F.struct(*named).alias(_ROW), F.lit(side).alias(_SIDE))
        for rows, side in sides
    )
    # exceptAll would group by the values themselves, to which 0.0 and -0.0 are equal
    counted = told.unionByName(also).groupBy(_SAME).agg(F.sum(_SIDE).alias(_SIDE), F.any_value(_ROW).alias(_ROW))
    times = F.array_repeat(F.col(_SIDE) > 0, F.abs(_SIDE).cast("int"))
    return counted.select(f"{_ROW}.*", F.explode(times).alias(IS_ADDED))


def both(changes: DataFrame) -> DataFrame:
    """Rows as they were and rows as they are."""
    return changes.drop(IS_ADDED)


def added(changes: DataFrame) -> DataFrame:
    """Rows as they are."""
    return changes.filter(IS_ADDED).drop(IS_ADDED)


def unchanged(rows: DataFrame) -> DataFrame:
    """None of the rows of a source, in the shape of changes."""
    return rows.limit(0).withColumn(IS_ADDED, F.lit(True))
