"""Rows for the gate's tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def rows(spark: Any) -> Callable[..., Any]:
    """Rows of (household_id, spend_7d, visits, segment), in two partitions."""

    def make(*tuples: tuple[Any, ...]) -> Any:
        frame = spark.createDataFrame(list(tuples), "household_id long, spend_7d double, visits long, segment string")
        return frame.repartition(2)

    return make
