"""One door to the three kinds of view: pinned sources in, statements out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless.core.names import EVENT_TIMESTAMP, FLAG
from skewless.core.source import DeltaSource
from skewless.core.time import duration_us, to_us
from skewless.core.view import FeatureView, RowView, SnapshotView, WindowView
from skewless.errors import DefinitionError
from skewless.spark import row_view, snapshot_view, window_view
from skewless.spark.dtypes import spark_schema
from skewless.spark.read import PinnedSource, read_source
from skewless.spark.source_changes import added, both, unchanged
from skewless.spark.span import Span
from skewless.spark.transform import Judged, judged, value_columns
from skewless.spark.value_tables import later_than

#: The share of the entities, as a divisor, from which on changes touch many: a tick's events alone are then a third,
#: and those that leave windows at it as many again.
_MANY = 3


@dataclass(frozen=True, slots=True)
class Since:
    """What is to be looked at again, because something changed since an earlier evaluation.

    Attributes:
        changed: Source name → changed rows, with `_is_added`.
        after_us: No statement up to this instant can have changed.
        before_us: The last tick that was evaluated; of a RowView the start of its last evaluation.
        reach_us: Ticks of a SnapshotView after this one, up to `before_us`, cannot have changed; None when they can.
        entities: At least so many entities have values.
        has_set_aside: Events after `before_us` were set aside then, as those of the future.
    """

    changed: Mapping[str, DataFrame]
    after_us: int
    before_us: int
    reach_us: int | None = None
    entities: int = 0
    has_set_aside: bool = False

    def changes(self, source: DeltaSource, rows: DataFrame) -> DataFrame:
        """The changed rows of a source; none of its rows when it stands as it stood."""
        return self.changed[source.name] if source.name in self.changed else unchanged(rows)

    def span(self, through_us: int) -> Span:
        """The ticks to look at again, up to one."""
        reach_us = self.before_us if self.reach_us is None else self.reach_us
        skipped = (reach_us, self.before_us) if reach_us < self.before_us else None
        return Span(self.after_us, until_us=through_us, skipped=skipped)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation gave.

    Attributes:
        statements: Keys, `event_timestamp`, features, `_flag`: what should stand in the evaluated range.
        judged: The source rows that are new to it, good and bad; counted once the statements were used.
        span: The range.
        next_us: The earliest event that earlier evaluations set aside as one of the future, and this one too; None
            without any.
    """

    statements: DataFrame
    judged: Judged
    span: Span
    next_us: int | None = None


def evaluate(
    session: SparkSession,
    view: FeatureView,
    pins: Mapping[str, PinnedSource],
    *,
    start_us: int,
    through_us: int,
    since: Since | None,
) -> Evaluation:
    """Compute what a view says at its pinned sources.

    Args:
        session: Spark.
        view: The definition.
        pins: Source name → pinned source.
        start_us: The generation's start; later events are set aside.
        through_us: The last tick of a tick view.
        since: What to look at again; None evaluates everything.

    Raises:
        DefinitionError: The transform does not give what the view promises.
    """
    rows = {name: read_source(session, pinned) for name, pinned in pins.items()}
    if isinstance(view, RowView):
        of_source = row_view.transformed(view, rows[view.source.name], start_us=start_us)
        if since is None:
            return _all_rows(view, of_source)
        return _touched_rows(view, of_source, since.changes(view.source, rows[view.source.name]), since)
    if isinstance(view, WindowView):
        events = window_view.read_events(view, rows[view.source.name], start_us=start_us)
        if since is None:
            return _all_windows(view, events, through_us=through_us)
        changes = since.changes(view.source, rows[view.source.name])
        return _touched_windows(view, events, changes, since, through_us=through_us)
    if isinstance(view, SnapshotView):
        span = Span(_before_start_us(view), until_us=through_us) if since is None else since.span(through_us)
        return snapshots(session, view, rows, span, start_us=start_us)
    raise DefinitionError(f"View '{view.name}' is of no known kind. Use RowView, WindowView or SnapshotView.")


def earliest_change_us(view: FeatureView, changed: Mapping[str, DataFrame]) -> int | None:
    """The earliest event time that changed source rows touch, as they were or as they are; a job per source.

    Args:
        view: The definition; its transform may move an event to another time than its row's.
        changed: Source name → changed rows.

    Returns:
        Microseconds; None when there is no event among them.
    """
    found = (first_event_us(view, both(changed[name])) for name in sorted(changed))
    return min((one for one in found if one is not None), default=None)


