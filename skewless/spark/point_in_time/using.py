"""What finds the winners of a join: the engine, chosen by rule, and what it needs to know of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from skewless.core.names import EVENT_TIMESTAMP
from skewless.spark.point_in_time.bucket import buckets_of
from skewless.spark.point_in_time.hot import HotEntity, hot_entities
from skewless.spark.point_in_time.inputs import FEW, Reach, ViewValues, reach_of
from skewless.spark.point_in_time.positions import AT

#: An entity has too many rows for one task from here on.
_HOT = 1_500_000


class Engine(str, Enum):
    """How winners are found; every engine finds the same.

    WINDOW: by Spark's own windows; any size, spills, runs wherever Spark does. BUCKET: by numpy, one bucket of keys in
    memory at a time.
    """

    WINDOW = "window"
    BUCKET = "bucket"


#: Engines that have a name and are off, with the reason.
OFF = {"native": "Spark 4.2 answers its own as-of join by comparing all rows of a key with each other"}


@dataclass(frozen=True, slots=True)
class Using:
    """What finds the winners.

    Attributes:
        engine: The engine.
        buckets: Into how many the engine `bucket` puts the rows of a key set.
        hot: Entities whose time is cut into slices.
        reach: How far the spine reaches, when that was looked at already.
        few: The entities that the spine asks for, when they are so few that values of others are better not read.
    """

    engine: Engine = Engine.WINDOW
    buckets: int = 1
    hot: tuple[HotEntity, ...] = ()
    reach: Reach | None = None
    few: DataFrame | None = None

    def hot_of(self, keys: Sequence[str]) -> tuple[HotEntity, ...]:
        """The hot entities of a key set."""
        return tuple(one for one in self.hot if set(one.keys) == set(keys))


#: For any size, wherever Spark runs.
WINDOW = Using()


def using_of(
    engine: Engine | None, spine: DataFrame, values: Sequence[ViewValues], time_column: str, *, hot_from: int = _HOT
) -> Using:
    """What finds the winners, with what it needs to know of the rows.

    One job looks how far the spine reaches; value rows are counted, which Delta tables do without a job; if there are
    very many, one more looks for hot entities in a sample.

    Args:
        engine: The engine; None chooses one. It is `bucket` when there are sorted copies to read and no entity is hot:
            else all rows would go to Python, which costs more than their sort. A spine of few rows reads few values.
        spine: What is to be joined to.
        values: The views.
        time_column: The observation time.
        hot_from: An entity of more rows is hot.
    """
    reach = reach_of(spine, values, time_column)
    hot: list[HotEntity] = []
    rows = 0
    for group in by_keys(values):
        told = reach.rows + sum(one.history.count() for one in group)
        if told > hot_from:
            keys = group[0].view.entity.key_names
            hot += hot_entities(_instants(spine, group, time_column), keys, total=told, most=hot_from)
        rows = max(rows, told + sum(one.served.count() for one in group))
    names = dict.fromkeys(name for one in values for name in one.view.entity.key_names)
    few = spine.select(*(F.col(f"`{name}`") for name in names)).distinct() if reach.rows <= FEW else None
    if engine is None:
        engine = Engine.BUCKET if few is None and not hot and all(map(_is_sorted, values)) else Engine.WINDOW
    return Using(engine, buckets=buckets_of(rows), hot=tuple(hot), reach=reach, few=few)


def _is_sorted(values: ViewValues) -> bool:
    return values.newest is None or None not in (values.sorted_history, values.sorted_served)


def by_keys(values: Sequence[ViewValues]) -> list[list[ViewValues]]:
    """Views of equal keys together."""
    groups: dict[frozenset[str], list[ViewValues]] = {}
    for one in values:
        groups.setdefault(frozenset(one.view.entity.key_names), []).append(one)
    return list(groups.values())


def _instants(spine: DataFrame, group: Sequence[ViewValues], time_column: str) -> DataFrame:
    keys = group[0].view.entity.key_names
    parts = [spine.select(*(F.col(f"`{name}`") for name in keys), F.unix_micros(f"`{time_column}`").alias(AT))]
    parts += [one.history.select(*keys, F.unix_micros(EVENT_TIMESTAMP).alias(AT)) for one in group]
    return reduce(DataFrame.unionAll, parts)
