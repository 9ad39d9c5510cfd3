"""window_values: what a WindowView's aggregates would say at the times of a spine, before it is made a feature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pyspark.sql import DataFrame

from skewless.core.aggregate import Aggregate
from skewless.core.view import WindowView
from skewless.errors import UsageError
from skewless.flows.workshop import Workshop
from skewless.spark.observed_windows import Asking, observed
from skewless.spark.point_in_time.bucket import buckets_of
from skewless.spark.read import pin, read_source
from skewless.spark.training import check_columns, read_spine
from skewless.spark.window_view import read_events


def window_values(
    shop: Workshop,
    view: str,
    spine: DataFrame | str,
    *,
    aggregates: Mapping[str, Aggregate] | None = None,
    time_column: str = "timestamp",
) -> DataFrame:
    """Evaluate aggregates over the windows that end at the times of a spine.

    This is event time: the source is read as it is now, with what was late or corrected, and nobody was served this.

    Args:
        shop: The workshop.
        view: A WindowView of the definitions; it need not be applied.
        spine: Keys, observation time, whatever else; a frame, or the path of one.
        aggregates: Name → aggregate; the view's own when None.
        time_column: The observation time.

    Returns:
        Every spine row once, and one column per aggregate; see `observed`.

    Raises:
        UsageError: There is no such WindowView, or the spine cannot be joined.
        DefinitionError: An aggregate does not fit the view's events.
    """
    asked = _asked_of(shop, view, aggregates)
    rows = read_spine(shop.session, spine, [asked]) if isinstance(spine, str) else spine
    check_columns(rows, [asked], added=asked.feature_names, time_column=time_column)
    pinned = pin(shop.session, asked.source, shop.source_path(asked.source))
    shop.say(f"Evaluating {len(asked.aggregates)} windows on '{asked.source.name}', version {pinned.version}…")
    source = read_source(shop.session, pinned)
    asking = Asking.of(rows, time_column)
    # the clock has no say: a tick at T is evaluated when T has come, and what it looks at is no future then
    events = read_events(asked, source, start_us=asking.until_us).used
    # Delta knows how many rows a source has without looking at them
    return observed(asked, events, asking, buckets=buckets_of(source.count() + asking.reach.rows))


def _asked_of(shop: Workshop, name: str, aggregates: Mapping[str, Aggregate] | None) -> WindowView:
    found = shop.definitions.view(name)
    if not isinstance(found, WindowView):
        raise UsageError(f"View '{name}' has no windows: it is a {type(found).__name__}. Name a WindowView.")
    return found if aggregates is None else replace(found, aggregates=aggregates, descriptions={})
