"""Evaluate a range of time from its sources, whatever is known of it: one chunk of a backfill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless.core.names import EVENT_TIMESTAMP
from skewless.core.time import to_us
from skewless.core.view import FeatureView, RowView, SnapshotView, WindowView
from skewless.errors import DefinitionError
from skewless.spark import row_view, window_view
from skewless.spark.evaluate import Evaluation, earliest_us, first_event_us, snapshots
from skewless.spark.read import PinnedSource, read_source
from skewless.spark.span import Span
from skewless.spark.transform import Judged
from skewless.spark.value_tables import later_than


@dataclass(frozen=True, slots=True)
class Range:
    """A range of event times or ticks.

    Attributes:
        after_us: It begins after this instant.
        until_us: It ends at this one, included.
        is_first: Rows before it, and those without a time, are looked at with it: nobody has looked at them before.
        is_last: So are rows after it.
    """

    after_us: int
    until_us: int
    is_first: bool = False
    is_last: bool = False

    def of(self, rows: DataFrame) -> DataFrame:
        """The rows to be looked at with it."""
        time = F.col(EVENT_TIMESTAMP)
        begins = F.lit(True) if self.is_first else later_than(self.after_us)
        ends = F.lit(True) if self.is_last else ~later_than(self.until_us)
        return rows.filter((begins & ends) | (time.isNull() & F.lit(self.is_first)))


def evaluate_range(
    session: SparkSession, view: FeatureView, pins: Mapping[str, PinnedSource], part: Range, *, start_us: int
) -> Evaluation:
    """Compute what a view says of a range at its pinned sources.

    Args:
        session: Spark.
        view: The definition.
        pins: Source name → pinned source.
        part: Event times of a RowView, ticks of the others.
        start_us: The generation's start; later events are set aside.

    Raises:
        DefinitionError: The transform does not give what the view promises.
    """
    rows = {name: read_source(session, pinned) for name, pinned in pins.items()}
    span = Span(part.after_us, until_us=part.until_us)
    if isinstance(view, RowView):
        judged = row_view.transformed(view, rows[view.source.name], start_us=start_us)
        within = _within(judged, part).observed()
        return Evaluation(row_view.evaluated(view, within.used), within, span)
    if isinstance(view, WindowView):
        events = window_view.read_events(view, rows[view.source.name], start_us=start_us)
        near = window_view.of_touched(view, events.used, Span(part.after_us)).filter(~later_than(part.until_us))
        values = window_view.evaluated(view, near, after_us=part.after_us, through_us=part.until_us)
        return Evaluation(values, _within(events, part), span)
    if isinstance(view, SnapshotView):
        return snapshots(session, view, rows, span, start_us=start_us)
    raise DefinitionError(f"View '{view.name}' is of no known kind. Use RowView, WindowView or SnapshotView.")


def first_us(session: SparkSession, view: FeatureView, pins: Mapping[str, PinnedSource]) -> int | None:
    """The instant of the first statement that a view can make: its start, else its earliest event; None without any."""
    if view.has_ticks and view.start is not None:
        return to_us(view.start)
    rows = {name: read_source(session, pinned) for name, pinned in pins.items()}
    if isinstance(view, SnapshotView):
        found = earliest_us(view, rows)
        return found if found < 2**62 else None
    return first_event_us(view, rows[view.sources[0].name])


def _within(judged: Judged, part: Range) -> Judged:
    return replace(judged, rows=part.of(judged.rows))
