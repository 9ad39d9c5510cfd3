"""What a point-in-time join is given: the values of each view, and how far its spine reaches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from skewless.core.dtypes import DType, Int32, Int64, String
from skewless.core.timeline import Step
from skewless.core.view import FeatureView

#: Types of keys whose range is cut; Delta's statistics of others are cut short, or rare as keys.
_RANGED = (Int32, Int64, String)
#: A spine of at most so many rows names its entities: values of others are not read.
FEW = 100_000
#: Instants that can be compared with a timestamp column: the years 1 to 9999.
LEAST_US, GREATEST_US = -62_135_596_800_000_000, 253_402_300_799_999_999


@dataclass(frozen=True, slots=True)
class SortedRows:
    """History or served as a sorted copy, which tasks read by themselves, and the rows that it lacks.

    Attributes:
        folder: Of the copy.
        buckets: Into how many it lies: a power of two.
        later: The rows that are in no file of the copy.
    """

    folder: str
    buckets: int
    later: DataFrame


@dataclass(frozen=True, slots=True)
class ViewValues:
    """What the join needs to know of one view.

    Attributes:
        view: The definition.
        history: Its history, rows of any generation.
        served: Its served rows, of any generation.
        published: The generations that some revision pointed at.
        steps: g(T).
        newest: The step that stands for "newest": of the newest revision, or of the one asked for.
        revisions: (visible from, number) of every revision, those that do not move the view included.
        asked: The features that are asked for, in order; None asks for all. Others are not read.
        withdraws: False when it is known that no statement withdraws another; joins are quicker then.
        sorted_history: History as a sorted copy, if there is one.
        sorted_served: The same of served.
    """

    view: FeatureView
    history: DataFrame
    served: DataFrame
    published: frozenset[int]
    steps: tuple[Step, ...]
    newest: Step | None
    revisions: tuple[tuple[int, int], ...] = ()
    asked: tuple[str, ...] | None = None
    withdraws: bool = True
    sorted_history: SortedRows | None = None
    sorted_served: SortedRows | None = None

    @property
    def features(self) -> Mapping[str, DType]:
        """The features that are asked for, and their types."""
        types = self.view.feature_types
        return types if self.asked is None else {name: types[name] for name in self.asked}

    @property
    def counting(self) -> frozenset[int]:
        """The published generations that count at the newest."""
        if self.newest is None:
            return frozenset()
        return frozenset(number for number in self.published if number <= self.newest.pointer.generation)


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a spine reaches.

    Attributes:
        rows: Its rows.
        nameless: Those of them that have no time, or not all keys of the views; nothing is found for these.
        first_us: The least observation time; None when there is none.
        last_us: The greatest.
        keys: Key column → its least and its greatest value, of those that Delta keeps statistics of for each file.
    """

    rows: int
    nameless: int
    first_us: int | None
    last_us: int | None
    keys: Mapping[str, tuple[object, object]] = field(default_factory=dict, hash=False)


def reach_of(spine: DataFrame, values: Iterable[ViewValues], time_column: str) -> Reach:
    """Look how far a spine reaches, in time and in the keys of views; one job."""
    time_us = F.unix_micros(F.col(f"`{time_column}`"))
    keys = {name: dtype for one in values for name, dtype in one.view.entity.keys.items()}
    ranged = [name for name, dtype in keys.items() if dtype in _RANGED]
    ends = [end(F.col(f"`{name}`")) for name in ranged for end in (F.min, F.max)]
    is_nameless = nameless([time_us, *(F.col(f"`{name}`") for name in keys)])
    row = spine.agg(F.count("*"), F.count_if(is_nameless), F.min(time_us), F.max(time_us), *ends).first()
    if row is None:
        return Reach(0, 0, None, None)
    found = {name: (row[4 + 2 * place], row[5 + 2 * place]) for place, name in enumerate(ranged)}
    return Reach(row[0], row[1], row[2], row[3], {name: ends for name, ends in found.items() if ends[0] is not None})


def nameless(told: Iterable[Column]) -> Column:
    """True for a spine row of which a key or the time is null; nothing is found for it."""
    return F.greatest(F.lit(False), *(one.isNull() for one in told))


def of_entities(rows: DataFrame, few: DataFrame, names: Sequence[str]) -> DataFrame:
    """The rows of the entities of a small frame; the frame travels, others' rows do not."""
    asked = few.select(*(F.col(f"`{name}`").alias(name) for name in names)).distinct()
    return rows.join(F.broadcast(asked), list(names), "left_semi")


def of_spine(values: ViewValues, reach: Reach, few: DataFrame | None) -> ViewValues:
    """Cut the rows of a view to the entities that a spine can ask for; files without any are not read.

    Args:
        values: The view.
        reach: How far the spine reaches.
        few: The entities that it asks for, when they are few enough to name each.
    """

    def cut(rows: DataFrame) -> DataFrame:
        names = values.view.entity.key_names
        for name in names:
            if name in reach.keys:
                rows = rows.filter(F.col(name).between(*map(F.lit, reach.keys[name])))
        return rows if few is None else of_entities(rows, few, names)

    def cut_later(copy: SortedRows | None) -> SortedRows | None:
        return None if copy is None else replace(copy, later=cut(copy.later))

    return replace(
        values,
        history=cut(values.history),
        served=cut(values.served),
        sorted_history=cut_later(values.sorted_history),
        sorted_served=cut_later(values.sorted_served),
    )
