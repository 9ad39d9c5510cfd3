"""Keys and features of every type through every engine, bit for bit; a hot entity over many Arrow batches."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from skewless.core.dtypes import DType, Timestamp, parse_dtype
from skewless.core.entity import Entity
from skewless.core.source import DeltaSource
from skewless.core.timeline import Pointer, Step
from skewless.core.view import Feature, RowView
from skewless.spark.dtypes import spark_type
from skewless.spark.point_in_time.inputs import ViewValues
from skewless.spark.point_in_time.join import joined
from skewless.spark.point_in_time.using import Engine, Using
from skewless.spark.read import head_version
from skewless.spark.sorted_copy import make_copy, sorted_rows
from skewless.spark.value_tables import ValueTables
from tests.support.frames import assert_same_rows, at, frame, moment, us

pytestmark = [pytest.mark.spark, pytest.mark.usefixtures("interpreted")]

NAN, INF = float("nan"), float("inf")
# two values of every type, the second one as nasty as it gets
CASES: dict[str, tuple[Any, Any]] = {
    "bool": (True, False),
    "int32": (-1, -(2**31)),
    "int64": (2**53 + 1, -(2**63)),
    "float32": (0.1, NAN),
    "float64": (-0.0, -INF),
    "string": ("", "ä|\x00'\"\n\U0001f600"),
    "bytes": (b"", bytes(range(256))),
    "date": (date(1969, 12, 31), date(1, 1, 1)),
    "timestamp": (at("1969-12-31T23:59:59.999999"), at("9999-12-31T23:59:59.999999")),
    "decimal<38,10>": (Decimal("-1234567890.0000000001"), Decimal("9999999999999999999999999999.9999999999")),
    "decimal<9,2>": (Decimal("12.30"), None),
    "array<string>": ([], ["", "a|b"]),
    "array<float64>": ([-0.0, 0.0], [NAN, INF, 1e-320]),
    "array<timestamp>": ([at("1900-01-01T00:00:00.000001")], []),
    "vector<3>": ([0.1, -0.0, 3.0], None),
}
KEYS = {
    f"k{place}": parse_dtype(kind) for place, kind in enumerate(("bool", "int32", "int64", "string", "bytes", "date"))
}
# entities that a key joined to one text would confuse
ENTITIES = [
    (True, 1, 2**53, "a|b", b"", date(2017, 1, 1)),
    (True, 1, 2**53, "a", b"|b", date(2017, 1, 1)),
    (True, 1, 2**53 + 1, "a|b", b"", date(2017, 1, 1)),
    (False, -1, -(2**63), "", b"\x00", date(1582, 10, 4)),
]
FEATURES = {f"f{place}": parse_dtype(kind) for place, kind in enumerate(CASES)}
SOURCE = DeltaSource("things", path="raw/things", event_timestamp="at", schema={"at": Timestamp})
VIEW = RowView(
    name="all",
    entity=Entity("thing", KEYS),
    source=SOURCE,
    transform=lambda rows: rows,
    features=tuple(Feature(name, dtype) for name, dtype in FEATURES.items()),
)
FIRST, SECOND = us("2017-10-01T00:00"), us("2017-10-02T00:00")
HOW = ("window", "bucket", "copies")


def ddl(columns: dict[str, DType]) -> str:
    return ", ".join(f"{name} {spark_type(dtype).simpleString()}" for name, dtype in columns.items())


def values_of(spark: SparkSession, view: RowView, rows: list[tuple[Any, ...]]) -> ViewValues:
    """A view whose one generation says these rows (keys, event time, features)."""
    columns = f"{ddl(dict(view.entity.keys))}, event_timestamp timestamp, {ddl(dict(view.feature_types))}"
    told = frame(spark, f"{columns}, _gen bigint", [(*row, 1) for row in rows])
    step = Step(1, SECOND + 1, Pointer("t", 1, SECOND))
    return ViewValues(
        view=view,
        history=told.withColumn("_flag", F.lit("")),
        served=told.withColumn("_state", F.lit("")),
        published=frozenset({1}),
        steps=(step,),
        newest=step,
        revisions=((step.from_us, 1),),
        withdraws=False,
    )


def by(how: str, spark: SparkSession, values: ViewValues, folder: Path) -> tuple[ViewValues, Using]:
    if how != "copies":
        return values, Using(Engine(how), buckets=3)
    tables = ValueTables(spark, str(folder), values.view, timedelta(days=30))
    tables.create()
    made = {}
    for name in ("history", "served"):
        getattr(values, name).write.format("delta").mode("append").save(getattr(tables, name))
        make_copy(tables, name, rows_of_bucket=3)
        made[f"sorted_{name}"] = sorted_rows(tables, name, head_version(spark, getattr(tables, name)))
    assert None not in made.values()
    return replace(values, **made), Using(Engine.BUCKET)


@pytest.mark.parametrize("how", HOW)
def test_keys_and_features_of_every_type_arrive_bit_for_bit(spark: SparkSession, how: str, tmp_path: Path) -> None:
    first, second = (tuple(case[place] for case in CASES.values()) for place in (0, 1))
    said = [
        (*entity, moment(time), *cells) for entity in ENTITIES[1:] for time, cells in ((FIRST, first), (SECOND, second))
    ]
    said.append((*ENTITIES[0], moment(FIRST), *[None] * len(CASES)))
    asked = [(*entity, moment(time)) for entity in ENTITIES for time in (FIRST, SECOND)]
    asked.append((*ENTITIES[1][:3], None, *ENTITIES[1][4:], moment(SECOND)))
    spine = frame(spark, f"{ddl(KEYS)}, at timestamp", asked)
    values, using = by(how, spark, values_of(spark, VIEW, said), tmp_path)
    told = joined(spine, [values], time_column="at", as_served=False, using=using)
    nulls = (None,) * len(CASES)
    expected = []
    for *entity, time in asked:
        is_whole, is_first = None not in entity, time == moment(FIRST)
        cells = nulls if tuple(entity) == ENTITIES[0] else first if is_first else second
        status = "PRESENT" if is_whole else "NOT_FOUND"
        expected.append((*entity, us_of(time), status, *(plain(cells) if is_whole else nulls)))
    assert_same_rows(told.select(*KEYS, "at", "all.status", *map(shown, FEATURES)), expected)


def shown(name: str) -> Column:
    column = F.col(f"all.values.{name}")
    return F.transform(column, F.unix_micros).alias(name) if str(FEATURES[name]) == "array<timestamp>" else column


def us_of(time: Any) -> int:
    return us(time.replace(tzinfo=None).isoformat())


def plain(cells: tuple[Any, ...]) -> Iterator[Any]:
    """As frames are read back: times in microseconds, float32 as the double that it is."""
    for dtype, cell in zip(FEATURES.values(), cells, strict=True):
        if cell is None:
            yield None
        elif dtype == Timestamp:
            yield us_of(cell)
        elif str(dtype) == "array<timestamp>":
            yield tuple(us_of(one) for one in cell)
        elif dtype.kind in ("float32", "vector"):
            single = [rounded(one) for one in (cell if isinstance(cell, list) else [cell])]
            yield tuple(single) if isinstance(cell, list) else single[0]
        else:
            yield tuple(cell) if isinstance(cell, list) else cell


def rounded(value: float) -> float:
    """The nearest number of 32 bits."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


@pytest.mark.parametrize("how", HOW)
def test_hot_entity_over_many_arrow_batches_is_answered_as_a_bisection_does(
    spark: SparkSession, how: str, tmp_path: Path
) -> None:
    view = RowView(
        name="one",
        entity=Entity("user", {"user": parse_dtype("int64")}),
        source=SOURCE,
        transform=lambda rows: rows,
        features=(Feature("n", parse_dtype("int64")),),
    )
    rng = Random(4)
    times = sorted(rng.sample(range(FIRST, SECOND), 700))
    said = [(7, moment(time), place) for place, time in enumerate(times)] + [
        (user, moment(FIRST), -1) for user in (6, 8)
    ]
    asked = [rng.randrange(FIRST - 10, SECOND + 10) for _ in range(400)] + times[::50]
    values, using = by(how, spark, values_of(spark, view, said), tmp_path)
    spine = frame(spark, "user bigint, at timestamp", [(7, moment(time)) for time in asked])
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "13")
    try:
        told = joined(spine, [values], time_column="at", as_served=False, using=using)
        expected = [(time, found - 1 if (found := bisect_right(times, time)) else None) for time in asked]
        assert_same_rows(told.select("at", "one.values.n"), expected)
    finally:
        spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")
