"""Until which tick a source is ready."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless.core.readiness import Marked, Within
from skewless.core.time import duration_us, from_us
from skewless.errors import ConfigError
from skewless.spark.read import PinnedSource, is_table, read_at


def ready_through_us(
    session: SparkSession, pinned: PinnedSource, *, located: Callable[[str], str], now_us: int
) -> int | None:
    """The latest instant for whose tick a source is ready; one job, none for a source that always is.

    Args:
        session: Spark.
        pinned: The source.
        located: Completes the path of a marker table.
        now_us: The clock: later events are set aside, so they cannot tell that anything has arrived.

    Returns:
        Microseconds, included; None when no tick is ready: the source, or its marker table, has no row.

    Raises:
        ConfigError: The marker table lacks its column, or it is no timestamp.
    """
    rule, source = pinned.source.ready, pinned.source
    if rule is None:
        return 2**62
    if isinstance(rule, Within):
        rows = read_at(session, pinned.path, pinned.version)
        known = rows.filter(F.col(f"`{source.event_timestamp}`") <= F.lit(from_us(now_us)))
        newest_us = _greatest_us(known, source.event_timestamp)
        return None if newest_us is None else newest_us + duration_us(rule.distance)
    return _marked_us(session, rule, source.name, located(rule.path))


def _marked_us(session: SparkSession, rule: Marked, source: str, path: str) -> int | None:
    if not is_table(session, path):
        return None
    markers = session.read.format("delta").load(path)
    found = {field.name: field.dataType.simpleString() for field in markers.schema.fields}
    if found.get(rule.column) != "timestamp":
        message = (
            f"Source '{source}' is marked ready by column '{rule.column}' of {rule.path}, which must be a timestamp "
            f"(the table has {found})."
        )
        raise ConfigError(message)
    return _greatest_us(markers, rule.column)


def _greatest_us(rows: DataFrame, column: str) -> int | None:
    row = rows.agg(F.max(F.unix_micros(F.col(f"`{column}`")))).first()
    return int(row[0]) if row is not None and row[0] is not None else None
