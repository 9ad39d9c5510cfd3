"""Hot entities: of so many rows that no single task should sort them. Their time is cut into slices.

Each slice begins with the newest value of all slices before it, so that nothing is guessed and nothing is lost: it
finds what the whole would have found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from skewless.spark.point_in_time.positions import AT, GENERATION_BITS, IS_RETRACTED, ORDER, PAYLOAD

#: About so many rows are looked at, whatever there are.
_SAMPLED = 400_000
#: So many entities are sliced, and each into so many slices at most.
_ENTITIES, _SLICES = 16, 64
_ROWS, _VIEW, _LATER, _NEWEST = "_rows", "_view", "_later", "_newest"


@dataclass(frozen=True, slots=True)
class HotEntity:
    """An entity with very many rows.

    Attributes:
        keys: Key column → value.
        rows: About how many there are.
        cuts: The instants at which slices begin, ascending; the first slice has no beginning.
    """

    keys: Mapping[str, object] = field(hash=False)
    rows: int
    cuts: tuple[int, ...]

    def __str__(self) -> str:
        """Its keys and rows, for people."""
        named = " ".join(f"{name}={value}" for name, value in self.keys.items())
        return f"{named} (about {self.rows:,} rows)"

    @property
    def is_row(self) -> Column:
        """True for its rows; null for a null key."""
        return reduce(Column.__and__, (F.col(name) == F.lit(value) for name, value in self.keys.items()))

    @property
    def slice_number(self) -> Column:
        """The slice in which a row's instant lies; a cut belongs to the slice that it begins."""
        return reduce(Column.__add__, ((F.col(AT) >= cut).cast("long") for cut in self.cuts))


def hot_entities(rows: DataFrame, keys: Sequence[str], *, total: int, most: int) -> tuple[HotEntity, ...]:
    """Find the entities of more rows than a task should have, by a sample; one job, and one more if there are any.

    Args:
        rows: Key columns and an instant AT of everything that is to be joined.
        keys: Names of the key columns.
        total: How many rows there are.
        most: So many rows are not too many yet. Slices have about as many.

    Returns:
        Those of the most rows first. Of an entity whose rows all have one instant nothing can be cut: it is left out.
    """
    share = min(1.0, _SAMPLED / max(total, 1))
    sample = rows.dropna().sample(fraction=share, seed=1) if share < 1 else rows.dropna()
    counts = sample.groupBy(*keys).agg(F.count("*").alias(_ROWS)).filter(F.col(_ROWS) > F.lit(most * share))
    found = [HotEntity({name: row[name] for name in keys}, int(row[_ROWS] / share), ()) for row in counts.collect()]
    largest = sorted(found, key=lambda one: -one.rows)[:_ENTITIES]
    cut = (HotEntity(one.keys, one.rows, _cuts(sample, one, most)) for one in largest)
    return tuple(one for one in cut if one.cuts)


def _cuts(sample: DataFrame, one: HotEntity, most: int) -> tuple[int, ...]:
    slices = min(-(-one.rows // most), _SLICES)
    shares = [number / slices for number in range(1, slices)]
    row = sample.filter(one.is_row).agg(F.percentile_approx(AT, shares), F.min(AT)).first()
    if row is None or not shares:
        return ()
    # a slice that begins where all begins would leave an empty one before it
    return tuple(sorted({int(instant) for instant in row[0]} - {int(row[1])}))


def slice_number(hot: Sequence[HotEntity], otherwise: Column) -> Column:
    """The slice of a hot entity's row; of others, and of null times, what is given."""
    number = otherwise
    for one in hot:
        number = F.when(one.is_row & F.col(AT).isNotNull(), one.slice_number).otherwise(number)
    return number


def with_brought_in(values: DataFrame, keys: Sequence[str], hot: Sequence[HotEntity], *, apart: str) -> DataFrame:
    """Put the rows of hot entities apart by slices, and into each slice the newest rows of before.

    Args:
        values: Positioned value rows.
        keys: Names of the key columns.
        hot: The hot entities.
        apart: Name of the column for the slice; 0 for all other entities.
    """
    placed = values.withColumn(apart, slice_number(hot, F.lit(0).cast("long")))
    if not hot:
        return placed
    mine = placed.filter(reduce(Column.__or__, (one.is_row for one in hot)))
    return placed.unionByName(_brought_in(mine, keys, hot, apart=apart))


def _brought_in(mine: DataFrame, keys: Sequence[str], hot: Sequence[HotEntity], *, apart: str) -> DataFrame:
    view = F.shiftright(ORDER, GENERATION_BITS).alias(_VIEW)
    of_slice = [*keys, apart, _VIEW]
    # of several statements of one instant the last one has the word, be it that there is nothing to say
    of_instant = mine.groupBy(*keys, apart, view, AT).agg(F.max_by(F.struct(ORDER, PAYLOAD), ORDER).alias(_NEWEST))
    said = of_instant.filter(F.col(f"{_NEWEST}.{PAYLOAD}.says") != IS_RETRACTED)
    newest = said.groupBy(*of_slice).agg(F.max_by(F.struct(AT, f"{_NEWEST}.*"), AT).alias(_NEWEST))
    slices = reduce(lambda so_far, one: F.when(one.is_row, len(one.cuts)).otherwise(so_far), hot, F.lit(0))
    next_one = F.lead(apart).over(Window.partitionBy(*keys, _VIEW).orderBy(apart))
    until = F.coalesce(next_one, slices.cast("long"))
    # into every later slice, up to the next one that has a newer row itself: there it comes before that
    later = F.when(F.col(apart) < until, F.sequence(F.col(apart) + 1, until))
    return (
        newest.withColumn(_LATER, later)
        .select(*keys, f"{_NEWEST}.*", F.explode(_LATER).alias(apart))
        .select(*keys, AT, ORDER, PAYLOAD, apart)
    )
