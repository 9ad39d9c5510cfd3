"""Sorted copies through the front door: made, read beside what came later, given up when their table was rewritten."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from delta.tables import DeltaTable

from skewless import days
from skewless.core.manifest import Manifest
from skewless.flows.point_in_time import pinned
from skewless.spark.compaction import compact
from tests.support.project import LAST_ORDER, Project, at

pytestmark = [pytest.mark.spark, pytest.mark.cassandra, pytest.mark.usefixtures("interpreted")]

FIRST = at("2024-03-02T06:00")
ENGINES = ("window", "bucket")
ASKED = [(user, FIRST + days(later)) for user in (1, 2, 3, 99, None) for later in (-2, -1, 0, 1, 2, 40)]


def test_a_copy_is_read_beside_what_came_later_until_its_table_is_rewritten(project: Project) -> None:
    project.land(*((number, number % 7, "2024-03-01T08:00", float(number)) for number in range(40)))
    project.store.apply()
    project.store.run(now=FIRST)
    assert engine_of(project, "auto") == "window"
    made = project.store.optimize()
    assert [(one.view, one.table, one.is_new) for one in made] == [
        (view, table, True) for view in ("last_order", "spend") for table in ("history", "served")
    ]
    assert not any(one.is_new for one in project.store.optimize())
    assert later_rows(project) == [0, 0, 0, 0]
    by_any_engine_alike(project)

    project.land((100, 1, "2024-03-02T07:00", 7.5), (101, 2, "2024-03-01T07:00", 8.5))
    project.store.run(now=FIRST + days(1))
    assert all(rows for rows in later_rows(project))
    by_any_engine_alike(project)

    DeltaTable.forPath(project.shop.session, history(project)).optimize().executeCompaction()
    assert later_rows(project)[0] is None
    by_any_engine_alike(project)
    assert [one.is_new for one in project.store.optimize()] == [True] * 4
    # what Delta put together is nobody's change: runs go on, and so do joins
    project.land((102, 3, "2024-03-03T07:00", 9.5))
    project.store.run(now=FIRST + days(2))
    by_any_engine_alike(project)
    project.store.optimize()
    # the one before stays, since a join may still be reading it; the first one is gone
    assert len(list(sorted_folder(project).glob("history-*"))) == 2


def test_many_small_files_are_put_together_and_few_are_left_alone(spark: Any, tmp_path: Any) -> None:
    few, many = (str(tmp_path / name) for name in ("few", "many"))
    for path, files in ((few, 3), (many, 70)):
        spark.range(0, 700, numPartitions=files).write.format("delta").save(path)
    assert (compact(spark, few), compact(spark, many)) == (0, 70)
    table = spark.read.format("delta").load(many)
    assert (len(table.inputFiles()), table.distinct().count()) == (1, 700)


def by_any_engine_alike(project: Project) -> None:
    told = {(join, engine): made(project, engine, join) for join in ("as-served", "event-time") for engine in ENGINES}
    for join in ("as-served", "event-time"):
        assert len({told[join, engine].content_hash for engine in ENGINES}) == 1
    assert told["as-served", "window"].content_hash != told["event-time", "window"].content_hash


def made(project: Project, engine: str, join: str = "as-served") -> Manifest:
    asked: list[tuple[int | None, datetime]] = ASKED
    spine = project.shop.session.createDataFrame(asked, "user_id bigint, timestamp timestamp")
    return project.store.training_set("scoring", spine, engine=engine, join=join, with_status=True).manifest


def engine_of(project: Project, engine: str) -> str:
    return made(project, engine).engine


def later_rows(project: Project) -> list[int | None]:
    """Per table the rows that its copy lacks; None when the copy is not read."""
    shop = project.shop
    pins = pinned(shop, shop.definitions.service("scoring"), shop.ledger.timeline()).prepared(shop)
    copies = [copy for one in pins.values for copy in (one.sorted_history, one.sorted_served)]
    return [None if copy is None else copy.later.count() for copy in copies]


def history(project: Project) -> str:
    return project.shop.tables(LAST_ORDER).history


def sorted_folder(project: Project) -> Path:
    return Path(project.shop.tables(LAST_ORDER).folder) / "sorted"
