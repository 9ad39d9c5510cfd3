"""Engine `window`: one running `last` over the values of an entity, for any size, spilling to disk.

All views of one key set share one shuffle and one sort. Runs wherever Spark does, through Spark Connect too.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from skewless.spark.point_in_time.positions import AT, GENERATION_BITS, IS_RETRACTED, LAST, ORDER, PAYLOAD, winner

_SAID = "_said"


def winners(rows: DataFrame, *, keys: Sequence[str], apart: str, carry: str, views: int, retracts: bool) -> DataFrame:
    """Find the value row of each view that stands last before, or at, each spine row.

    Args:
        rows: Positioned value rows of the views, and the spine's rows, of the order LAST.
        keys: Names of the key columns.
        apart: A column by which rows are spread further.
        carry: The column of spine rows that is passed on.
        views: How many there are.
        retracts: True when a statement may take back another one of its instant.

    Returns:
        Per spine row `carry`, and per view its winner's payload, null when there is none.
    """
    order = Window.partitionBy(*keys, apart).orderBy(AT, ORDER)
    view = F.shiftright(F.col(ORDER), GENERATION_BITS)
    is_said = F.col(f"{PAYLOAD}.says") != IS_RETRACTED
    if retracts:
        next_view = F.shiftright(F.lead(ORDER).over(order), GENERATION_BITS)
        has_more = (F.lead(AT).over(order) == F.col(AT)) & (next_view == view)
        is_said &= ~F.coalesce(has_more, F.lit(False))
    so_far = order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    said = rows.withColumn(_SAID, F.when(is_said, F.col(PAYLOAD)))
    found = (
        F.last(F.when(view == place, F.col(_SAID)), ignorenulls=True).over(so_far).alias(winner(place))
        for place in range(views)
    )
    return said.select(carry, ORDER, *found).filter(F.col(ORDER) == LAST).drop(ORDER)
