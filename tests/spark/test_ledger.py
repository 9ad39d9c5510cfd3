"""The ledger of generations: what is recorded is read back, also from a ledger that an earlier release made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from skewless.core.generation import Chunks, Generation, GenerationState
from skewless.spark.ledger import Ledger

pytestmark = pytest.mark.spark

FIRST = Generation(
    number=7, view="spend", version=1, table="spend__v1", state=GenerationState.PLANNED, through_us=7, fingerprint="f",
    sources={"orders": 3}, source_ids={"orders": "id"}, run_id="r", counts={"new": 1},
)  # fmt: skip


def test_ledger_that_an_earlier_release_made_is_read_and_goes_on(spark: SparkSession, tmp_path: Path) -> None:
    ledger = Ledger(spark, str(tmp_path))
    ledger.record([FIRST])
    path = ledger.path("generations")
    older = spark.read.format("delta").load(path).drop("chunks")
    older.write.format("delta").save(str(tmp_path / "older" / "ledger" / "generations"))
    ledger = Ledger(spark, str(tmp_path / "older"))
    assert ledger.generations() == (FIRST,)

    backfill = replace(FIRST, number=8, kind="backfill", chunks=Chunks(0, 10, 5))
    ledger.record([backfill])
    ledger.record([replace(backfill, chunks=Chunks(0, 10, 5, done=1))])
    assert ledger.generations() == (FIRST, replace(backfill, chunks=Chunks(0, 10, 5, done=1)))
