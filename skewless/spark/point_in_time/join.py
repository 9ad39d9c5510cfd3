"""The point-in-time join: views grouped by their keys, values and spine on one axis of time, an engine for the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from skewless.spark.point_in_time import bucket, window
from skewless.spark.point_in_time.answer import answer, unpublished
from skewless.spark.point_in_time.hot import HotEntity, slice_number, with_brought_in
from skewless.spark.point_in_time.inputs import Reach, ViewValues, nameless, of_spine, reach_of
from skewless.spark.point_in_time.positions import AT, LAST, ORDER, Slots, reads_history, value_rows, winner
from skewless.spark.point_in_time.told import with_told
from skewless.spark.point_in_time.using import WINDOW, Engine, Using, by_keys

_CARRY, _APART = "_carry", "_apart"
#: So many rows without a key or time do not burden the task that has them all.
_MANY = 50_000


@dataclass(frozen=True, slots=True)
class _How:
    """How this join is made: its mode, what finds the winners, and how far the spine reaches."""

    as_served: bool
    using: Using
    reach: Reach


def joined(
    spine: DataFrame, values: Sequence[ViewValues], *, time_column: str, as_served: bool, using: Using = WINDOW
) -> DataFrame:
    """Join the features of several views to a spine.

    No value is read that cannot matter: none later than the spine, none of other entities when it names few. Views of
    equal keys share one shuffle; between key sets the spine passes through, and nothing is joined back to it.

    Args:
        spine: Key columns of every view, a timestamp column, whatever else; any number of rows, repeats included.
        values: The views.
        time_column: The observation time; a value at exactly that time counts. Null is answered NOT_FOUND.
        as_served: True asks what readers were given then; False asks the newest history (event-time join).
        using: What finds the winners.

    Returns:
        The spine's columns, then per view one struct named like it: `status` (of the row), `event_us`, `age_us`,
        `generation`, `revision`, `is_simulated`, and `values` with the features (null unless the status is PRESENT).
    """
    reach = using.reach or reach_of(spine, values, time_column)
    how = _How(as_served, using, reach)
    spelled = {name: f"_spine_{place}" for place, name in enumerate(spine.columns)}
    passed = (F.col(f"`{name}`").alias(one) for name, one in spelled.items())
    placed = spine.select(*passed, F.unix_micros(F.col(f"`{time_column}`")).alias(AT))
    for group in by_keys(values):
        placed = _with_group(placed, group, {name: spelled[name] for name in group[0].view.entity.key_names}, how)
    given = (F.col(one).alias(name) for name, one in spelled.items())
    return placed.select(*given, *(F.col(_answer(one.view.name)).alias(one.view.name) for one in values))


def _answer(view: str) -> str:
    return f"_answer_{view}"


def _with_group(placed: DataFrame, group: Sequence[ViewValues], columns: Mapping[str, str], how: _How) -> DataFrame:
    """Add the answers of the views of one key set, whose keys stand in these columns."""
    keys = {name: F.col(column) for name, column in columns.items()}
    known, unknown = ([one for one in group if (one.newest is not None) is wanted] for wanted in (True, False))
    slots = Slots.of(known)
    found = _found(placed, known, slots, keys=keys, how=how) if known else placed
    if how.as_served:
        # what was told depends on the time alone: it need not travel
        found = with_told(found, [*known, *unknown], how.reach, at=AT)
    answers = {one.view.name: answer(one, place, slots, as_served=how.as_served) for place, one in enumerate(known)}
    answers |= {
        one.view.name: unpublished(
            one, place, asks_nothing=nameless([F.col(AT), *keys.values()]), as_served=how.as_served
        )
        for place, one in enumerate(unknown, start=len(known))
    }
    return found.select(*placed.columns, *(one.alias(_answer(name)) for name, one in answers.items()))


def _found(
    placed: DataFrame, known: Sequence[ViewValues], slots: Slots, *, keys: Mapping[str, Column], how: _How
) -> DataFrame:
    """The spine's columns, and the winner of each view."""
    names, views, reach = list(keys), len(known), how.reach
    cut = (of_spine(one, reach, how.using.few) for one in known)
    hot = how.using.hot_of(names)
    # a copy is not sliced
    by_copies = how.using.engine is Engine.BUCKET and not hot
    parts = (
        value_rows(one, place, slots, reach, as_served=how.as_served, by_copies=by_copies)
        for place, one in enumerate(cut)
    )
    told = [one for one in parts if one is not None]
    if not told:
        nothing = F.lit(None).cast(slots.schema)
        return placed.withColumns({winner(place): nothing for place in range(views)})
    values = reduce(DataFrame.unionByName, (one.rows for one in told))
    is_apart = bool(hot) or reach.nameless > _MANY
    rows = _on_one_axis(placed, values, keys, hot, is_apart=is_apart)
    if how.using.engine is Engine.BUCKET:
        reads = tuple(read for one in told for read in one.reads)
        buckets = bucket.Buckets(max((one.buckets for one in reads), default=how.using.buckets), reads)
        apart = _APART if is_apart else None
        found = bucket.winners(rows, keys=names, apart=apart, carry=_CARRY, views=views, buckets=buckets)
    else:
        by = (*names, _APART) if is_apart else names
        withdraws = any(_may_withdraw(one, reach, as_served=how.as_served) for one in known)
        found = window.winners(rows, by=by, carry=_CARRY, views=views, withdraws=withdraws)
    return found.select(f"{_CARRY}.*", *(winner(place) for place in range(views)))


def _on_one_axis(
    placed: DataFrame, values: DataFrame, keys: Mapping[str, Column], hot: Sequence[HotEntity], *, is_apart: bool
) -> DataFrame:
    """Value rows and spine rows, in columns of the same names."""
    asking = placed.select(
        *(key.alias(name) for name, key in keys.items()), AT, F.lit(LAST).alias(ORDER), F.struct("*").alias(_CARRY)
    )
    if is_apart:
        # nothing is found for a null key or time, wherever it is: spread, they burden nobody
        spread = F.when(nameless(map(F.col, (AT, *keys))), F.xxhash64(AT, *keys)).otherwise(F.lit(0))
        asking = asking.withColumn(_APART, slice_number(hot, spread))
        values = with_brought_in(values, list(keys), hot, apart=_APART)
    return values.unionByName(asking, allowMissingColumns=True)


def _may_withdraw(values: ViewValues, reach: Reach, *, as_served: bool) -> bool:
    """True when a statement that is read may withdraw another one, or what was never said: served rows never do."""
    return values.withdraws and reads_history(values, reach, as_served=as_served)
