"""One door to the three kinds of view: pinned sources in, statements out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless.core.names import EVENT_TIMESTAMP, FLAG
from skewless.core.time import to_us
from skewless.core.view import FeatureView, RowView, SnapshotView, WindowView
from skewless.errors import DefinitionError
from skewless.spark import row_view, snapshot_view, window_view
from skewless.spark.dtypes import spark_schema
from skewless.spark.read import PinnedSource, read_source
from skewless.spark.transform import Judged, judged, value_columns
from skewless.spark.value_tables import later_than


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation gave.

    Attributes:
        statements: Keys, `event_timestamp`, features, `_flag`: what should stand in the evaluated range.
        judged: The rows that it was computed from, good and bad; counted once the statements were used.
    """

    statements: DataFrame
    judged: Judged


def evaluate(
    session: SparkSession,
    view: FeatureView,
    pins: Mapping[str, PinnedSource],
    *,
    start_us: int,
    after_us: int | None,
    through_us: int,
) -> Evaluation:
    """Compute what a view says at its pinned sources.

    Args:
        session: Spark.
        view: The definition.
        pins: Source name → pinned source.
        start_us: The generation's start; later events are set aside.
        after_us: Statements up to this tick stand as they are; None evaluates everything. RowViews always do.
        through_us: The last tick of a tick view.

    Raises:
        DefinitionError: The transform does not give what the view promises.
    """
    rows = {name: read_source(session, pinned) for name, pinned in pins.items()}
    if isinstance(view, RowView):
        parts = row_view.transformed(view, rows[view.source.name], start_us=start_us).observed()
        return Evaluation(row_view.evaluated(view, parts.used), parts)
    if isinstance(view, WindowView):
        near = rows[view.source.name]
        if after_us is not None:
            near = near.filter(later_than(view.schedule.floor_us(after_us) - window_view.reach_us(view) - 1))
        parts = window_view.read_events(view, near, start_us=start_us).observed()
        values = window_view.evaluated(view, parts.used, after_us=after_us, through_us=through_us)
        return Evaluation(values, parts)
    if isinstance(view, SnapshotView):
        return _snapshots(session, view, rows, start_us=start_us, after_us=after_us, through_us=through_us)
    raise DefinitionError(f"View '{view.name}' is of no known kind. Use RowView, WindowView or SnapshotView.")


def earliest_change_us(session: SparkSession, pinned: PinnedSource, *, since: int) -> int | None:
    """The earliest event time that the changes of a source touched after a version.

    Args:
        session: Spark.
        pinned: The source at the version that is read now; not equal to `since`.
        since: The version that was read before.

    Returns:
        Microseconds, before and after images alike; None when the change feed cannot tell, so that everything has to
        be taken as touched. When nothing but metadata changed, the instant after all times.
    """
    options = {"readChangeFeed": "true", "startingVersion": str(since + 1), "endingVersion": str(pinned.version)}
    try:
        feed = session.read.format("delta").options(**options).load(pinned.path)
        first = feed.agg(F.min(F.unix_micros(pinned.source.event_timestamp))).first()
    except PySparkException:  # no feed at that time, or vacuumed since: the caller evaluates everything
        return None
    return int(first[0]) if first is not None and first[0] is not None else 2**62


def _snapshots(
    session: SparkSession,
    view: SnapshotView,
    rows: Mapping[str, DataFrame],
    *,
    start_us: int,
    after_us: int | None,
    through_us: int,
) -> Evaluation:
    ticks = snapshot_view.due_ticks(
        view, earliest_us=_earliest_us(view, rows), after_us=after_us, through_us=through_us
    )
    if not ticks:
        nothing = session.createDataFrame([], spark_schema(value_columns(view)))
        return Evaluation(nothing.withColumn(FLAG, F.lit("")), judged(nothing, view, start_us=start_us))
    parts = judged(snapshot_view.taken(view, rows, ticks), view, start_us=start_us).observed()
    return Evaluation(snapshot_view.evaluated(view, parts.used, ticks, after_us=after_us), parts)


def _earliest_us(view: SnapshotView, rows: Mapping[str, DataFrame]) -> int:
    """The earliest event of a source whose past is cut, or of any when none is: before it there is nothing to say."""
    if view.start is not None:
        return to_us(view.start) - 1
    named = tuple(view.lookback) or tuple(source.name for source in view.sources)
    found = [rows[name].agg(F.min(F.unix_micros(EVENT_TIMESTAMP))).first() for name in named]
    instants = [row[0] for row in found if row is not None and row[0] is not None]
    return min(instants, default=2**62)
