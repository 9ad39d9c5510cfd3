"""The rows of a training set, and what is counted of them while they are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F
from pyspark.sql import types as T

from skewless.core.ages import age_edges
from skewless.core.dtypes import DType
from skewless.core.service import FeatureService
from skewless.core.split import DIGITS, SPLIT, TEST, TRAIN, Split
from skewless.core.time import duration_us
from skewless.core.vector import Status
from skewless.core.view import FeatureView
from skewless.spark.point_in_time.inputs import nameless
from skewless.spark.training import hash_of_sums, laid_out, row_numbers, summed

_ROW, _FACTS = "_skewless_row", "_skewless_facts"
#: A view answers a row with one of these; NULL is of a feature.
_STATUSES = (Status.PRESENT, Status.NOT_FOUND, Status.DELETED, Status.EXPIRED, Status.UNPUBLISHED)

#: What was counted of some rows, by name; that of parts is added up.
Counted = dict[str, int]


@dataclass(frozen=True, slots=True)
class Shape:
    """What the rows of a training set look like.

    Attributes:
        service: The service.
        views: Its views.
        time_column: The spine's observation time.
        with_status: Adds `view__feature__status` columns.
        split: Adds a column `split`.
    """

    service: FeatureService
    views: tuple[FeatureView, ...]
    time_column: str
    with_status: bool = False
    split: Split | None = None

    @property
    def keys(self) -> dict[str, DType]:
        """Key column → type, of all views, by name."""
        found = {name: dtype for view in self.views for name, dtype in view.entity.keys.items()}
        return dict(sorted(found.items()))

    @property
    def split_keys(self) -> dict[str, DType]:
        """The key columns that decide a split by keys."""
        one = self.split.key if self.split is not None else None
        return self.keys if one is None else {one: self.keys[one]}


def part(spine: DataFrame, number: int, parts: int) -> DataFrame:
    """One of several parts of a spine: a row's part depends on its values alone, so equal rows share one."""
    if parts == 1:
        return spine
    first, _ = row_numbers(spine.schema.fields)
    return spine.filter(F.pmod(first, F.lit(parts)) == number)


def split_side(shape: Shape) -> Column:
    """`train` or `test`; null keys and a null time are for training."""
    split = shape.split
    if split is None:
        return F.lit(None).cast("string")
    if split.at_us is not None:
        is_test = F.unix_micros(F.col(f"`{shape.time_column}`")) >= F.lit(split.at_us)
    else:
        spelled = F.concat(*(piece for name, dtype in shape.split_keys.items() for piece in _spelled(name, dtype)))
        bits = F.conv(F.substring(F.sha2(spelled.cast("binary"), 256), 1, DIGITS), 16, 10).cast("long")
        is_test = bits < F.lit(split.limit)
    return F.when(is_test, TEST).otherwise(TRAIN)


def result_rows(answered: DataFrame, spine: DataFrame, shape: Shape) -> DataFrame:
    """The rows as they are written: spine, features, statuses, split.

    Args:
        answered: What the point-in-time join gave.
        spine: The spine, for its columns.
        shape: What is asked for.
    """
    return _with_facts(answered, spine, shape).select(f"{_ROW}.*")


def written(answered: DataFrame, spine: DataFrame, shape: Shape, write: Callable[[DataFrame], None]) -> Counted:
    """Have rows written, and count them on the way: no pass of its own.

    Args:
        answered: What the point-in-time join gave.
        spine: The spine, for its columns.
        shape: What is asked for.
        write: Writes a frame, once.
    """
    seen, measures = Observation(), _measures(shape)
    rows = _with_facts(answered, spine, shape).observe(seen, *_named(measures))
    write(rows.select(f"{_ROW}.*"))
    return _whole(measures, seen.get)


def counted(answered: DataFrame, spine: DataFrame, shape: Shape) -> Counted:
    """Count the same by a job of its own."""
    measures = _measures(shape)
    row = _with_facts(answered, spine, shape).agg(*_named(measures)).first()
    return _whole(measures, row.asDict() if row is not None else {})


def result_hash(found: Counted) -> str:
    """The content hash of the rows."""
    return hash_of_sums(found["rows"], found["row_a"], found["row_b"])


def spine_hash(found: Counted) -> str:
    """The content hash of the spine's columns in them."""
    return hash_of_sums(found["rows"], found["spine_a"], found["spine_b"])


def counts_by_view(found: Counted, shape: Shape) -> dict[str, dict[str, int]]:
    """View → `rows`, `simulated`, and one count per status that occurs."""
    result = {}
    for place, view in enumerate(shape.service.view_names):
        told = {status.value: found[f"status_{place}_{status.value}"] for status in _STATUSES}
        counts = {"rows": found["rows"], "simulated": found[f"simulated_{place}"]}
        result[view] = counts | {status: count for status, count in told.items() if count}
    return result


