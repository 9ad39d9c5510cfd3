"""Tables of a bench, drawn from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless import DeltaSource, Entity, Feature, Float64, Int64, RowView, String, Timestamp
from skewless.core.timeline import Pointer, Step
from skewless.spark.point_in_time.inputs import ViewValues
from skewless.spark.sorted_copy import make_copy, sorted_rows
from skewless.spark.value_tables import ValueTables

DAY_US = 86_400_000_000
#: 2024-01-01T00:00Z.
BEGIN_US = 1_704_067_200_000_000
FEATURES = {"amount": Float64, "share": Float64, "score": Float64, "visits": Int64, "kind": String}
SOURCE = DeltaSource("events", path="raw/events", event_timestamp="at", schema={"at": Timestamp})


@dataclass(frozen=True)
class Inputs:
    """What a case joins.

    Attributes:
        spine: The labels: `user_id`, `timestamp`, `label`.
        values: The views, with their tables.
    """

    spine: DataFrame
    values: Sequence[ViewValues]


@dataclass(frozen=True)
class Drawn:
    """Where tables of the bench are made.

    Attributes:
        session: Spark.
        folder: For the tables.
        entities: How many.
        days: Over how many days values are spread.
        revisions: In how many equal periods they were published; the rows of a period are one generation, and readers
            get it at the period's end.
    """

    session: SparkSession
    folder: Path
    entities: int
    days: int
    revisions: int

    @property
    def period_us(self) -> int:
        """From one publish to the next."""
        return self.days * DAY_US // self.revisions

    def chances(self, salt: int, count: int) -> list[Column]:
        """Independent numbers below 2**50 of each row."""
        return [F.pmod(F.xxhash64(F.col("id"), F.lit(salt * 100 + place)), F.lit(2**50)) for place in range(count)]

    def user(self, chance: Column, hot: Column, share: float) -> Column:
        """An entity; with that chance always the same one."""
        return F.when(hot < F.lit(int(share * 2**50)), F.lit(0)).otherwise(F.pmod(chance, F.lit(self.entities)))

    def event_us(self, chance: Column, rows: int) -> Column:
        """A time by chance; no two of a table are equal: other stores have no rule for ties."""
        slot = 1 << rows.bit_length()
        return F.lit(BEGIN_US) + F.pmod(chance, F.lit(self.days * DAY_US // slot)) * F.lit(slot) + F.col("id")

    def view(self, name: str, rows: int, *, salt: int, hot: float = 0.0) -> ViewValues:
        """Value tables of a view: history, and what was served: per generation the newest row of each entity."""
        chance = self.chances(salt, 5)
        at_us = self.event_us(chance[1], rows)
        period = F.least(((at_us - F.lit(BEGIN_US)) / self.period_us).cast("long"), F.lit(self.revisions - 1))
        history = self.session.range(0, rows, numPartitions=8).select(
            self.user(chance[0], chance[4], hot).alias("user_id"),
            F.timestamp_micros(at_us).alias("event_timestamp"),
            (chance[2] / 1000.0).alias("amount"),
            (chance[3] / 7.0).alias("share"),
            F.when(chance[2] % 10 > 0, chance[3] / 3.0).alias("score"),
            F.pmod(chance[2], F.lit(50)).alias("visits"),
            F.concat(F.lit("kind "), F.pmod(chance[3], F.lit(30)).cast("string")).alias("kind"),
            (F.lit(BEGIN_US) + (period + 1) * F.lit(self.period_us)).alias("_gen"),
        )
        told = self._kept(
            history.sortWithinPartitions("_gen").withColumn("_flag", F.lit("")), f"views/{name}/v1/history"
        )
        # a generation says one thing of an entity: two rows of it would be a tie that no contract knows
        newest = told.groupBy("user_id", "_gen").agg(F.max_by(F.struct(*told.columns), "event_timestamp").alias("row"))
        served = self._kept(newest.select("row.*").withColumnRenamed("_flag", "_state"), f"views/{name}/v1/served")
        numbers = [BEGIN_US + (number + 1) * self.period_us for number in range(self.revisions)]
        steps = tuple(Step(number, at + 1, Pointer("t", number, number)) for at, number in enumerate(numbers))
        view = RowView(
            name=name,
            entity=Entity("user", {"user_id": Int64}),
            source=SOURCE,
            transform=lambda events: events,
            features=tuple(Feature(*one) for one in FEATURES.items()),
        )
        return ViewValues(
            view=view,
            history=told,
            served=served,
            published=frozenset(numbers),
            steps=steps,
            newest=steps[-1],
            revisions=tuple((step.from_us, step.revision) for step in steps),
            withdraws=False,
        )

    def labels(self, name: str, rows: int, *, salt: int, hot: float = 0.0) -> DataFrame:
        """Labels of as many days as the values, all of them after the first publish."""
        chance = self.chances(salt, 4)
        at_us = F.lit(BEGIN_US + self.period_us + 1_000_000) + F.pmod(chance[1], F.lit(self.days * DAY_US))
        drawn = self.session.range(0, rows, numPartitions=4).select(
            self.user(chance[0], chance[3], hot).alias("user_id"),
            F.timestamp_micros(at_us).alias("timestamp"),
            (chance[2] % 2).cast("int").alias("label"),
        )
        return self._kept(drawn, name)

    def sorted(self, values: ViewValues) -> ViewValues:
        """The same view with sorted copies, as `skewless optimize` makes them."""
        tables = ValueTables(self.session, str(self.folder), values.view, timedelta(days=30))
        for name in ("history", "served"):
            make_copy(tables, name)
        copies = {name: sorted_rows(tables, name, 0) for name in ("history", "served")}
        return replace(values, sorted_history=copies["history"], sorted_served=copies["served"])

    def few(self, spine: DataFrame, rows: int) -> DataFrame:
        """A few labels of a few entities."""
        return self._kept(spine.filter("user_id < 100").limit(rows).coalesce(1), "few_labels")

    def _kept(self, rows: DataFrame, name: str) -> DataFrame:
        """Write a Delta table, and read it."""
        rows.write.format("delta").save(str(self.folder / name))
        return self.session.read.format("delta").load(str(self.folder / name))
