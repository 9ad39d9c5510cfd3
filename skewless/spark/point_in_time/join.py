"""The point-in-time join: views grouped by their keys, values and spine on one axis of time, an engine for the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from skewless.spark.point_in_time import bucket, window
from skewless.spark.point_in_time.answer import answer, unpublished
from skewless.spark.point_in_time.inputs import Reach, ViewValues, reach_of
from skewless.spark.point_in_time.positions import AT, LAST, ORDER, Slots, reads_history, value_rows, winner
from skewless.spark.point_in_time.told import with_told

#: Rows of a bucket, and the fewest buckets.
_ROWS, _FEWEST = 750_000, 2
_SPINE, _CARRY, _APART = "_spine", "_carry", "_apart"


class Engine(str, Enum):
    """How winners are found.

    WINDOW: by Spark's own windows; any size, spills. BUCKET: by numpy, one bucket of keys in memory at a time.
    """

    WINDOW = "window"
    BUCKET = "bucket"


@dataclass(frozen=True, slots=True)
class Using:
    """What finds the winners; every engine finds the same.

    Attributes:
        engine: The engine.
        buckets: Into how many the engine `bucket` puts the rows of a key set.
    """

    engine: Engine = Engine.WINDOW
    buckets: int = 1


#: For any size, wherever Spark runs.
WINDOW = Using()


def using_of(engine: Engine, spine: DataFrame, values: Sequence[ViewValues]) -> Using:
    """An engine with what it needs to know; for `bucket` rows are counted, which Delta tables do without a job."""
    if engine is Engine.WINDOW:
        return WINDOW
    rows = spine.count() + sum(one.history.count() + one.served.count() for one in values)
    return Using(engine, buckets=max(_FEWEST, -(-rows // _ROWS)))


@dataclass(frozen=True, slots=True)
class _How:
    as_served: bool
    using: Using


def joined(
    spine: DataFrame, values: Sequence[ViewValues], *, time_column: str, as_served: bool, using: Using = WINDOW
) -> DataFrame:
    """Join the features of several views to a spine.

    One job looks how far the spine reaches, so that no value is read that cannot matter. Views of equal keys share one
    shuffle; between key sets the spine passes through, and nothing is joined back to it.

    Args:
        spine: Key columns of every view, a timestamp column, whatever else; any number of rows, repeats included.
        values: The views.
        time_column: The observation time; a value at exactly that time counts. Null is answered NOT_FOUND.
        as_served: True asks what readers were given then; False asks the newest history (event-time join).
        using: The engine.

    Returns:
        The spine's columns, then per view one struct named like it: `status` (of the row), `event_us`, `age_us`,
        `generation`, `revision`, `is_simulated`, and `values` with the features (null unless the status is PRESENT).
    """
    how, reach = _How(as_served, using), reach_of(spine, time_column)
    time_us = F.unix_micros(F.col(f"`{time_column}`")).alias(AT)
    placed = spine.select(F.struct("*").alias(_SPINE), time_us)
    if how.as_served:
        placed = with_told(placed, values, reach, at=AT)
    numbered = {one.view.name: number for number, one in enumerate(values)}
    for group in _by_keys(values):
        placed = _with_group(placed, group, numbered, reach, how)
    return placed.select(f"{_SPINE}.*", *(F.col(_answer(name)).alias(name) for name in numbered))


def _answer(view: str) -> str:
    return f"_answer_{view}"


def _by_keys(values: Sequence[ViewValues]) -> list[list[ViewValues]]:
    groups: dict[frozenset[str], list[ViewValues]] = {}
    for one in values:
        groups.setdefault(frozenset(one.view.entity.key_names), []).append(one)
    return list(groups.values())


def _asks_nothing(keys: Sequence[Column]) -> Column:
    """True for a spine row of a null key or time."""
    return F.greatest(F.lit(False), F.col(AT).isNull(), *(key.isNull() for key in keys))


def _with_group(
    placed: DataFrame, group: Sequence[ViewValues], numbered: Mapping[str, int], reach: Reach, how: _How
) -> DataFrame:
    """Add the answers of the views of one key set."""
    keys = [F.col(f"{_SPINE}.`{name}`") for name in group[0].view.entity.key_names]
    known, unknown = ([one for one in group if (one.newest is not None) is wanted] for wanted in (True, False))
    slots = Slots.of(known)
    answers = {
        one.view.name: unpublished(
            one, numbered[one.view.name], asks_nothing=_asks_nothing(keys), as_served=how.as_served
        )
        for one in unknown
    }
    answers |= {
        one.view.name: answer(one, place, numbered[one.view.name], slots, as_served=how.as_served)
        for place, one in enumerate(known)
    }
    found = _found(placed, known, slots, reach, keys=keys, how=how) if known else placed
    return found.select(*placed.columns, *(one.alias(_answer(name)) for name, one in answers.items()))


def _found(
    placed: DataFrame, known: Sequence[ViewValues], slots: Slots, reach: Reach, *, keys: Sequence[Column], how: _How
) -> DataFrame:
    """The spine's columns, and the winner of each view."""
    names, views = known[0].view.entity.key_names, len(known)
    parts = [value_rows(one, place, slots, reach, as_served=how.as_served) for place, one in enumerate(known)]
    values = [one.withColumn(_APART, F.lit(0).cast("long")) for one in parts if one is not None]
    if not values:
        nothing = F.lit(None).cast(slots.schema)
        return placed.withColumns({winner(place): nothing for place in range(views)})
    # nothing is found for a null key or time, wherever it is: spread, they burden nobody
    apart = F.when(_asks_nothing(keys), F.xxhash64(AT, *keys)).otherwise(F.lit(0)).alias(_APART)
    named = (key.alias(name) for key, name in zip(keys, names, strict=True))
    asking = placed.select(*named, apart, AT, F.lit(LAST).alias(ORDER), F.struct("*").alias(_CARRY))
    rows = reduce(DataFrame.unionByName, values).unionByName(asking, allowMissingColumns=True)
    if how.using.engine is Engine.BUCKET:
        buckets = how.using.buckets
        found = bucket.winners(rows, keys=names, apart=_APART, carry=_CARRY, views=views, buckets=buckets)
    else:
        retracts = any(len(one.counting) > 1 and reads_history(one, reach, as_served=how.as_served) for one in known)
        found = window.winners(rows, keys=names, apart=_APART, carry=_CARRY, views=views, retracts=retracts)
    return found.select(f"{_CARRY}.*", *(winner(place) for place in range(views)))