def nulls_by_feature(found: Counted, shape: Shape) -> dict[str, int]:
    """`view:feature` → rows of which the view is PRESENT and the feature null."""
    return {str(ref): found[f"null_{place}"] for place, ref in enumerate(shape.service.features)}


def ages_by_view(found: Counted, shape: Shape) -> dict[str, tuple[int, ...]]:
    """View → rows whose value is at least as old as each beginning of a bin, whether it was given or too old."""
    edges = {view.name: age_edges(_ttl_us(view)) for view in shape.views}
    return {
        name: tuple(found[f"age_{place}_{step}"] for step in range(len(edges[name])))
        for place, name in enumerate(shape.service.view_names)
    }


def _ttl_us(view: FeatureView) -> int | None:
    return None if view.ttl is None else duration_us(view.ttl)


def _named(measures: Mapping[str, Column]) -> list[Column]:
    return [measure.alias(name) for name, measure in measures.items()]


def _whole(measures: Mapping[str, Column], values: Mapping[str, Any]) -> Counted:
    """What was measured; of a plan that Spark found to be empty it says nothing."""
    return {name: int(values.get(name) or 0) for name in measures}


def _with_facts(answered: DataFrame, spine: DataFrame, shape: Shape) -> DataFrame:
    """Per row a struct of what is written, and one of what is counted."""
    split = () if shape.split is None else (split_side(shape).alias(SPLIT),)
    also = (*split, _facts(shape))
    laid = laid_out(answered, spine, shape.service, with_status=shape.with_status, also=also)
    fields = [field for field in laid.schema.fields if field.name != _FACTS]
    first, second = row_numbers(fields)
    spine_first, spine_second = row_numbers(spine.schema.fields)
    numbers = {"row_a": first, "row_b": second, "spine_a": spine_first, "spine_b": spine_second}
    return laid.select(
        F.struct(*(F.col(f"`{field.name}`") for field in fields)).alias(_ROW),
        F.col(_FACTS),
        *(number.alias(f"_skewless_{name}") for name, number in numbers.items()),
    )


def _facts(shape: Shape) -> Column:
    facts = [nameless(F.col(f"`{name}`") for name in (*shape.keys, shape.time_column))]
    names = ["is_unasked"]
    for place, view in enumerate(shape.service.view_names):
        status = F.col(f"{view}.status")
        has_age = status.isin(Status.PRESENT.value, Status.EXPIRED.value)
        facts += [status, F.col(f"{view}.is_simulated"), F.when(has_age, F.col(f"{view}.age_us"))]
        names += [f"{name}_{place}" for name in ("status", "simulated", "age")]
    for place, ref in enumerate(shape.service.features):
        is_present = F.col(f"{ref.view}.status") == Status.PRESENT.value
        facts.append(is_present & F.col(f"{ref.view}.values.{ref.feature}").isNull())
        names.append(f"null_{place}")
    return F.struct(*(fact.alias(name) for fact, name in zip(facts, names, strict=True))).alias(_FACTS)


def _measures(shape: Shape) -> dict[str, Column]:
    found = {"rows": F.count(F.lit(1)), "unasked": F.count_if(F.col(f"{_FACTS}.is_unasked"))}
    found |= {name: summed(F.col(f"_skewless_{name}")) for name in ("row_a", "row_b", "spine_a", "spine_b")}
    if shape.split is not None:
        found["test"] = F.count_if(F.col(f"{_ROW}.{SPLIT}") == TEST)
    edges = {view.name: age_edges(_ttl_us(view)) for view in shape.views}
    for place, view in enumerate(shape.service.view_names):
        status, age_us = F.col(f"{_FACTS}.status_{place}"), F.col(f"{_FACTS}.age_{place}")
        found[f"simulated_{place}"] = F.count_if(F.col(f"{_FACTS}.simulated_{place}"))
        found |= {f"status_{place}_{one.value}": F.count_if(status == one.value) for one in _STATUSES}
        found |= {f"age_{place}_{step}": F.count_if(age_us >= F.lit(edge)) for step, edge in enumerate(edges[view])}
    for place, _ in enumerate(shape.service.features):
        found[f"null_{place}"] = F.count_if(F.col(f"{_FACTS}.null_{place}"))
    return found


def _spelled(name: str, dtype: DType) -> tuple[Column, ...]:
    """How a key column goes into the hash of a split: `name:type:length:value`."""
    value = F.col(f"`{name}`")
    text = F.lower(F.hex(value)) if dtype.kind == "bytes" else value.cast(T.StringType())
    return F.lit(f"{name}:{dtype}:"), F.octet_length(text).cast("string"), F.lit(":"), text
