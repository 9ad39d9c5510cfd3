"""One Spark session for the gate's tests; Delta is not needed."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(scope="session")
def spark() -> Any:
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    from pyspark.logger import PySparkLogger
    from pyspark.sql import SparkSession

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = (
            SparkSession.builder.master("local[2]")
            .appName("gate-tests")
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.sql.session.timeZone", "UTC")
            .getOrCreate()
        )
    session.sparkContext.setLogLevel("OFF")
    for name in ("DataFrameQueryContextLogger", "SQLQueryContextLogger"):
        PySparkLogger.getLogger(name).setLevel("CRITICAL")
    return session


@pytest.fixture
def rows(spark: Any) -> Callable[..., Any]:
    """Rows of (household_id, spend_7d, visits, segment), in two partitions."""

    def make(*tuples: tuple[Any, ...]) -> Any:
        frame = spark.createDataFrame(list(tuples), "household_id long, spend_7d double, visits long, segment string")
        return frame.repartition(2)

    return make
