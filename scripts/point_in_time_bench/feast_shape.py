"""The shape of Feast's join for when Feast itself is not there: the same joins in the same order, in our session."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from skewless.spark.point_in_time.inputs import ViewValues

_ROW, _ASKED = "row_id", "asked_at"


def joined(spine: DataFrame, values: Sequence[ViewValues]) -> DataFrame:
    """Join every earlier value to each label, number them, and join the newest back.

    Args:
        spine: `user_id`, `timestamp`, `label`.
        values: The views.
    """
    identity = F.concat(F.col("user_id").cast("string"), F.col("timestamp").cast("string"))
    told = spine.withColumn(_ROW, identity)
    for one in values:
        told = told.join(_newest(told, one), _ROW, "left")
    return told.drop(_ROW)


def _newest(labels: DataFrame, one: ViewValues) -> DataFrame:
    names = {name: f"{one.view.name}__{name}" for name in one.features}
    asked = labels.select("user_id", F.col("timestamp").alias(_ASKED), _ROW).distinct()
    columns = (F.col(name).alias(told_as) for name, told_as in names.items())
    rows = one.history.select("user_id", "event_timestamp", *columns)
    earlier = rows.join(asked, "user_id").filter(F.col("event_timestamp") <= F.col(_ASKED))
    number = F.row_number().over(Window.partitionBy(_ROW).orderBy(F.col("event_timestamp").desc()))
    latest = earlier.withColumn("number", number).filter("number = 1").select(_ROW, "event_timestamp")
    return earlier.join(latest, [_ROW, "event_timestamp"]).select(_ROW, *names.values())
