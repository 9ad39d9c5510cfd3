"""What is evaluated of changes alone equals what a full evaluation says; more of it in tests/long."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.support.life import LAST, SPEND, Life, equals_the_full_evaluation

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def test_evaluation_of_changes_alone_equals_the_full_one(spark: SparkSession, tmp_path: Path) -> None:
    life = Life(spark, tmp_path, views=(LAST, SPEND), seed=2)
    life.begin()
    for _ in range(2):
        life.go_on()
        equals_the_full_evaluation(life)
    life.store.close()
