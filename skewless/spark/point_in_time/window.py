"""Engine `window`: one running `last` over the values of an entity, for any size, spilling to disk.

All views of one key set share one shuffle and one sort. Runs wherever Spark does, through Spark Connect too.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from skewless.spark.point_in_time.positions import AT, GENERATION_BITS, IS_RETRACTED, LAST, ORDER, PAYLOAD, winner

_SAID = "_said"


def winners(rows: DataFrame, *, by: Sequence[str], carry: str, views: int, withdraws: bool) -> DataFrame:
    """Find the value row of each view that stands last before, or at, each spine row.

    Args:
        rows: Positioned value rows of the views, and the spine's rows, of the order LAST.
        by: Names of the key columns, and of the one by which rows are spread further, if there is one.
        carry: The column of spine rows that is passed on.
        views: How many there are.
        withdraws: True when a statement may withdraw another one of its instant.

    Returns:
        Per spine row `carry`, and per view its winner's payload, null when there is none.
    """
    order = Window.partitionBy(*by).orderBy(AT, ORDER)
    view, said = F.shiftright(F.col(ORDER), GENERATION_BITS), F.col(PAYLOAD)
    if withdraws:
        # of several statements of one instant the last one has the word, be it that there is nothing to say
        next_view = F.shiftright(F.lead(ORDER).over(order), GENERATION_BITS)
        has_more = (F.lead(AT).over(order) == F.col(AT)) & (next_view == view)
        is_said = (said["says"] != IS_RETRACTED) & ~F.coalesce(has_more, F.lit(False))
        rows, said = rows.withColumn(_SAID, F.when(is_said, said)), F.col(_SAID)
    so_far = order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    # spine rows have no payload; where all others are of one view there is nothing to tell apart
    own = (said if views == 1 else F.when(view == place, said) for place in range(views))
    found = (F.last(one, ignorenulls=True).over(so_far).alias(winner(place)) for place, one in enumerate(own))
    return rows.select(carry, ORDER, *found).filter(F.col(ORDER) == LAST).drop(ORDER)
