"""The join through Spark Connect, where there is neither a JVM at hand nor a Python worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.support.connect_join import answers

pytestmark = [pytest.mark.spark, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]


def test_join_through_spark_connect_gives_what_a_classic_session_gives(spark: SparkSession) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}
    made = subprocess.run(
        [sys.executable, "-m", "tests.support.connect_join"],
        cwd=ROOT,
        env={**environ, "PYTHONPATH": str(ROOT), "SPARK_LOCAL_IP": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-3000:]
    told = json.loads(made.stdout.splitlines()[-1])
    assert told == answers(spark)
    assert {row[3] for row in told} == {"PRESENT", "DELETED", "EXPIRED", "NOT_FOUND"}
