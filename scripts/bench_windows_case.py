"""Windows at label times: 7 d and 30 d count and sum by the product, by Spark SQL's range windows, and their floor.

A case of its own for the bench of point-in-time joins: `methods` gives what to run, by name; `checksums` compares the
values. Alone it measures itself:

    python scripts/bench_windows_case.py --rows 1000000 --labels 100000
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from measuring import peak_of_children
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless import Count, DeltaSource, Entity, Float64, Int64, Sum, Timestamp, WindowView, days
from skewless.config import load_settings, prepare_process
from skewless.flows.workshop import Workshop
from skewless.spark.observed_windows import Asking, observed
from skewless.spark.point_in_time.bucket import buckets_of
from skewless.spark.window_view import read_events

HOME = Path(__file__).resolve().parents[1]
DAY_US = 86_400_000_000
#: 2024-01-01T00:00Z.
BEGIN_US = 1_704_067_200_000_000
LENGTHS = (7, 30)
VIEW = WindowView(
    name="spend",
    entity=Entity("user", {"user_id": Int64}),
    source=DeltaSource(
        "buys", path="raw/buys", event_timestamp="at", schema={"user_id": Int64, "at": Timestamp, "amount": Float64}
    ),
    events=lambda rows: rows,
    aggregates={
        **{f"count_{length}d": Count(over=days(length)) for length in LENGTHS},
        **{f"sum_{length}d": Sum("amount", over=days(length), scale=2) for length in LENGTHS},
    },
)


@dataclass(frozen=True)
class Sizes:
    """How much is drawn.

    Attributes:
        rows: Events.
        labels: Spine rows.
        entities: Of both.
        days: Over how many days.
    """

    rows: int = 10_000_000
    labels: int = 1_000_000
    entities: int = 100_000
    days: int = 100


@dataclass(frozen=True)
class WindowsCase:
    """Tables of events and labels, and the ways to windows at the labels' times.

    Attributes:
        events: user_id, event_timestamp, amount.
        spine: user_id, timestamp, label.
    """

    events: DataFrame
    spine: DataFrame

    @staticmethod
    def drawn(session: SparkSession, folder: Path, sizes: Sizes) -> WindowsCase:
        """Draw the tables from a seed."""
        events, labels = folder / "windows_events", folder / "windows_labels"
        chance = [F.pmod(F.xxhash64(F.col("id"), F.lit(salt)), F.lit(2**50)) for salt in range(3)]
        user = F.pmod(chance[0], F.lit(sizes.entities)).alias("user_id")
        time = F.timestamp_micros(F.lit(BEGIN_US) + F.pmod(chance[1], F.lit(sizes.days * DAY_US)))
        session.range(0, sizes.rows, numPartitions=8).select(
            user, time.alias("event_timestamp"), (F.pmod(chance[2], F.lit(100_000)) / 100.0).alias("amount")
        ).write.format("delta").save(str(events))
        session.range(2**40, 2**40 + sizes.labels, numPartitions=4).select(
            user, time.alias("timestamp"), (chance[2] % 2).cast("int").alias("label")
        ).write.format("delta").save(str(labels))
        read = session.read.format("delta")
        return WindowsCase(read.load(str(events)), read.load(str(labels)))

    def floor(self) -> DataFrame:
        """The same columns and rows, brought together by key and sorted by time."""
        asked = self.spine.select("user_id", F.col("timestamp").alias("event_timestamp"), F.struct("label").alias("s"))
        rows = self.events.unionByName(asked, allowMissingColumns=True)
        return rows.repartition("user_id").sortWithinPartitions("user_id", "event_timestamp")

    def bucket(self) -> DataFrame:
        """The product."""
        asking = Asking.of(self.spine, "timestamp")
        used = read_events(VIEW, self.events, start_us=BEGIN_US + 10_000 * DAY_US).used
        return observed(VIEW, used, asking, buckets=buckets_of(self.events.count() + asking.reach.rows))

    def range_windows(self) -> DataFrame:
        """Range windows of Spark SQL over events and labels together."""
        events = self.events.withColumn("cents", F.round(F.col("amount") * 100).cast("long"))
        asked = self.spine.select(
            "user_id", F.col("timestamp").alias("event_timestamp"), "label", F.lit(1).alias("asks")
        )
        rows = events.drop("amount").unionByName(asked, allowMissingColumns=True)
        rows.withColumn("t", F.unix_micros("event_timestamp")).createOrReplaceTempView("windows_rows")
        said = {"count": "count(CASE WHEN asks IS NULL THEN 1 END) OVER {0}", "sum": "sum(cents) OVER {0} / 100D"}
        over = "(PARTITION BY user_id ORDER BY t RANGE BETWEEN {} PRECEDING AND 1 PRECEDING)"
        columns = [
            f"{told.format(over.format(length * DAY_US))} AS {name}_{length}d"
            for name, told in said.items()
            for length in LENGTHS
        ]
        found = self.events.sparkSession.sql(f"SELECT *, {', '.join(columns)} FROM windows_rows")  # noqa: S608 - our own
        named = F.col("event_timestamp").alias("timestamp")
        return found.filter("asks = 1").select("user_id", named, "label", *VIEW.feature_names)

    def methods(self) -> Mapping[str, Callable[[], DataFrame]]:
        """Name → what gives the rows, the floor first."""
        return {"floor": self.floor, "windows_bucket": self.bucket, "windows_sql": self.range_windows}

    def checksums(self, names: Collection[str]) -> Mapping[str, tuple[object, ...]]:
        """Method → the number of its rows, and a sum over the hashes of all; they are to be the same."""
        hashed = F.xxhash64(F.to_json(F.struct("*"), {"ignoreNullFields": "false"})).cast("decimal(38,0)")
        return {
            name: tuple(rows().agg(F.count("*"), F.sum(hashed)).first() or ())
            for name, rows in self.methods().items()
            if name in names and name != "floor"
        }


def done(rows: DataFrame) -> None:
    """Compute all rows, keep none."""
    rows.write.format("noop").mode("overwrite").save()


def measured(case: WindowsCase, rounds: int, names: Collection[str]) -> dict[str, object]:
    """Medians of interleaved rounds after one that warms up; a method whose rows differ has no time."""
    seconds: dict[str, list[float]] = {}
    peaks: dict[str, int] = {}
    for number in range(rounds + 1):
        for name, rows in case.methods().items():
            if name not in names:
                continue
            with peak_of_children() as peak:
                begun = perf_counter()
                done(rows())
                took = perf_counter() - begun
            if number:
                seconds.setdefault(name, []).append(took)
                peaks[name] = max(peaks.get(name, 0), peak() >> 20)
            print(f"    {name:20} {took:6.2f} s", file=sys.stderr)
    told = case.checksums(names)
    floor, expected = statistics.median(seconds["floor"]), told["windows_bucket"]
    found: dict[str, object] = {"floor_s": round(floor, 2), "rows": expected[0]}
    for name, times in seconds.items():
        middle = statistics.median(times)
        figures: dict[str, object] = {"s": round(middle, 2), "ratio": round(middle / floor, 3), "mb": peaks[name]}
        found[name] = figures if told.get(name, expected) == expected else {"void": "its rows differ"}
    return found


def main() -> None:
    """Measure this case alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("rows", "labels", "entities", "days"):
        default = getattr(Sizes(), name)
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default: {default:,}")
    parser.add_argument("--rounds", type=int, default=3, help="measured after one that warms up (default: 3)")
    parser.add_argument("--memory", default="4g", help="of Spark (default: 4g)")
    parser.add_argument(
        "--without-sql", action="store_true", help="leave range windows of Spark SQL out, which is slow"
    )
    options = parser.parse_args()
    names = {"floor", "windows_bucket"} | (set() if options.without_sql else {"windows_sql"})
    environ = {"SKEWLESS__ONLINE__KIND": "none", "SKEWLESS__SPARK__DRIVER_MEMORY": options.memory}
    settings = load_settings(HOME / "conf", "ci", environ)
    prepare_process(settings)
    with tempfile.TemporaryDirectory() as made:
        session = Workshop.open(settings).session
        sizes = Sizes(options.rows, options.labels, options.entities, options.days)
        figures = measured(WindowsCase.drawn(session, Path(made), sizes), options.rounds, names)
        session.stop()
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
