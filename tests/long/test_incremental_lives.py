"""Longer lives than `make test` has time for, of all kinds of view."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.support.life import BEST, LAST, SPEND, Life, equals_the_full_evaluation

pytestmark = [pytest.mark.spark, pytest.mark.slow]


@pytest.mark.parametrize("seed", [11, 12])
def test_evaluation_of_changes_alone_equals_the_full_one_for_long(
    spark: SparkSession, tmp_path: Path, seed: int
) -> None:
    life = Life(spark, tmp_path, views=(LAST, SPEND, BEST), seed=seed)
    life.begin()
    equals_the_full_evaluation(life)
    for _ in range(6):
        life.go_on()
        equals_the_full_evaluation(life)
    life.store.close()
