"""Until which tick a source is ready: by its newest event, or by what a marker table says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from skewless.core.dtypes import Int64, Timestamp
from skewless.core.readiness import Marked, Within
from skewless.core.source import DeltaSource
from skewless.core.time import from_us, hours, parse_instant, to_us
from skewless.errors import ConfigError
from skewless.spark.read import PinnedSource, pin
from skewless.spark.readiness import ready_through_us

BUYS = DeltaSource("buys", "raw/buys", "bought_at", {"bought_at": Timestamp, "user_id": Int64})
NOW_US = to_us(parse_instant("2024-03-05T06:00Z"))
HOUR_US = 3_600_000_000


def _table(spark: SparkSession, path: Path, name: str, *instants_us: int | None) -> str:
    rows = [(None if one is None else from_us(one), 1) for one in instants_us]
    spark.createDataFrame(rows, f"{name} timestamp, user_id bigint").write.format("delta").save(str(path))
    return str(path)


def test_source_is_ready_as_far_as_its_newest_event_or_its_marker_says(spark: SparkSession, tmp_path: Path) -> None:
    newest_us = NOW_US - 20 * HOUR_US
    # a null and an event of the future tell nothing of what has arrived
    path = _table(spark, tmp_path / "buys", "bought_at", newest_us - 1, newest_us, None, NOW_US + 1)
    pinned = pin(spark, BUYS, path)

    def ready(rule: Within | Marked | None, where: PinnedSource = pinned) -> int | None:
        source = replace(where, source=replace(BUYS, ready=rule))
        return ready_through_us(spark, source, located=lambda name: str(tmp_path / name), now_us=NOW_US)

    always = ready(None)
    assert always is not None
    assert always > NOW_US
    assert ready(Within(timedelta(0))) == newest_us
    assert ready(Within(hours(12))) == newest_us + 12 * HOUR_US
    assert ready(Marked("done")) is None
    _table(spark, tmp_path / "done", "complete_through", 5 * HOUR_US, 7 * HOUR_US, None)
    assert ready(Marked("done")) == 7 * HOUR_US
    with pytest.raises(ConfigError, match="marked ready by column 'until' of done, which must be a timestamp") as found:
        ready(Marked("done", column="until"))
    assert "\n" not in str(found.value)
    nothing = pin(spark, BUYS, _table(spark, tmp_path / "nothing", "bought_at", None))
    assert ready(Within(hours(12)), nothing) is None
