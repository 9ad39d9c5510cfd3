"""What an event-time join would leak: the same spine joined both ways, compared cell by cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from skewless.core.dtypes import DType
from skewless.spark.dtypes import identity

SERVED = "_served"


@dataclass(frozen=True, slots=True)
class FeatureLeak:
    """How one feature differs between the two joins.

    Attributes:
        feature: `view:feature`.
        rows: Spine rows of which it differs.
        appeared: Of these, rows that have a value only with the event-time join: it was not known yet.
        vanished: Rows that have one only as served: it was withdrawn, or is older than it seemed.
        changed: Rows with another value.
        mean_difference: Mean of the absolute difference of changed numbers; None when there are none.
        largest_difference: The largest of them.
    """

    feature: str
    rows: int
    appeared: int
    vanished: int
    changed: int
    mean_difference: float | None
    largest_difference: float | None


def compared(both: DataFrame, features: Mapping[str, Mapping[str, DType]]) -> tuple[dict[str, int], list[FeatureLeak]]:
    """Compare two joins of one spine; one job.

    Args:
        both: Per view two structs, as the joins give them: `<view>_served` as served, `<view>` by event time.
        features: View → feature → type.

    Returns:
        `rows`, `compared` (rows of which some view was served already) and `leaking` (of these, rows that differ);
        and what is known of each feature.
    """
    cells = {
        f"{view}:{name}": _Cell(view, name, dtype)
        for view, listed in features.items()
        for name, dtype in listed.items()
    }
    served = [_was_served(view) for view in features]
    leaking = [cell.differs for cell in cells.values()]
    wanted = [
        F.count(F.lit(1)).alias("rows"),
        F.count_if(_any(served)).alias("compared"),
        F.count_if(_any(leaking)).alias("leaking"),
    ]
    for place, cell in enumerate(cells.values()):
        wanted += [measure.alias(f"{kind}_{place}") for kind, measure in cell.measures().items()]
    row = both.agg(*wanted).first()
    totals = row.asDict() if row is not None else {}
    found = [
        FeatureLeak(
            feature,
            rows=totals[f"rows_{place}"],
            appeared=totals[f"appeared_{place}"],
            vanished=totals[f"vanished_{place}"],
            changed=totals[f"changed_{place}"],
            mean_difference=totals[f"mean_{place}"],
            largest_difference=totals[f"largest_{place}"],
        )
        for place, feature in enumerate(cells)
    ]
    return {name: totals[name] for name in ("rows", "compared", "leaking")}, found


@dataclass(frozen=True, slots=True)
class _Cell:
    """One feature, on both sides."""

    view: str
    name: str
    dtype: DType

    @property
    def differs(self) -> Column:
        """True where the sides differ to the bit; false where nothing was served."""
        before, after = (identity(value, self.dtype) for value in self._values)
        return _was_served(self.view) & ~before.eqNullSafe(after)

    @property
    def _values(self) -> tuple[Column, Column]:
        return F.col(f"{self.view}{SERVED}.values.{self.name}"), F.col(f"{self.view}.values.{self.name}")

    def measures(self) -> dict[str, Column]:
        """The sums to be taken over all rows."""
        before, after = self._values
        changed = self.differs & before.isNotNull() & after.isNotNull()
        size = F.lit(None).cast("double")
        if self.dtype.is_numeric:
            size = F.when(changed, F.abs(after.cast("double") - before.cast("double")))
        return {
            "rows": F.count_if(self.differs),
            "appeared": F.count_if(self.differs & before.isNull()),
            "vanished": F.count_if(self.differs & after.isNull()),
            "changed": F.count_if(changed),
            "mean": F.avg(size),
            "largest": F.max(size),
        }


def _was_served(view: str) -> Column:
    """False in the simulated era, where nothing was served."""
    return ~F.coalesce(F.col(f"{view}{SERVED}.is_simulated"), F.lit(True))


def _any(conditions: list[Column]) -> Column:
    return F.greatest(*conditions) if len(conditions) > 1 else conditions[0]
