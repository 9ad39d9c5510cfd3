"""Windows at label times: tried before anything is applied, and the same values once the view is published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F

from skewless import Count, LastN, Mean, Quantile, Sum, days
from skewless.cli.desk import Desk
from skewless.cli.options import Choices
from skewless.cli.trying import windows
from skewless.core.time import to_us
from skewless.errors import DefinitionError, UsageError
from tests.support.frames import assert_same_rows, frame, rows_of
from tests.support.project import SPEND, Project, at

pytestmark = [pytest.mark.spark, pytest.mark.cassandra, pytest.mark.usefixtures("interpreted")]

NOW = at("2024-03-12T06:00")
LABELS = "user_id bigint, timestamp timestamp, label string"


def test_windows_tried_at_label_times_are_those_that_a_published_view_has_at_its_ticks(
    project: Project, spark: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project.land(
        (1, 7, "2024-03-01T10:00", 5.25),
        (2, 7, "2024-03-01T10:00", 6.5),
        (3, 8, "2024-03-02T00:00", 1.1),
        (4, 7, "2024-03-05T00:00", 0.1),
        (5, None, "2024-03-05T00:00", 0.1),
        (6, 7, "2024-03-20T00:00", 99.0),
    )
    project.store.move_clock(NOW)
    tried = {
        "orders_1d": Count(over=days(1)),
        "mean_7d": Mean("amount", over=days(7)),
        "median_7d": Quantile("amount", 0.5, over=days(7)),
        "dear_7d": Sum("amount", over=days(7), where="amount > 6"),
        "latest": LastN("amount", 2, over=days(7)),
    }
    labels = frame(
        spark,
        LABELS,
        [
            (7, at("2024-03-02T10:00"), "x"),
            (7, at("2024-03-02T10:00"), "x"),
            (8, at("2024-03-02"), "y"),
            (9, at("2024-03-02"), None),
            (7, at("2024-03-21"), "later than now"),
        ],
    )
    us = [to_us(at(text)) for text in ("2024-03-02T10:00", "2024-03-02", "2024-03-21")]
    assert_same_rows(
        project.store.window_values("spend", labels, aggregates=tried),
        [
            (7, us[0], "x", 2, 5.875, 5.25, 6.5, (6.5, 5.25)),
            (7, us[0], "x", 2, 5.875, 5.25, 6.5, (6.5, 5.25)),
            (8, us[1], "y", 0, None, None, None, None),
            (9, us[1], None, 0, None, None, None, None),
            # as a tick will, when its time has come
            (7, us[2], "later than now", 1, 99.0, 99.0, 99.0, (99.0,)),
        ],
    )
    _refused(project, labels)
    project.store.apply()
    project.store.run("spend", accept={"breaker.quarantine_share": "one has no user, one lies in the future"})
    history = spark.read.format("delta").load(project.shop.tables(SPEND).history)
    spine = history.select("user_id", F.col("event_timestamp").alias("timestamp"))
    stated = rows_of(history.select("user_id", "event_timestamp", "spend_7d"))
    assert len(stated) == 5
    assert_same_rows(project.store.window_values("spend@1", spine), stated)
    _same_by_command(project, spine, stated, tmp_path, capsys)


def _refused(project: Project, labels: Any) -> None:
    ask = project.store.window_values
    count = {"orders": Count(over=days(1))}
    for asked, message in (
        (lambda: ask("last_order", labels), "it is a RowView"),
        (lambda: ask("spent", labels), "There is no view 'spent'"),
        (lambda: ask("spend", labels.withColumn("Orders", F.lit(1)), aggregates=count), r"named like .*\['Orders'\]"),
        (lambda: ask("spend", labels, time_column="seen"), "no time column 'seen'"),
        (lambda: ask("spend", labels.drop("user_id")), "lacks key 'user_id'"),
        (lambda: ask("spend", "nowhere"), "There is no spine at nowhere"),
    ):
        with pytest.raises(UsageError, match=message):
            asked()
    for aggregates, message in (
        ({"orders": Count()}, "has no window"),
        ({}, "has no features"),
        ({"total": Sum("gone", over=days(1))}, r"lack \['gone'\]"),
    ):
        with pytest.raises(DefinitionError, match=message):
            ask("spend", labels, aggregates=aggregates)


def _same_by_command(
    project: Project, spine: Any, stated: list[Any], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, out = str(folder / "labels.parquet"), str(folder / "tried.parquet")
    spine.withColumnRenamed("timestamp", "seen").write.parquet(labels)
    desk = Desk(Choices(as_json=True))
    desk.output.as_json = True
    desk.__dict__["store"] = project.store
    capsys.readouterr()
    windows(desk, "spend", spine=labels, out=out, time_column="seen")
    assert json.loads(capsys.readouterr().out) == {
        "path": out,
        "rows": len(stated),
        "view": "spend@1",
        "columns": ["spend_7d"],
    }
    assert_same_rows(project.store.session.read.parquet(out), stated)
    with pytest.raises(UsageError, match="exists"):
        windows(desk, "spend", spine=labels, out=out, time_column="seen")
    with pytest.raises(UsageError, match="is a row view"):
        windows(desk, "last_order", spine=labels, out=str(folder / "new"), time_column="seen")
