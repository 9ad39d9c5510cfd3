"""What changed in a source: by its feed, by comparing versions, or untold."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from skewless.core.dtypes import Float64, Int64, Timestamp
from skewless.core.source import DeltaSource
from skewless.spark.read import pin
from skewless.spark.source_changes import added, both, changes_since
from tests.support.frames import assert_same_rows, at, frame, us

pytestmark = pytest.mark.spark

SOURCE = DeltaSource(
    "buys", path="buys", event_timestamp="at", schema={"number": Int64, "at": Timestamp, "spend": Float64}
)
DDL = "number bigint, at timestamp, spend double, unseen string"
DAY, T = at("2024-03-01"), us("2024-03-01")
CHANGES = [(1, T, 0.0, False), (1, T, -0.0, True), (2, T, 2.0, False), (4, T, 4.0, True), (4, T, 4.0, True)]


def lived(spark: SparkSession, path: Path, *, feed: bool) -> None:
    """Version 0, then an update of the sign of zero alone, a delete and an append of two equal rows."""
    rows = [(1, DAY, 0.0, "x"), (2, DAY, 2.0, "x"), (3, DAY, 3.0, "x")]
    options = {"delta.enableChangeDataFeed": str(feed).lower()}
    frame(spark, DDL, rows).write.format("delta").options(**options).save(str(path))
    table = DeltaTable.forPath(spark, str(path))
    table.update("number = 1", {"spend": "-spend"})
    table.delete("number = 2")
    frame(spark, DDL, [(4, DAY, 4.0, "x")] * 2).write.format("delta").mode("append").save(str(path))


@pytest.mark.parametrize("feed", [True, False], ids=["feed", "no feed"])
def test_rows_that_came_and_went_are_told_with_or_without_a_change_feed(
    spark: SparkSession, tmp_path: Path, feed: bool
) -> None:
    lived(spark, tmp_path / "buys", feed=feed)
    changes = changes_since(spark, pin(spark, SOURCE, str(tmp_path / "buys")), 0)
    assert changes is not None
    assert_same_rows(changes, CHANGES)
    assert_same_rows(both(changes), [row[:3] for row in CHANGES])
    assert_same_rows(added(changes), [row[:3] for row in CHANGES if row[3]])


def test_changes_whose_feed_was_vacuumed_are_told_by_both_versions(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "buys"
    lived(spark, path, feed=True)
    assert any((path / "_change_data").iterdir())
    shutil.rmtree(path / "_change_data")
    changes = changes_since(spark, pin(spark, SOURCE, str(path)), 0)
    assert changes is not None
    assert_same_rows(changes, CHANGES)


def test_changes_are_untold_once_the_older_version_was_vacuumed_too(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "buys"
    lived(spark, path, feed=False)
    check = "spark.databricks.delta.retentionDurationCheck.enabled"
    spark.conf.set(check, "false")
    try:
        DeltaTable.forPath(spark, str(path)).vacuum(0)
    finally:
        spark.conf.unset(check)
    assert changes_since(spark, pin(spark, SOURCE, str(path)), 0) is None
