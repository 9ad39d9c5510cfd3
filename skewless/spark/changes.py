"""What a new evaluation changes: the statements to be made, and the entities whose current value they change.

Both comparisons put what is new and what is known side by side in one order per entity, and look at the row before:
one shuffle and one sort each, whatever the number of generations.
"""

from __future__ import annotations

from collections.abc import Collection

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from skewless.core.names import EVENT_TIMESTAMP, FLAG, GENERATION, STATE
from skewless.core.resolver import ABSENT, RETRACTED
from skewless.core.view import FeatureView
from skewless.spark.dtypes import identities
from skewless.spark.value_tables import newest_served

CHANGE, NEWEST, BARE = "_change", "_is_newest", "_is_bare"
_SAME = "_same"
#: Later than every generation: what is new stands behind what is known of the same instant.
_FRESH = 2**63 - 1


def compared(view: FeatureView, fresh: DataFrame, history: DataFrame, *, is_scattered: bool = False) -> DataFrame:
    """Compare a new evaluation with history.

    Args:
        view: The view.
        fresh: Keys, `event_timestamp`, features, `_flag`: all statements that should stand in the evaluated range.
        history: Rows of history in that range, of the generations that count.
        is_scattered: The range is no newest part of time: other statements of an entity may be newer.

    Returns:
        The columns of `fresh`, and of each entity about which something has to be said:

        - every statement to be made, with `_change`: `new`, `corrected` or `retracted` (then without values);
        - its newest fresh statement, with `_is_newest`; `_change` is null when it stands already;
        - `_is_bare`: true when what else is known of the entity may become its current value: nothing fresh is left of
          it in the range; or, when that is scattered, something was retracted.
    """
    keys, names = view.entity.key_names, view.feature_names
    columns = (*keys, EVENT_TIMESTAMP, *names, FLAG)
    both = fresh.select(*columns, F.lit(_FRESH).alias(GENERATION)).unionByName(history.select(*columns, GENERATION))
    told = both.withColumn(_SAME, F.struct(_identities(view), FLAG))
    order = Window.partitionBy(*keys).orderBy(EVENT_TIMESTAMP, GENERATION)
    is_fresh, time = F.col(GENERATION) == _FRESH, F.col(EVENT_TIMESTAMP)
    stood = F.when((F.lag(time).over(order) == time) & (F.lag(FLAG).over(order) != RETRACTED), F.lag(_SAME).over(order))
    is_last_word = F.coalesce(F.lead(time).over(order) != time, F.lit(True))
    change = F.when(is_fresh, F.when(stood.isNull(), "new").when(F.col(_SAME) != stood, "corrected")).when(
        is_last_word & (F.col(FLAG) != RETRACTED), "retracted"
    )
    entity = Window.partitionBy(*keys)
    judged = told.withColumn(CHANGE, change).select(
        *columns,
        CHANGE,
        is_fresh.alias("_is_fresh"),
        F.max(F.when(is_fresh, time)).over(entity).alias("_newest"),
        F.max(F.col(CHANGE).isNotNull()).over(entity).alias("_is_touched"),
        F.coalesce(F.max(F.col(CHANGE) == "retracted").over(entity), F.lit(False)).alias("_is_retracted"),
    )
    is_newest = F.col("_is_fresh") & (time == F.col("_newest"))
    kept = judged.filter(F.col("_is_touched") & (F.col(CHANGE).isNotNull() | is_newest))
    is_gone = F.col(CHANGE) == "retracted"
    values = (_unless(is_gone, name).alias(name) for name in names)
    flag = F.when(is_gone, RETRACTED).otherwise(F.col(FLAG)).alias(FLAG)
    bare = (F.col("_is_retracted") if is_scattered else F.col("_newest").isNull()).alias(BARE)
    return kept.select(*keys, EVENT_TIMESTAMP, *values, flag, CHANGE, is_newest.alias(NEWEST), bare)


def restated(view: FeatureView, history: DataFrame, taken: Collection[int]) -> DataFrame:
    """What has to be said so that some generations no longer count.

    Args:
        view: The view.
        history: Rows of every published generation.
        taken: The generations to take back.

    Returns:
        Keys, `event_timestamp`, features, `_flag`: where one of them has the last word, what was said before it, or a
        retraction. Where a later one has replaced it, nothing.
    """
    pair, names = [*view.entity.key_names, EVENT_TIMESTAMP], view.feature_names
    is_bad = F.col(GENERATION).isin(sorted(taken))
    touched = history.join(history.filter(is_bad).select(*pair).distinct(), pair, "left_semi")
    good = F.max_by(F.struct(*names, FLAG), F.when(~is_bad, F.col(GENERATION))).alias("_good")
    told = touched.groupBy(*pair).agg(F.max(GENERATION).alias("_last"), good).filter(F.col("_last").isin(sorted(taken)))
    is_gone = F.coalesce(F.col("_good")[FLAG] == RETRACTED, F.lit(True))
    values = (F.when(~is_gone, F.col("_good")[name]).alias(name) for name in names)
    return told.select(*pair, *values, F.when(is_gone, RETRACTED).otherwise(F.col("_good")[FLAG]).alias(FLAG))


def newly_served(view: FeatureView, after: DataFrame, served: DataFrame) -> DataFrame:
    """The entities whose current value changed, with that value: what a push has to send.

    Args:
        view: The view.
        after: Keys, `event_timestamp`, features, `_state` (empty, `deleted` or `absent`): what entities are worth now,
            one row each.
        served: Rows of the served table, of the generations that count; those of other entities do no harm.

    Returns:
        The rows of `after` that a reader would not be given yet; never `absent` for one that was not there.
    """
    keys, names = view.entity.key_names, view.feature_names
    columns = (*keys, EVENT_TIMESTAMP, *names, STATE)
    both = after.select(*columns, F.lit(_FRESH).alias(GENERATION)).unionByName(served.select(*columns, GENERATION))
    told = both.withColumn(_SAME, F.struct(EVENT_TIMESTAMP, _identities(view), STATE))
    order = Window.partitionBy(*keys).orderBy(GENERATION)
    seen = told.select(
        *columns, GENERATION, _SAME, F.lag(_SAME).over(order).alias("_before"), F.lag(STATE).over(order).alias("_was")
    )
    was_absent = F.coalesce(F.col("_was") == ABSENT, F.lit(True))
    moved = F.when(F.col(STATE) == ABSENT, ~was_absent).otherwise(was_absent | (F.col(_SAME) != F.col("_before")))
    return seen.filter((F.col(GENERATION) == _FRESH) & moved).select(*columns)


def not_outdated(view: FeatureView, after: DataFrame, served: DataFrame) -> DataFrame:
    """Without the entities of which something newer is served.

    Args:
        view: The view.
        after: Keys, `event_timestamp` and more, one row per entity.
        served: Rows of the served table, of the generations that count.
    """
    keys = list(view.entity.key_names)
    last = newest_served(view, served).select(*keys, F.col(EVENT_TIMESTAMP).alias("_last"))
    is_newest = F.coalesce(F.col(EVENT_TIMESTAMP) >= F.col("_last"), F.lit(True))
    return after.join(last, keys, "left").filter(is_newest).drop("_last")


def _identities(view: FeatureView) -> Column:
    return identities(view.feature_types)


def _unless(condition: Column, name: str) -> Column:
    return F.when(F.coalesce(~condition, F.lit(True)), F.col(name))
