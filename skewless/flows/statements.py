"""What history says of one entity: its statements, newest first."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pyspark.sql import functions as F

from skewless.core.names import EVENT_TIMESTAMP, FLAG, GENERATION
from skewless.core.resolver import HistoryRow
from skewless.core.time import from_us
from skewless.core.view import FeatureView
from skewless.flows.workshop import Workshop
from skewless.online.codec import checked_part
from skewless.spark.exact import arrived, leaving
from skewless.spark.read import is_table

#: That many are nearly always enough to find the one that holds.
MOST = 500


def statements(
    shop: Workshop,
    view: FeatureView,
    keys: Mapping[str, object],
    *,
    limit_us: int,
    generations: Collection[int] | None = None,
    at_most: int | None = MOST,
) -> list[HistoryRow]:
    """The statements of history about an entity.

    Args:
        shop: The workshop.
        view: The view.
        keys: Its key columns, and others; an entity with a null among its keys does not exist.
        limit_us: Statements of later times are left out, one at the instant is not.
        generations: Only these count; None takes all.
        at_most: The newest so many; None takes all.

    Returns:
        Newest event time first; of one event time the newest generation first.

    Raises:
        BadKeys: A key is of another type than the view declares.
    """
    parts = {name: keys[name] for name in view.entity.key_names}
    tables = shop.tables(view)
    if None in parts.values() or not is_table(shop.session, tables.history):
        return []
    rows = tables.read(tables.history).filter(F.col(EVENT_TIMESTAMP) <= F.lit(from_us(limit_us)))
    if generations is not None:
        rows = rows.filter(F.col(GENERATION).isin(sorted(generations)))
    for name, value in parts.items():
        rows = rows.filter(F.col(name) == F.lit(checked_part(name, view.entity.keys[name], value)))
    features = view.feature_types
    values = leaving(features, F.struct(*view.feature_names)).alias("values")
    found = rows.select(F.unix_micros(EVENT_TIMESTAMP).alias("event_us"), GENERATION, FLAG, values)
    ordered = found.orderBy(F.desc("event_us"), F.desc(GENERATION))
    told = (ordered if at_most is None else ordered.limit(at_most)).collect()
    return [
        HistoryRow(
            event_us=row["event_us"],
            generation=row[GENERATION],
            values=arrived(features, row["values"].asDict(recursive=True)) or {},
            flag=row[FLAG],
        )
        for row in told
    ]
