"""RowView: one source row gives zero or more value rows."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from skewless.core.names import EVENT_TIMESTAMP, FLAG
from skewless.core.view import RowView
from skewless.spark.dtypes import identities
from skewless.spark.transform import Judged, judged, promised_columns, value_columns


def transformed(view: RowView, rows: DataFrame, *, start_us: int) -> Judged:
    """Run the transform over source rows and set bad value rows aside.

    Args:
        view: The definition.
        rows: Source rows, event time under `event_timestamp`.
        start_us: The generation's start.
    """
    ties = {
        column: view.source.schema[column]
        for column in view.source.tie_break
        if column not in view.entity.key_names and column not in view.feature_names
    }
    promised = promised_columns(view, view.transform(rows), {**value_columns(view), **ties})
    return judged(promised, view, start_us=start_us)


def evaluated(view: RowView, rows: DataFrame) -> DataFrame:
    """One value row per (keys, event time).

    Ties are settled by the source's tie-break columns, the greatest winning, then by all features in order; never by
    the order in which rows arrive.

    Args:
        view: The definition.
        rows: Good rows of `transformed`.

    Returns:
        Keys, `event_timestamp`, features, `_flag` (always empty).
    """
    # identities, because 0.0 and -0.0 are equal to an ordering and different to us
    rank = F.struct(*view.source.tie_break, identities(view.feature_types))
    values = F.struct(*view.feature_names)
    newest = rows.groupBy(*view.entity.key_names, EVENT_TIMESTAMP).agg(F.max_by(values, rank).alias("row"))
    return newest.select(*view.entity.key_names, EVENT_TIMESTAMP, "row.*", F.lit("").alias(FLAG))
