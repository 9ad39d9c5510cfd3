"""What finds the winners of a join: the engine, chosen by rule, and what it needs to know of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.classic.dataframe import DataFrame as ClassicFrame

from skewless.core.names import EVENT_TIMESTAMP
from skewless.spark.point_in_time.bucket import LIMIT, ROWS, buckets_of
from skewless.spark.point_in_time.hot import HotEntity, hot_entities
from skewless.spark.point_in_time.inputs import FEW, Reach, ViewValues, reach_of
from skewless.spark.point_in_time.positions import AT

#: An entity has too many rows for one task from here on.
_HOT = 1_500_000
#: Rows of so many bytes fit into a bucket, even if the largest entity that is not hot comes on top.
_NARROW = LIMIT // (ROWS + _HOT)
#: So many rows of each table are looked at for their width.
_LOOKED_AT = 100


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
    very many, one more looks for hot entities in a sample; and where it matters, one looks how wide rows are.

    Args:
        engine: The engine; None chooses one: `window` for a spine of few rows, which reads few values; for rows so wide
            that a bucket of them might not fit into memory, unless they lie in sorted copies and no entity is hot; and
            through Spark Connect, whose server need not have our code. It is `bucket` otherwise.
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
        is_sorted = not hot and all(map(_is_sorted, values))
        is_large = few is None and isinstance(spine, ClassicFrame)
        engine = Engine.BUCKET if is_large and (is_sorted or _are_narrow(values)) else Engine.WINDOW
    return Using(engine, buckets=buckets_of(rows), hot=tuple(hot), reach=reach, few=few)


def _are_narrow(values: Sequence[ViewValues]) -> bool:
    """True when the rows of no table are wide, as its first ones look when spelled."""
    widths = (
        one.history.limit(_LOOKED_AT)
        .select(F.octet_length(F.to_json(F.struct(*one.features))).alias("width"))
        .agg(F.avg("width").alias("width"))
        for one in values
    )
    row = reduce(DataFrame.unionAll, widths).agg(F.max("width")).first()
    return row is None or (row[0] or 0) <= _NARROW


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
