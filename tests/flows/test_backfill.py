"""Backfill: chunk by chunk, killed and resumed, it says what one evaluation of everything says."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from pyspark.sql import functions as F

from skewless import Count, Definitions, Feature, FeatureService, Int64, SnapshotView, Sum, WindowView, days
from skewless.core.generation import GenerationState
from skewless.core.time import to_us
from skewless.core.view import FeatureView
from skewless.errors import NothingToDo, UsageError
from skewless.node import Endpoint
from skewless.spark.evaluate import evaluate
from skewless.spark.read import pin
from skewless.spark.value_tables import of_generations, standing
from tests.support.dying import dies_at
from tests.support.frames import rows_of
from tests.support.project import LAST_ORDER, ORDERS, USER, Project, at, open_project
from tests.support.twins import OF_A_BACKFILL

pytestmark = [pytest.mark.spark, pytest.mark.cassandra, pytest.mark.usefixtures("interpreted")]

SPEND = WindowView(
    name="spend",
    entity=USER,
    source=ORDERS,
    events=lambda rows: rows.select("user_id", "event_timestamp", "amount"),
    aggregates={"spend_7d": Sum("amount", over=days(7)), "orders_20d": Count(over=days(20))},
    start=at("2024-03-01T00:00"),
)
RANKED = SnapshotView(
    name="ranked",
    entity=USER,
    sources=[ORDERS],
    lookback={"orders": days(10)},
    transform=lambda sources, _: sources["orders"].dropna().groupBy("user_id").agg(F.max("order_id").alias("last_id")),
    features=(Feature("last_id", Int64),),
    every=days(5),
)
NOW = at("2024-04-10T06:00")


class Opened:
    """A project that may be opened anew, as another process would."""

    def __init__(self, spark: Any, endpoint: Endpoint, folder: Any) -> None:
        self.keyspace = f"backfill_{uuid.uuid4().hex[:8]}"
        self._opened = (spark, endpoint, folder, self.keyspace)

    def anew(self, view: FeatureView) -> Project:
        """The definitions hold one view and a service of it."""
        spark, endpoint, folder, keyspace = self._opened
        declared = Definitions(views=[view], services=[FeatureService(f"of_{view.name}", features=[view])])
        project = open_project(spark, endpoint, folder, keyspace, definitions=declared)
        project.store.apply()
        return project


@pytest.fixture(scope="module")
def opened(spark: Any, cassandra_endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    found = Opened(spark, cassandra_endpoint, tmp_path_factory.mktemp("backfill"))
    project, rng = found.anew(LAST_ORDER), Random(3)
    users = [None if number % 50 == 7 else rng.randrange(1, 5) for number in range(300)]
    # a few of them lie in the future
    rows = [(number, user, rng.randrange(66 * 24), number % 7 / 4) for number, user in enumerate(users)]
    frame = spark.createDataFrame(rows, "order_id bigint, user_id bigint, hour bigint, amount double")
    time = F.timestamp_micros(F.lit(to_us(at("2024-02-05T00:00"))) + F.col("hour") * 3_600_000_000)
    orders = frame.select("order_id", "user_id", time.alias("ordered_at"), "amount")
    orders.write.format("delta").save(project.shop.source_path(ORDERS))
    project.store.move_clock(NOW)
    yield found
    project.drop()


def told(project: Project, view: FeatureView) -> list[Any]:
    """What stands in history of the published generations."""
    tables, published = project.shop.tables(view), project.shop.ledger.timeline().steps(view.reference)
    rows = of_generations(tables.read(tables.history), {step.pointer.generation for step in published})
    return sorted(rows_of(standing(view, rows).drop("_gen")))


def wanted(project: Project, view: FeatureView) -> list[Any]:
    """What one evaluation of everything says, up to where the view is known."""
    shop = project.shop
    generation = backfills(project, view)[-1]
    pins = {one.name: pin(shop.session, one, shop.source_path(one)) for one in view.sources}
    limits = {"start_us": generation.number, "through_us": generation.through_us}
    found = evaluate(shop.session, view, pins, **limits, since=None).statements
    return sorted(rows_of(found.select(*view.entity.key_names, "event_timestamp", *view.feature_names, "_flag")))


def backfills(project: Project, view: FeatureView) -> list[Any]:
    return [one for one in project.shop.ledger.generations() if one.view == view.name and one.kind == "backfill"]


@pytest.mark.parametrize("view", [LAST_ORDER, RANKED], ids=lambda view: view.kind)
def test_view_filled_in_chunks_says_what_one_evaluation_says(opened: Opened, view: FeatureView) -> None:
    project = opened.anew(view)
    record = project.store.backfill(view.name, chunk=days(20))
    assert record.outcome == "published"
    assert told(project, view) == wanted(project, view)
    (generation,) = backfills(project, view)
    assert generation.chunks.done == generation.chunks.count > 2
    counts = generation.counts
    assert counts["read"] == counts["used"] + counts["quarantined"]
    assert counts["new"] == len(told(project, view)) > counts["served"] > 0


def test_killed_backfill_of_windows_is_resumed_where_it_was(spark: Any, opened: Opened) -> None:
    """Killed between a chunk and its record, and after a record; until it ends, the view takes part in no run."""
    view = replace(SPEND, name="spend_killed")
    history, recorded = OF_A_BACKFILL
    dies_at(spark, f"{history}:2", lambda: opened.anew(view).store.backfill(view.name, chunk=days(14)))
    dies_at(spark, recorded, lambda: opened.anew(view).store.backfill(view.name))
    project = opened.anew(view)
    (left,) = backfills(project, view)
    assert (left.state, left.chunks.done) == (GenerationState.PLANNED, 2)
    for named in ((), (view.name,)):
        with pytest.raises(UsageError, match="2 of 3 chunks done"):
            project.store.run(*named)
    with pytest.raises(UsageError, match="Another backfill"):
        project.store.backfill(view.name, start=at("2024-03-02T00:00"))
    project.store.backfill(view.name)
    assert told(project, view) == wanted(project, view)
    log = project.shop.session.sql(f"DESCRIBE HISTORY delta.`{project.shop.tables(view).history}`")
    assert log.filter("operation = 'WRITE'").count() == 3


def test_view_whose_start_moved_back_is_extended_and_nothing_else_changes(opened: Opened) -> None:
    view = replace(SPEND, name="spend_extended")
    opened.anew(view).store.run(view.name)
    earlier = replace(view, start=at("2024-02-10T00:00"))
    project = opened.anew(earlier)
    before, known = current(project, earlier), told(project, earlier)
    with pytest.raises(UsageError, match="starts at"):
        project.store.backfill(view.name, start=at("2024-02-01T00:00"))
    with pytest.raises(UsageError, match="is known until"):
        project.store.backfill(view.name, end=at("2024-04-11T00:00"))
    record = project.store.backfill(view.name, end=at("2024-03-01T00:00"), chunk=days(10))
    assert record.outcome == "published"
    assert told(project, earlier) == wanted(project, earlier) != known
    assert current(project, earlier) == before
    with pytest.raises(NothingToDo, match="differs"):
        project.store.backfill(view.name)
    (certificate,) = project.store.parity(f"of_{view.name}", sample=10)
    assert certificate.mismatches == 0


def current(project: Project, view: FeatureView) -> list[Any]:
    vectors = [project.online(user, service=f"of_{view.name}") for user in range(1, 5)]
    return [(one.values, one.status, one.event_time) for one in vectors]


def test_backfill_may_be_given_up(spark: Any, opened: Opened) -> None:
    view, (_, recorded) = replace(LAST_ORDER, name="order_given_up"), OF_A_BACKFILL
    dies_at(spark, recorded, lambda: opened.anew(view).store.backfill(view.name, chunk=days(30)))
    project = opened.anew(view)
    assert project.store.backfill(view.name, give_up=True).outcome == "given up"
    with pytest.raises(NothingToDo, match="no backfill"):
        project.store.backfill(view.name, give_up=True)
    assert [one.state for one in backfills(project, view)] == [GenerationState.PURGED]