def reached_us(view: SnapshotView, changed: Mapping[str, DataFrame]) -> int | None:
    """The last tick whose value changed source rows can change, or what is said at it; a job per source.

    Returns:
        None when a source that changed is looked back on without an end.
    """
    found = []
    for name in sorted(changed):
        if name not in view.lookback:
            return None
        row = both(changed[name]).agg(F.max(F.unix_micros(EVENT_TIMESTAMP))).first()
        found += [] if row is None or row[0] is None else [int(row[0]) + duration_us(view.lookback[name])]
    # the tick after it is told against a value that may have changed
    return view.schedule.floor_us(max(found)) + view.schedule.every_us if found else None


def first_event_us(view: FeatureView, rows: DataFrame) -> int | None:
    """The earliest event time that source rows touch, in microseconds; None when there is no event among them."""
    if isinstance(view, RowView):
        rows = view.transform(rows)
    if isinstance(view, WindowView):
        rows = view.events(rows)
    first = rows.agg(F.min(F.unix_micros(EVENT_TIMESTAMP))).first()
    return None if first is None or first[0] is None else int(first[0])


def _all_rows(view: RowView, of_source: Judged) -> Evaluation:
    parts = of_source.observed()
    return Evaluation(row_view.evaluated(view, parts.used), parts, Span())


def _touched_rows(view: RowView, of_source: Judged, changes: DataFrame, since: Since) -> Evaluation:
    """Of each touched pair all that the source says now: a deleted winner gives way to its runner-up."""
    pair, start_us = [*view.entity.key_names, EVENT_TIMESTAMP], of_source.start_us
    touched = row_view.transformed(view, both(changes), start_us=start_us).rows.select(*pair)
    next_us = None
    if since.has_set_aside:
        set_aside = of_source.rows.filter(later_than(since.before_us))
        touched = touched.unionByName(set_aside.select(*pair))
        next_us = replace(of_source, rows=set_aside).count().next_us
    span = Span.of_touched(since.after_us, touched.distinct())
    new = row_view.transformed(view, added(changes), start_us=start_us)
    return Evaluation(row_view.evaluated(view, span.of(of_source.used)), new, span, next_us)


def _all_windows(view: WindowView, events: Judged, *, through_us: int) -> Evaluation:
    parts = events.observed()
    values = window_view.evaluated(view, parts.used, after_us=None, through_us=through_us)
    return Evaluation(values, parts, Span(_before_start_us(view)))


def _touched_windows(
    view: WindowView, events: Judged, changes: DataFrame, since: Since, *, through_us: int
) -> Evaluation:
    """Of each touched entity the ticks after its own earliest change, from the events in reach of them."""
    start_us, ticks = events.start_us, window_view.Ticks(since.after_us, since.before_us, through_us)
    changed = window_view.read_events(view, both(changes), start_us=start_us).rows
    are_many = ticks.is_new and _are_many(view, changed, since)
    span = window_view.touched_span(view, events.used, changed, ticks, are_many=are_many)
    near = window_view.of_touched(view, events.used, span)
    values = window_view.evaluated(view, near, after_us=since.after_us, through_us=through_us)
    return Evaluation(values, window_view.read_events(view, added(changes), start_us=start_us), span)


def _are_many(view: WindowView, changed: DataFrame, since: Since) -> bool:
    """True when changes alone touch so many entities that to find the others, which ticks touch, gains nothing."""
    row = changed.agg(F.approx_count_distinct(F.struct(*view.entity.key_names))).first()
    return row is not None and bool(row[0]) and int(row[0]) * _MANY >= since.entities


def snapshots(
    session: SparkSession, view: SnapshotView, rows: Mapping[str, DataFrame], span: Span, *, start_us: int
) -> Evaluation:
    """The ticks of a span, each from its sources as they were cut at it."""
    ticks = snapshot_view.due_ticks(view, span, earliest_us=earliest_us(view, rows))
    if not ticks:
        nothing = session.createDataFrame([], spark_schema(value_columns(view)))
        return Evaluation(nothing.withColumn(FLAG, F.lit("")), judged(nothing, view, start_us=start_us), span)
    parts = judged(snapshot_view.taken(view, rows, ticks), view, start_us=start_us).observed()
    return Evaluation(snapshot_view.evaluated(view, parts.used, ticks).filter(span.within), parts, span)


def _before_start_us(view: FeatureView) -> int | None:
    """What history says of ticks before a view's start was evaluated when it started earlier, and stands."""
    return None if view.start is None else to_us(view.start) - 1


def earliest_us(view: SnapshotView, rows: Mapping[str, DataFrame]) -> int:
    """The earliest event of a source whose past is cut, or of any when none is: before it there is nothing to say."""
    if view.start is not None:
        return to_us(view.start) - 1
    named = tuple(view.lookback) or tuple(source.name for source in view.sources)
    found = (first_event_us(view, rows[name]) for name in named)
    return min((one for one in found if one is not None), default=2**62)
