"""Hot entities: found by a sample, cut into slices of about equal size, and answered as the whole would be."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from skewless.spark.point_in_time.hot import hot_entities
from skewless.spark.point_in_time.positions import AT
from tests.support.frames import frame

pytestmark = [pytest.mark.spark, pytest.mark.usefixtures("interpreted")]

ROWS = f"shop string, user_id bigint, {AT} bigint"
BEGIN = -5_000


def rows(spark: SparkSession, *of_entity: tuple[Any, ...]) -> Any:
    """Rows (shop, user, how many, microseconds between two)."""
    return frame(
        spark, ROWS, [(shop, user, BEGIN + n * step) for shop, user, many, step in of_entity for n in range(many)]
    )


def test_an_entity_of_more_rows_than_a_task_should_have_is_hot(spark: SparkSession) -> None:
    told = rows(spark, ("a", 1, 11, 10), ("a", 2, 10, 10), ("b", 1, 25, 10), (None, 1, 40, 10), ("b", None, 40, 10))
    found = hot_entities(told, ["shop", "user_id"], total=126, most=10)
    assert [(one.keys, one.rows) for one in found] == [
        ({"shop": "b", "user_id": 1}, 25),
        ({"shop": "a", "user_id": 1}, 11),
    ]


def test_the_slices_of_a_hot_entity_are_about_as_large_as_a_task_should_have(spark: SparkSession) -> None:
    told = rows(spark, ("b", 1, 100, 7))
    (one,) = hot_entities(told, ["shop", "user_id"], total=100, most=10)
    sizes = {row[0]: row[1] for row in told.groupBy(one.slice_number).agg(F.count("*")).collect()}
    assert sorted(sizes) == list(range(10))
    assert all(9 <= size <= 11 for size in sizes.values()), sizes


def test_an_entity_of_one_instant_cannot_be_cut(spark: SparkSession) -> None:
    assert hot_entities(rows(spark, ("b", 1, 50, 0)), ["shop", "user_id"], total=50, most=10) == ()
