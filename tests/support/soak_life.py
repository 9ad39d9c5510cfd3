"""A source that changes by chance: rows come late, of the future, without a key; are corrected, moved, deleted."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tests.support.frames import moment

HOUR = 3_600_000_000
DAY = 24 * HOUR
USERS = 10
DDL = "order_id bigint, user_id bigint, ordered_at timestamp, amount double"


@dataclass(frozen=True)
class Order:
    """One source row."""

    order_id: int
    user_id: int | None
    at_us: int
    amount: float | None

    @property
    def shipped_us(self) -> int:
        """When it counts: every third order half a day later."""
        return self.at_us + (12 * HOUR if self.order_id % 3 == 0 else 0)

    @property
    def as_columns(self) -> dict[str, Any]:
        """As the oracle of windows reads it."""
        return {"order_id": self.order_id, "amount": self.amount, "kind": self.order_id % 4}


def shipped(rows: DataFrame) -> DataFrame:
    """The same in Spark."""
    half_a_day = F.when(F.col("order_id") % 3 == 0, F.expr("interval 12 hours")).otherwise(F.expr("interval 0 hours"))
    return rows.withColumn("event_timestamp", F.col("event_timestamp") + half_a_day)


class Life:
    """A source that changes by chance; every version of it is remembered."""

    def __init__(self, spark: SparkSession, path: str, rng: Random) -> None:
        self.spark, self.path, self.rng = spark, path, rng
        self.rows: dict[int, Order] = {}
        self.versions: dict[int, tuple[Order, ...]] = {}
        self.orders = 0

    def append(self, count: int, now_us: int) -> None:
        """New rows: at ticks, of one instant, late by days, of the future, without a user."""
        new = [self._drawn(now_us) for _ in range(count)]
        rows = [(one.order_id, one.user_id, moment(one.at_us), one.amount) for one in new]
        options = {"delta.enableChangeDataFeed": "true", "delta.checkpointInterval": "1000"}
        frame = self.spark.createDataFrame(rows, DDL).coalesce(1)
        frame.write.format("delta").mode("append").options(**options).save(self.path)
        self._became({**self.rows, **{one.order_id: one for one in new}})

    def correct(self) -> None:
        """Other amounts, other times, another user."""
        which, number = self.rng.randrange(5), F.col("order_id")
        moves = {
            "amount": F.when(number % 2 == 0, F.col("amount") + 1).otherwise(F.col("amount")),
            "ordered_at": F.when(number % 3 == 0, F.col("ordered_at") - F.expr("interval 30 hours")).otherwise(
                F.col("ordered_at")
            ),
            "user_id": F.when(number % 7 == 0, F.lit(3)).otherwise(F.col("user_id")),
        }
        DeltaTable.forPath(self.spark, self.path).update(number % 5 == which, moves)
        self._became({key: _corrected(one) if key % 5 == which else one for key, one in self.rows.items()})

    def delete(self) -> None:
        """Some are no more."""
        which = self.rng.randrange(8)
        DeltaTable.forPath(self.spark, self.path).delete(F.col("order_id") % 8 == which)
        self._became({key: one for key, one in self.rows.items() if key % 8 != which})

    def _drawn(self, now_us: int) -> Order:
        self.orders += 1
        user = self.rng.choice((None, *range(USERS), *range(USERS)))
        late = self.rng.choice((-1, -1, -24, -24, -60, -100, 2, 13)) * HOUR
        amount = self.rng.choice((None, 0.0, 1.5, 2.25, -9.0, 7.1, 0.1))
        return Order(self.orders, user, now_us + late + self.rng.choice((0, 0, 7)), amount)

    def _became(self, rows: dict[int, Order]) -> None:
        self.rows = rows
        version = DeltaTable.forPath(self.spark, self.path).history(1).collect()[0]["version"]
        self.versions[version] = tuple(rows.values())


def _corrected(one: Order) -> Order:
    return Order(
        one.order_id,
        3 if one.order_id % 7 == 0 else one.user_id,
        one.at_us - 30 * HOUR if one.order_id % 3 == 0 else one.at_us,
        one.amount + 1 if one.amount is not None and one.order_id % 2 == 0 else one.amount,
    )
