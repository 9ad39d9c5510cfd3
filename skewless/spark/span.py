"""The part of a view's statements that an evaluation covers."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from skewless.core.names import EVENT_TIMESTAMP
from skewless.spark.few import settled
from skewless.spark.value_tables import later_than
from skewless.spark.window_kernel import AFTER


@dataclass(frozen=True, slots=True)
class Span:
    """Which statements were evaluated again; those outside stand as they are.

    Attributes:
        after_us: Only those of later event times; None is all of time.
        touched: Of these, keys with `event_timestamp`: these pairs alone. Or keys with `_after_us`: of these entities
            the later ones alone. None is all of them.
        others_us: With `_after_us`, of all other entities those after this instant; None is none of them.
        until_us: Only those up to this event time, included; None has no end.
        skipped: Not those after the first of these event times, up to the second; None skips nothing.
    """

    after_us: int | None = None
    touched: DataFrame | None = None
    others_us: int | None = None
    until_us: int | None = None
    skipped: tuple[int, int] | None = None

    @staticmethod
    def of_touched(after_us: int, touched: DataFrame, *, others_us: int | None = None) -> Span:
        """The span of what was touched, which is computed here, once."""
        return Span(after_us, settled(touched), others_us)

    @property
    def is_scattered(self) -> bool:
        """True when an entity may have newer statements outside of it."""
        return self.skipped is not None or self._has_pairs

    @property
    def _has_pairs(self) -> bool:
        return self.touched is not None and EVENT_TIMESTAMP in self.touched.columns

    @property
    def within(self) -> Column:
        """True for rows of its event times, whatever was touched."""
        found = later_than(self.after_us)
        if self.until_us is not None:
            found &= ~later_than(self.until_us)
        if self.skipped is not None:
            found &= ~(later_than(self.skipped[0]) & ~later_than(self.skipped[1]))
        return found

    def of(self, history: DataFrame) -> DataFrame:
        """The rows of history in it."""
        near = history.filter(self.within)
        if self.touched is None:
            return near
        if self._has_pairs:
            return near.join(self.touched, self.touched.columns, "left_semi")
        return self.of_entities(near).filter(F.unix_micros(EVENT_TIMESTAMP) > F.col(AFTER)).drop(AFTER)

    def of_entities(self, rows: DataFrame) -> DataFrame:
        """The rows of its entities, with `_after_us`."""
        if self.touched is None:
            return rows.withColumn(AFTER, F.lit(self.after_us))
        keys = [name for name in self.touched.columns if name != AFTER]
        if self.others_us is None:
            return rows.join(self.touched, keys)
        return rows.join(self.touched, keys, "left").withColumn(AFTER, F.coalesce(AFTER, F.lit(self.others_us)))
