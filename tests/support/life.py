"""A source that lives, a project that follows it, and the full evaluation that it is compared with.

Rows come late, of the future, without a key, of no sum; others are corrected, moved in time, and deleted. Transforms
move events to another time than their row's. The full evaluation is the product's own: what it says is compared with
brute force elsewhere, here it is the way to it that is at stake.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless import (
    Count,
    Definitions,
    DeltaSource,
    Entity,
    Feature,
    FeatureService,
    FeatureStore,
    Float64,
    Int64,
    Mean,
    RowView,
    SnapshotView,
    Sum,
    Timestamp,
    WindowView,
    days,
)
from skewless.config import load_settings
from skewless.core.view import FeatureView
from skewless.flows.attempt import Attempt
from skewless.flows.due import pinned_sources
from skewless.flows.workshop import Workshop
from skewless.spark.evaluate import evaluate
from skewless.spark.value_tables import as_served, current, newest_served, of_generations, standing
from tests.support.frames import assert_same_rows, rows_of
from tests.support.project import ROOT, at

USER = Entity("user", keys={"user_id": Int64})
ORDERS = DeltaSource(
    "orders",
    path="raw/orders",
    event_timestamp="ordered_at",
    schema={"order_id": Int64, "user_id": Int64, "ordered_at": Timestamp, "amount": Float64},
    tie_break=("order_id",),
)
DDL = "order_id bigint, user_id bigint, ordered_at timestamp, amount double"


def shipped(rows: DataFrame) -> DataFrame:
    """Every third order counts from half a day later on."""
    later = F.when(F.col("order_id") % 3 == 0, F.expr("interval 12 hours")).otherwise(F.expr("interval 0 hours"))
    return rows.withColumn("event_timestamp", F.col("event_timestamp") + later)


LAST = RowView(
    name="last_order",
    entity=USER,
    source=ORDERS,
    transform=lambda rows: (
        shipped(rows).where("amount > -5").select("user_id", "event_timestamp", "order_id", "amount")
    ),
    features=(Feature("order_id", Int64), Feature("amount", Float64)),
)
SPEND = WindowView(
    name="spend",
    entity=USER,
    source=ORDERS,
    events=lambda rows: shipped(rows).select("user_id", "event_timestamp", "amount"),
    aggregates={
        "spend_2d": Sum("amount", over=days(2)),
        "orders_5d": Count(over=days(5), where="amount > 1"),
        "mean_3d": Mean("amount", over=days(3)),
    },
)


def best(sources: Any, _: Column) -> DataFrame:
    return sources["orders"].groupBy("user_id").agg(F.max("amount").alias("most"), F.count("*").alias("orders"))


BEST = SnapshotView(
    name="best",
    entity=USER,
    sources=(ORDERS,),
    transform=best,
    features=(Feature("most", Float64), Feature("orders", Int64)),
    lookback={"orders": days(3)},
    every=days(2),
)


class Life:
    """A source that changes by chance, and the project that follows it."""

    def __init__(self, spark: SparkSession, folder: Path, *, views: Iterable[FeatureView], seed: int) -> None:
        self.views = tuple(views)
        environ = {
            "SKEWLESS__PROJECT__STATE": str(folder / "state"),
            "SKEWLESS__ONLINE__KIND": "none",
            # no gate is asked for: life here is wilder than any of its limits
            "SKEWLESS__QUALITY__MAX_QUARANTINE_SHARE": "1",
            "SKEWLESS__QUALITY__MAX_ENTITY_COUNT_CHANGE": "100",
            "SKEWLESS__QUALITY__MAX_NULL_RATE_JUMP": "1",
        }
        shop = Workshop.open(load_settings(ROOT / "conf", "ci", environ))
        shop.__dict__["definitions"] = Definitions(
            views=self.views, services=[FeatureService("scoring", features=list(self.views))]
        )
        shop.__dict__["session"] = spark
        self.spark, self.shop, self.store, self.rng = spark, shop, FeatureStore(shop), Random(seed)
        self.path = shop.source_path(ORDERS)
        self.now, self.orders = at("2024-03-01T00:00"), 0

    def append(self, rows: int) -> None:
        drawn = [self._order() for _ in range(rows)]
        frame = self.spark.createDataFrame(drawn, DDL).coalesce(1)
        properties = {"delta.enableChangeDataFeed": "true", "delta.checkpointInterval": "1000"}
        frame.write.format("delta").mode("append").options(**properties).save(self.path)

    def change(self) -> None:
        """Some are corrected, some moved in time or to another user, some deleted."""
        table, number = DeltaTable.forPath(self.spark, self.path), F.col("order_id")
        which = self.rng.randrange(5)
        moves = {
            "amount": F.when(number % 2 == 0, F.col("amount") + 1).otherwise(F.col("amount")),
            "ordered_at": F.when(number % 3 == 0, F.col("ordered_at") - F.expr("interval 30 hours")).otherwise(
                F.col("ordered_at")
            ),
            "user_id": F.when(number % 7 == 0, F.lit(3)).otherwise(F.col("user_id")),
        }
        table.update(number % 5 == which, moves)
        table.delete(number % 6 == which)

    def wait(self, hours: int) -> None:
        if hours:
            self.now += timedelta(hours=hours)
            self.store.move_clock(self.now)

    def begin(self) -> None:
        """The first run, which evaluates everything."""
        self.append(120)
        self.wait(24)
        self.store.apply()
        self.store.run()

    def go_on(self) -> None:
        """A later run, which evaluates what changed."""
        self.append(self.rng.choice((1, 20)))
        if self.rng.random() < 0.7:
            self.change()
        self.wait(self.rng.choice((0, 1, 24, 30)))
        self.store.run()

    def _order(self) -> tuple[Any, ...]:
        self.orders += 1
        rng = self.rng
        user = rng.choice((None, *range(12)))
        amount = rng.choice((None, 0.0, -0.0, 1.5, 2.25, -9.0, 7.0, float("nan")))
        # at ticks, of one instant, late by days, of the future
        time = self.now + timedelta(hours=rng.choice((-1, -24, -24, -60, -100, 2, 13)), minutes=rng.choice((0, 0, 7)))
        return self.orders, user, time, amount


def equals_the_full_evaluation(life: Life) -> None:
    attempt = Attempt.begin(life.shop, "look")
    pins = pinned_sources(life.shop, life.views)
    for view in life.views:
        situation = attempt.look_up(view)
        tables, pointer, seen = situation.tables, situation.pointer, situation.seen
        assert pointer is not None
        assert seen is not None
        assert seen.sources["orders"] == pins["orders"].version
        full = evaluate(
            life.spark,
            view,
            {"orders": pins["orders"]},
            start_us=seen.number,
            through_us=pointer.through_us,
            since=None,
        )
        stands = standing(view, of_generations(tables.read(tables.history), situation.counting)).drop("_gen").persist()
        assert_same_rows(stands, rows_of(full.statements.select(*stands.columns)))
        served = newest_served(view, of_generations(tables.read(tables.served), situation.counting))
        served = served.filter("_state <> 'absent'").drop("_gen")
        assert_same_rows(served, rows_of(as_served(view, current(view, stands)).select(*served.columns)))
        stands.unpersist()
