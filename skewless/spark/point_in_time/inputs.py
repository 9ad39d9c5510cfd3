"""What a point-in-time join is given: the values of each view, and how far its spine reaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from skewless.core.dtypes import DType
from skewless.core.timeline import Step
from skewless.core.view import FeatureView


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
    """

    view: FeatureView
    history: DataFrame
    served: DataFrame
    published: frozenset[int]
    steps: tuple[Step, ...]
    newest: Step | None
    revisions: tuple[tuple[int, int], ...] = ()

    @property
    def features(self) -> Mapping[str, DType]:
        """The features, and their types."""
        return self.view.feature_types

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
        first_us: The least observation time; None when there is none.
        last_us: The greatest.
    """

    rows: int
    first_us: int | None
    last_us: int | None


def reach_of(spine: DataFrame, time_column: str) -> Reach:
    """Look how far a spine reaches; one job."""
    time_us = F.unix_micros(F.col(f"`{time_column}`"))
    row = spine.agg(F.count("*"), F.min(time_us), F.max(time_us)).first()
    return Reach(*row) if row is not None else Reach(0, None, None)
