"""Windowed aggregates at observation times: the windows of a WindowView, without its ticks.

Events and spine rows are brought together by a hash of their keys, one shuffle; `observed_kernel` answers a bucket.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from skewless.core.names import EVENT_TIMESTAMP
from skewless.core.time import from_us
from skewless.core.view import WindowView
from skewless.spark.dtypes import spark_type
from skewless.spark.observed_kernel import ASKS, ObservedKernel
from skewless.spark.point_in_time.bucket import LIMIT
from skewless.spark.point_in_time.inputs import FEW, GREATEST_US, LEAST_US, Reach, nameless, of_entities, reach_of
from skewless.spark.window_kernel import TIME
from skewless.spark.window_view import longest_us, reading

_CARRY, _APART = "_carry", "_apart"


@dataclass(frozen=True, slots=True)
class Asking:
    """A spine, and what is known of it beforehand.

    Attributes:
        spine: Key columns of the view, a timestamp column, whatever else; any number of rows, repeats included.
        time_column: The observation time.
        reach: How far it reaches.
    """

    spine: DataFrame
    time_column: str
    reach: Reach

    @property
    def until_us(self) -> int:
        """The last observation: no event at or after it counts, whatever the clock says."""
        return min(self.reach.last_us or 0, GREATEST_US)

    @staticmethod
    def of(spine: DataFrame, time_column: str) -> Asking:
        """Look how far a spine reaches; one job."""
        return Asking(spine, time_column, reach_of(spine, (), time_column))


def observed(view: WindowView, events: DataFrame, asking: Asking, *, buckets: int) -> DataFrame:
    """The aggregates of a view over the windows that end at the times of a spine.

    An event at exactly the observation time T does not count, one at exactly T - over does: windows are
    `[T - over, T)`, as at a tick. The values are those that a tick at T would have, of an entity without events too.

    Args:
        view: The definition; its ticks, start and ttl play no part.
        events: Good rows of `read_events`.
        asking: The spine.
        buckets: Into how many the rows are put; each is held in memory as a whole.

    Returns:
        Every spine row once, its columns as they are, and one column per aggregate; all null for a null key or time.
    """
    keys, what, spine = view.entity.key_names, reading(view, events), asking.spine
    time_us = F.unix_micros(EVENT_TIMESTAMP).alias(TIME)
    asks_not, nowhere = F.lit(False).alias(ASKS), F.lit(0).cast("long").alias(_APART)
    said = _near(view, events, asking).select(*keys, time_us, asks_not, nowhere, *what.inputs, *what.ties)
    rows = said.unionByName(_asked(view, asking), allowMissingColumns=True).repartition(buckets, *keys, _APART)
    if what.ties:
        rows = rows.sortWithinPartitions(*keys, TIME, *what.tie_names)
    carried = tuple(f"_c{place}" for place in range(len(spine.columns)))
    # flat: a struct costs Spark much more on its way to Python than its fields do
    fields = (F.col(f"{_CARRY}.`{name}`").alias(flat) for name, flat in zip(spine.columns, carried, strict=True))
    kernel = ObservedKernel(keys, what.values, what.input_names, carried, bool(what.ties), LIMIT)
    passed = [T.StructField(flat, one.dataType) for flat, one in zip(carried, spine.schema, strict=True)]
    told = [T.StructField(name, spark_type(dtype)) for name, dtype in view.feature_types.items()]
    flat = rows.select(*keys, TIME, ASKS, *what.input_names, *fields)
    found = flat.mapInArrow(kernel, T.StructType([*passed, *told]))
    named = (F.col(flat).alias(name) for name, flat in zip(spine.columns, carried, strict=True))
    return found.select(*named, *view.feature_names)


def _asked(view: WindowView, asking: Asking) -> DataFrame:
    keys = [F.col(f"`{name}`") for name in view.entity.key_names]
    time_us = F.unix_micros(F.col(f"`{asking.time_column}`"))
    # nothing is found for a null key or time, wherever it is: spread, they burden nobody
    apart = F.when(nameless([time_us, *keys]), F.xxhash64(time_us, *keys)).otherwise(F.lit(0))
    named = (key.alias(name) for key, name in zip(keys, view.entity.key_names, strict=True))
    asks = F.lit(True).alias(ASKS)
    return asking.spine.select(*named, time_us.alias(TIME), asks, apart.alias(_APART), F.struct("*").alias(_CARRY))


def _near(view: WindowView, events: DataFrame, asking: Asking) -> DataFrame:
    """The events that some window of the spine can hold; by constant bounds, for files of other times."""
    reach, keys = asking.reach, view.entity.key_names
    if reach.first_us is None or reach.last_us is None:
        return events.filter(F.lit(False))
    first_us = reach.first_us - longest_us(view)
    if first_us > LEAST_US:
        events = events.filter(F.col(EVENT_TIMESTAMP) >= F.lit(from_us(first_us)))
    if reach.last_us <= GREATEST_US:
        events = events.filter(F.col(EVENT_TIMESTAMP) < F.lit(from_us(reach.last_us)))
    return events if reach.rows > FEW else of_entities(events, asking.spine, keys)
