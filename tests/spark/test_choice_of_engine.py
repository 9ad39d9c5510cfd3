"""Which engine a join is given when none is asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless.core.dtypes import Float64, Int64, String, Timestamp
from skewless.core.entity import Entity
from skewless.core.source import DeltaSource
from skewless.core.timeline import Pointer, Step
from skewless.core.view import Feature, RowView
from skewless.spark.point_in_time import using as module
from skewless.spark.point_in_time.inputs import SortedRows, ViewValues
from skewless.spark.point_in_time.using import Engine, using_of

pytestmark = [pytest.mark.spark, pytest.mark.usefixtures("interpreted")]

T0 = 1_506_902_400_000_000
VIEW = RowView(
    name="texts",
    entity=Entity("user", {"user_id": Int64}),
    source=DeltaSource("said", path="raw/said", event_timestamp="at", schema={"at": Timestamp}),
    transform=lambda rows: rows,
    features=(Feature("text", String), Feature("number", Float64)),
)


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows of a spine are more than few."""
    monkeypatch.setattr(module, "FEW", 2)


def test_few_rows_of_a_spine_are_joined_by_window(spark: SparkSession) -> None:
    assert chosen(spark, values(spark)) is Engine.WINDOW


@pytest.mark.usefixtures("many")
def test_many_rows_are_joined_by_bucket_whether_an_entity_is_hot_or_not(spark: SparkSession) -> None:
    assert chosen(spark, values(spark)) is Engine.BUCKET
    assert using_of(None, spine(spark), [values(spark)], "at", hot_from=2).hot
    assert chosen(spark, values(spark), hot_from=2) is Engine.BUCKET


@pytest.mark.usefixtures("many")
def test_rows_too_wide_for_a_bucket_are_joined_by_window(spark: SparkSession) -> None:
    narrow, wide = values(spark), values(spark, text="x" * 700)
    assert chosen(spark, wide) is Engine.WINDOW
    assert chosen(spark, narrow, wide) is Engine.WINDOW
    # what nobody asks for does not travel
    assert chosen(spark, replace(wide, asked=("number",))) is Engine.BUCKET


@pytest.mark.usefixtures("many")
def test_wide_rows_of_sorted_copies_are_joined_by_bucket_unless_an_entity_is_hot(
    spark: SparkSession, tmp_path: Path
) -> None:
    wide = values(spark, text="x" * 700)
    copies = {name: SortedRows(str(tmp_path), 2, getattr(wide, name)) for name in ("history", "served")}
    copied = replace(wide, **{f"sorted_{name}": copy for name, copy in copies.items()})
    assert chosen(spark, copied) is Engine.BUCKET
    assert chosen(spark, copied, hot_from=2) is Engine.WINDOW


def chosen(spark: SparkSession, *views: ViewValues, hot_from: int = 1_000) -> Engine:
    return using_of(None, spine(spark), views, "at", hot_from=hot_from).engine


def spine(spark: SparkSession) -> DataFrame:
    return spark.range(1, 4).select(
        F.lit(7).cast("long").alias("user_id"), F.timestamp_micros(F.lit(T0) + F.col("id")).alias("at")
    )


def values(spark: SparkSession, *, text: str = "short") -> ViewValues:
    """A view of one entity and five instants."""
    rows = spark.range(5).select(
        F.lit(7).cast("long").alias("user_id"),
        F.timestamp_micros(F.lit(T0) + F.col("id")).alias("event_timestamp"),
        F.lit(1).cast("long").alias("_gen"),
        F.lit("").alias("_flag"),
        F.lit("").alias("_state"),
        F.lit(text).alias("text"),
        F.lit(1.5).alias("number"),
    )
    step = Step(1, T0, Pointer("texts__v1_00000000", 1, 0))
    return ViewValues(
        view=VIEW, history=rows, served=rows, published=frozenset({1}), steps=(step,), newest=step, revisions=((1, T0),)
    )
