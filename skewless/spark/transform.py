"""The border between a transform and the platform: what it returns is checked, what is bad is set aside."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from skewless.core.dtypes import DType, Timestamp
from skewless.core.names import EVENT_TIMESTAMP
from skewless.core.time import from_us
from skewless.core.view import FeatureView
from skewless.errors import DefinitionError
from skewless.spark.dtypes import holds, spark_type

ERRORS = "_errors"


class FeaturesMissing(DefinitionError):
    """A transform returned fewer columns than its view promises."""

    def __init__(self, *, view: str, missing: Collection[str], returned: Collection[str]) -> None:
        super().__init__(
            f"View '{view}' promises {sorted(missing)}, but its transform returned only {sorted(returned)}. "
            "Return them from the transform, or remove them from `features`."
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """How many rows there were.

    Attributes:
        read: All.
        bad: Those that were set aside.
        next_us: The earliest event among those that lie in the future: it may be used from then on; None without any.
    """

    read: int
    bad: int
    next_us: int | None = None

    @staticmethod
    def of(counted: Mapping[str, int | None]) -> Tally:
        """From the columns of `_counts`."""
        return Tally(counted.get("read") or 0, counted.get("bad") or 0, counted.get("next_us"))


@dataclass(frozen=True, slots=True)
class Judged:
    """Rows, and what would be wrong with them.

    Attributes:
        rows: All rows.
        faults: Condition → (rule, column, message) that it is a case of.
        start_us: The generation's start.
    """

    rows: DataFrame
    faults: tuple[tuple[Column, tuple[str, str, str]], ...]
    start_us: int

    @property
    def used(self) -> DataFrame:
        """The good rows."""
        return self.rows.filter(~self._is_bad)

    @property
    def quarantined(self) -> DataFrame:
        """The bad rows, with `_errors`: array of (rule, column, message)."""
        reasons = (F.when(_is_true(condition), _reason(*words)) for condition, words in self.faults)
        errors = F.filter(F.array(*reasons), lambda error: error.isNotNull())
        return self.rows.filter(self._is_bad).withColumn(ERRORS, errors)

    def observed(self) -> ObservedRows:
        """The same rows, counted by the first action on them: a pass of its own would read all of it twice."""
        observation = Observation()
        return ObservedRows(self.rows.observe(observation, *self._counts), self.faults, self.start_us, observation)

    def count(self) -> Tally:
        """How many rows were read, and how many of them are bad; one job."""
        counted = self.rows.agg(*self._counts).first()
        return Tally.of(counted.asDict() if counted is not None else {})

    @property
    def _counts(self) -> tuple[Column, ...]:
        future = F.when(_is_future(self.start_us), F.unix_micros(EVENT_TIMESTAMP))
        return (
            F.count(F.lit(1)).alias("read"),
            F.count_if(self._is_bad).alias("bad"),
            F.min(future).alias("next_us"),
        )

    @property
    def _is_bad(self) -> Column:
        return reduce(Column.__or__, (_is_true(condition) for condition, _ in self.faults))


@dataclass(frozen=True, slots=True)
class ObservedRows(Judged):
    """Rows that are counted when they are first used.

    Attributes:
        observation: Takes the counts.
    """

    observation: Observation

    def count(self) -> Tally:
        """How many rows were read, and how many of them are bad; a job only when no action told."""
        seen: Any = self.observation._jo  # set by `observe`
        # one whose action never came would be waited for for ever; an action that needed no row of them tells nothing
        if not seen.future().isCompleted() or not seen.getRow().length():
            return Judged(self.rows, self.faults, self.start_us).count()
        return Tally.of(self.observation.get)


def promised_columns(view: FeatureView, returned: DataFrame, promised: Mapping[str, DType]) -> DataFrame:
    """Select exactly the promised columns of what a transform returned.

    Args:
        view: The view, for messages.
        returned: What its transform gave.
        promised: Column → type.

    Raises:
        FeaturesMissing: One of them is not there.
        DefinitionError: One has another type, or there are more columns than were promised.
    """
    found = {field.name: field.dataType for field in returned.schema.fields}
    missing = [name for name in promised if name not in found]
    if missing:
        raise FeaturesMissing(view=view.name, missing=missing, returned=list(found))
    for name, dtype in promised.items():
        if not holds(dtype, found[name]):
            message = (
                f"View '{view.name}' promises '{name}' as {dtype}, but its transform returned "
                f"{found[name].simpleString()}. Cast it: F.col('{name}').cast('{spark_type(dtype).simpleString()}')."
            )
            raise DefinitionError(message)
    extra = sorted(set(found) - set(promised))
    if extra:
        raise DefinitionError(f"The transform of view '{view.name}' returned columns it does not promise: {extra}.")
    return returned.select(*promised)


def value_columns(view: FeatureView) -> dict[str, DType]:
    """Keys, event timestamp and features of a view, in the order of its tables."""
    features = view.feature_types
    return {**view.entity.keys, EVENT_TIMESTAMP: Timestamp, **features}


def judged(rows: DataFrame, view: FeatureView, *, start_us: int, poison: Mapping[str, Column] | None = None) -> Judged:
    """Part the rows that a generation may use from those that it must not.

    A null key names no entity; a null event time is at no time; an event later than the generation's own start
    would win for ever.

    Args:
        rows: Rows with the view's keys and `event_timestamp`.
        view: The view.
        start_us: The generation's start; an event at it still counts.
        poison: Column → condition under which its value cannot be computed with.
    """
    faults = [(F.col(key).isNull(), ("null_key", key, "a null key names no entity")) for key in view.entity.key_names]
    time = F.col(EVENT_TIMESTAMP)
    faults.append((time.isNull(), ("null_event_time", EVENT_TIMESTAMP, "an event needs a time")))
    faults.append(
        (_is_future(start_us), ("future_event", EVENT_TIMESTAMP, "the event lies after the generation's start"))
    )
    for column, condition in (poison or {}).items():
        faults.append((condition, ("poison", column, "not finite, or too large to sum exactly")))
    return Judged(rows, tuple(faults), start_us)


def _is_future(start_us: int) -> Column:
    """True when an event lies after a generation's start; at the start it does not."""
    return F.col(EVENT_TIMESTAMP) > F.lit(from_us(start_us))


def _is_true(condition: Column) -> Column:
    return F.coalesce(condition, F.lit(False))


def _reason(rule: str, column: str, message: str) -> Column:
    return F.struct(F.lit(rule).alias("rule"), F.lit(column).alias("column"), F.lit(message).alias("message"))
