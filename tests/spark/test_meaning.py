"""What a transform means: equal for rewrites of the same, different when a value could differ, refused by chance."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from skewless.core.aggregate import Count
from skewless.core.dtypes import Array, Float64, Int64, String, Timestamp
from skewless.core.entity import Entity
from skewless.core.source import DeltaSource
from skewless.core.time import days
from skewless.core.view import Feature, FeatureView, RowView, SnapshotView, WindowView
from skewless.errors import DefinitionError
from skewless.spark.meaning import describe_transform, renumbered

pytestmark = pytest.mark.spark

USER = Entity("user", {"user_id": Int64})
SCHEMA = {"at": Timestamp, "user_id": Int64, "spend": Float64, "shop": String}
SOURCE = DeltaSource("buys", path="raw/buys", event_timestamp="at", schema=SCHEMA)
SHIFT = 1.0


def row_view(transform: Any, feature: Feature | None = None) -> RowView:
    features = (feature or Feature("spend", Float64),)
    return RowView(name="spend", entity=USER, source=SOURCE, transform=transform, features=features)


def snapshot_view(transform: Any, feature: Feature | None = None) -> SnapshotView:
    features = (feature or Feature("spend", Float64),)
    return SnapshotView(name="spend", entity=USER, sources=(SOURCE,), transform=transform, features=features)


def columns(rows: DataFrame) -> DataFrame:
    return rows.select("user_id", "event_timestamp", "spend")


def plan(spark: SparkSession, view: FeatureView) -> str:
    return describe_transform(spark, view)["plan"]


REWRITES = [
    (lambda rows: columns(rows.where(rows.shop == "x")), lambda rows: columns(rows.filter("shop = 'x'"))),
    (
        lambda rows: columns(rows.where(F.col("shop") == F.lit("x"))),
        lambda rows: columns(rows.filter(rows["shop"] == "x")),
    ),
    (columns, lambda rows: rows.select(F.col("user_id"), rows["event_timestamp"], F.expr("spend"))),
    (
        lambda rows: columns(rows.withColumn("spend", F.col("spend") + 1)),
        lambda rows: columns(rows.withColumn("spend", F.expr("spend + 1"))),
    ),
]
DIFFERENT = [
    (lambda rows: columns(rows.where("shop = 'x'")), lambda rows: columns(rows.where("shop = 'y'"))),
    (lambda rows: columns(rows.where("spend > 1")), lambda rows: columns(rows.where("spend >= 1"))),
    (columns, lambda rows: columns(rows).dropDuplicates()),
    (columns, lambda rows: columns(rows.withColumn("spend", F.col("spend") * 1.0000000000000002))),
]


@pytest.mark.parametrize("pair", REWRITES)
def test_transform_written_otherwise_has_the_same_plan(spark: SparkSession, pair: tuple[Any, Any]) -> None:
    assert plan(spark, row_view(pair[0])) == plan(spark, row_view(pair[1]))


@pytest.mark.parametrize("pair", DIFFERENT)
def test_transform_of_other_values_has_another_plan(spark: SparkSession, pair: tuple[Any, Any]) -> None:
    assert plan(spark, row_view(pair[0])) != plan(spark, row_view(pair[1]))


def test_transform_described_twice_is_described_alike(spark: SparkSession) -> None:
    view = snapshot_view(lambda sources, _: sources["buys"].groupBy("user_id").agg(F.sum("spend").alias("spend")))
    assert describe_transform(spark, view) == describe_transform(spark, view)
    assert describe_transform(spark, view)["code"] == ""


def test_python_function_counts_by_its_code_and_not_by_its_comments(spark: SparkSession) -> None:
    def plus_one(rows: DataFrame) -> DataFrame:
        more = F.udf(lambda spend: spend + 1, "double")
        return columns(rows.withColumn("spend", more("spend")))

    first = describe_transform(spark, row_view(plus_one))

    def plus_one(rows: DataFrame) -> DataFrame:  # type: ignore[no-redef]
        # the same, with a comment
        more = F.udf(lambda spend: spend + 1, "double")

        return columns(rows.withColumn("spend", more("spend")))

    commented = describe_transform(spark, row_view(plus_one))

    def plus_one(rows: DataFrame) -> DataFrame:  # type: ignore[no-redef]
        more = F.udf(lambda spend: spend + 2, "double")
        return columns(rows.withColumn("spend", more("spend")))

    other = describe_transform(spark, row_view(plus_one))
    assert first["code"]
    assert first["code"] == commented["code"]
    assert (first["plan"], first["code"]) != (other["plan"], other["code"])
    assert first["plan"] == commented["plan"]


@pytest.mark.parametrize(
    ("spend", "says"),
    [
        (F.rand, "not deterministic"),
        (lambda: F.rand(7), "not deterministic"),
        (lambda: F.monotonically_increasing_id().cast("double"), "not deterministic"),
        (lambda: F.length(F.uuid()).cast("double"), "not deterministic"),
        (lambda: F.unix_micros(F.current_timestamp()).cast("double"), r"calls current_timestamp\(\)"),
        (lambda: F.year(F.current_date()).cast("double"), r"calls current_date\(\)"),
        (lambda: F.unix_micros(F.expr("now()")).cast("double"), r"calls (now|current_timestamp)\(\)"),
        (lambda: F.unix_timestamp().cast("double"), "not deterministic|calls"),
        (lambda: F.first("spend").over(Window.partitionBy("user_id")), "not deterministic"),
        (lambda: F.collect_list("spend").over(Window.partitionBy("user_id"))[0], "not deterministic"),
    ],
)
def test_transform_by_chance_or_clock_is_refused_in_one_line(spark: SparkSession, spend: Any, says: str) -> None:
    with pytest.raises(DefinitionError, match=says) as caught:
        describe_transform(spark, row_view(lambda rows: columns(rows.withColumn("spend", spend()))))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "choose",
    [
        lambda rows: rows.limit(10),
        lambda rows: rows.orderBy("spend").limit(1),
        lambda rows: rows.sample(0.5, seed=1),
        lambda rows: rows.offset(1),
        lambda rows: rows.dropDuplicates(["user_id"]),
    ],
    ids=["limit", "sorted limit", "sample", "offset", "dropDuplicates"],
)
def test_transform_that_keeps_rows_by_chance_is_refused_in_one_line(spark: SparkSession, choose: Any) -> None:
    with pytest.raises(DefinitionError, match="by chance") as caught:
        describe_transform(spark, row_view(lambda rows: columns(choose(rows))))
    assert "\n" not in str(caught.value)


OF_OTHER_ROWS = {
    "aggregate": lambda rows: rows.groupBy("user_id", "event_timestamp").agg(F.sum("spend").alias("spend")),
    "window": lambda rows: rows.withColumn("spend", F.sum("spend").over(Window.partitionBy("user_id"))),
    "join": lambda rows: rows.join(rows.select("user_id").distinct(), "user_id", "left_semi"),
    "subtract": lambda rows: columns(rows).subtract(columns(rows.where("spend < 0"))),
}


@pytest.mark.parametrize("transform", OF_OTHER_ROWS.values(), ids=OF_OTHER_ROWS)
def test_value_row_made_of_several_source_rows_is_refused_in_one_line(spark: SparkSession, transform: Any) -> None:
    """A changed source row would change values of others, and nothing would evaluate those again."""

    def made(rows: DataFrame) -> DataFrame:
        return columns(transform(rows))

    window = WindowView(name="w", entity=USER, source=SOURCE, events=made, aggregates={"n": Count(over=days(1))})
    for view in (row_view(made), window):
        with pytest.raises(DefinitionError, match="one by one") as caught:
            describe_transform(spark, view)
        assert "\n" not in str(caught.value)
    assert describe_transform(spark, snapshot_view(lambda sources, _: made(sources["buys"]).drop("event_timestamp")))


def test_row_by_row_transform_of_several_steps_is_accepted(spark: SparkSession) -> None:
    def steps(rows: DataFrame) -> DataFrame:
        named = rows.where("spend > 0").select("*", F.explode(F.split("shop", ",")).alias("one")).where("one <> ''")
        return columns(named.unionByName(named).repartition(3).orderBy("spend"))

    assert describe_transform(spark, row_view(steps))["plan"]


def test_transform_that_drops_equal_rows_is_accepted(spark: SparkSession) -> None:
    assert describe_transform(spark, row_view(lambda rows: columns(rows).dropDuplicates()))["plan"]


@pytest.mark.parametrize("collect", ["collect_list", "collect_set", "first", "last", "any_value"])
def test_snapshot_of_unordered_rows_is_refused_in_one_line(spark: SparkSession, collect: str) -> None:
    def transform(sources: Any, _: Any) -> DataFrame:
        return sources["buys"].groupBy("user_id").agg(F.expr(f"{collect}(shop)").alias("shops"))

    feature = Feature("shops", Array(String) if collect.startswith("collect") else String)
    with pytest.raises(DefinitionError, match="not deterministic") as caught:
        describe_transform(spark, snapshot_view(transform, feature))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("transform", "says"),
    [
        (
            lambda rows: rows.select("user_id", "event_timestamp"),
            r"promises \['spend'\], but its transform returned only",
        ),
        (
            lambda rows: rows.drop("shop").withColumn("spend", F.lit(1)),
            "promises 'spend' as float64, but .* returned int",
        ),
        (lambda rows: rows, r"returned columns it does not promise: \['shop'\]"),
        (lambda rows: rows.select("user_id", "nothing"), "does not run on its declared sources: .*nothing"),
        (
            lambda rows: columns(rows).withColumn("event_timestamp", F.lit("x")),
            "promises 'event_timestamp' as timestamp",
        ),
        (lambda _: None, "returned NoneType"),
    ],
)
def test_transform_that_breaks_its_promise_is_refused_in_one_line(
    spark: SparkSession, transform: Any, says: str
) -> None:
    with pytest.raises(DefinitionError, match=says) as caught:
        describe_transform(spark, row_view(transform))
    assert "\n" not in str(caught.value)


def test_window_view_is_described_by_its_events(spark: SparkSession) -> None:
    def view(events: Any) -> WindowView:
        return WindowView(name="w", entity=USER, source=SOURCE, events=events, aggregates={"n": Count(over=days(1))})

    assert plan(spark, view(lambda rows: rows)) != plan(spark, view(lambda rows: rows.where("spend > 0")))
    with pytest.raises(DefinitionError, match="lack"):
        describe_transform(spark, view(lambda rows: rows.drop("user_id")))


def test_snapshot_of_what_is_sorted_after_it_was_collected_is_taken(spark: SparkSession) -> None:
    def transform(sources: Any, _: Any) -> DataFrame:
        return sources["buys"].groupBy("user_id").agg(F.sort_array(F.collect_set("shop")).alias("shops"))

    assert describe_transform(spark, snapshot_view(transform, Feature("shops", Array(String))))["plan"]


def test_plan_text_is_freed_of_running_numbers_and_keeps_the_order_of_operands() -> None:
    one = "Project [(a#12 + b#7L) AS c#40, lambda x_3#41]\n+- LogicalRDD [a#12, b#7L], plan_id=9"
    other = "Project [(a#5 + b#99L) AS c#6, lambda x_8#77]\n+- LogicalRDD [a#5, b#99L], plan_id=3"
    assert renumbered(one) == renumbered(other)
    assert renumbered(one) != renumbered(one.replace("a#12 + b#7L", "b#7L + a#12"))
