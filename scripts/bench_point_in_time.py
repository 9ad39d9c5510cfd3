"""Point-in-time joins measured against a floor: reading, shuffling and sorting the same rows, without a join.

One session, one machine; data are drawn from a seed. Each case joins labels to value tables of many generations, by
every engine and in both modes, in interleaved rounds; told are medians of seconds, their ratios to the floor, and the
peak of memory of Spark and its Python workers. Every join of a case and mode must give the same rows: their number and
a checksum of all values are compared, and a method that differs has no time.

  one_table    labels × one table of five features            goals: window 1.35, bucket 1.10, as served 1.25
  five_tables  labels × five tables, 25 features                     window 1.75, bucket 1.25
  skew         one entity has 8 % of all rows                        window 1.35, bucket 1.10
  pruned       a thousandth of the labels: what cuts save
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter

from measuring import peak_of_children
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless import DeltaSource, Entity, Feature, Float64, Int64, RowView, String, Timestamp
from skewless.config import load_settings, prepare_process
from skewless.core.timeline import Pointer, Step
from skewless.flows.workshop import Workshop
from skewless.spark.point_in_time.inputs import ViewValues
from skewless.spark.point_in_time.join import joined
from skewless.spark.point_in_time.using import Engine, using_of

HOME = Path(__file__).resolve().parents[1]
DAY_US = 86_400_000_000
#: 2024-01-01T00:00Z.
BEGIN_US = 1_704_067_200_000_000
FEATURES = {"amount": Float64, "share": Float64, "score": Float64, "visits": Int64, "kind": String}
SOURCE = DeltaSource("events", path="raw/events", event_timestamp="at", schema={"at": Timestamp})


@dataclass
class Case:
    """One case.

    Attributes:
        values: The views.
        spine: The labels.
        rounds: How often each method runs.
        seconds: Method → its times.
        peaks: Method → the greatest memory, MB.
    """

    values: Sequence[ViewValues]
    spine: DataFrame
    rounds: int
    seconds: dict[str, list[float]] = field(default_factory=dict)
    peaks: dict[str, int] = field(default_factory=dict)

    def floor(self) -> None:
        """The same columns and rows, brought together by key and sorted by time."""
        parts = [
            self.spine.select("user_id", F.col("timestamp").alias("event_timestamp"), F.struct("label").alias("s"))
        ]
        for place, one in enumerate(self.values):
            cells = F.struct(*one.features, "_gen", "_flag").alias(f"v{place}")
            parts.append(one.history.select("user_id", "event_timestamp", cells))
        rows = parts[0]
        for part in parts[1:]:
            rows = rows.unionByName(part, allowMissingColumns=True)
        done(rows.repartition("user_id").sortWithinPartitions("user_id", "event_timestamp"))

    def join(self, engine: Engine, *, as_served: bool) -> DataFrame:
        """The product's join."""
        using = using_of(engine, self.spine, self.values, "timestamp")
        told = joined(self.spine, self.values, time_column="timestamp", as_served=as_served, using=using)
        columns = (
            F.col(f"{one.view.name}.values.{name}").alias(f"{one.view.name}__{name}")
            for one in self.values
            for name in one.features
        )
        return told.select(*self.spine.columns, *columns)

    def methods(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """Every method, the floor first."""
        yield "floor", self.floor
        for name, as_served in (("", False), ("as_served_", True)):
            for engine in Engine:
                yield f"{name}{engine.value}", partial(self.run, engine, as_served=as_served)

    def run(self, engine: Engine, *, as_served: bool) -> None:
        """Join, and keep nothing."""
        done(self.join(engine, as_served=as_served))

    def measure(self) -> None:
        """All rounds."""
        for number in range(self.rounds + 1):
            for name, run in self.methods():
                with peak_of_children() as peak:
                    begun = perf_counter()
                    run()
                    took = perf_counter() - begun
                if number:  # the first round warms up
                    self.seconds.setdefault(name, []).append(took)
                    self.peaks[name] = max(self.peaks.get(name, 0), peak() >> 20)
                print(f"    {name:20} {took:6.2f} s", file=sys.stderr)

    def void(self) -> set[str]:
        """The methods whose rows differ from those of the first of their mode."""
        wrong = set()
        for name, as_served in (("", False), ("as_served_", True)):
            first, *others = ((engine, checksum(self.join(engine, as_served=as_served))) for engine in Engine)
            wrong |= {f"{name}{engine.value}" for engine, one in others if one != first[1]}
        return wrong

    def told(self) -> dict[str, object]:
        """Figures of the case."""
        wrong, floor = self.void(), statistics.median(self.seconds["floor"])
        found: dict[str, object] = {"floor_s": round(floor, 2), "floor_mb": self.peaks["floor"]}
        for name, times in self.seconds.items():
            if name == "floor":
                continue
            middle = statistics.median(times)
            figures = {"s": round(middle, 2), "ratio": round(middle / floor, 3), "mb": self.peaks[name]}
            found[name] = {"void": "its rows differ"} if name in wrong else figures
        return found


def done(rows: DataFrame) -> None:
    """Compute all rows, keep none."""
    rows.write.format("noop").mode("overwrite").save()


def checksum(rows: DataFrame) -> tuple[object, ...]:
    """The number of rows, and a sum over the hashes of all."""
    hashed = F.xxhash64(F.to_json(F.struct("*"), {"ignoreNullFields": "false"}))
    return tuple(rows.agg(F.count("*"), F.sum(hashed.cast("decimal(38,0)"))).first() or ())


@dataclass(frozen=True)
class Drawn:
    """Where tables of the bench are made.

    Attributes:
        session: Spark.
        folder: For the tables.
        entities: How many.
        days: Over how many days; each day's rows are one generation, published at the day's end.
    """

    session: SparkSession
    folder: Path
    entities: int
    days: int

    def chances(self, salt: int, count: int) -> list[Column]:
        """Independent numbers below 2**50 of each row."""
        return [F.pmod(F.xxhash64(F.col("id"), F.lit(salt * 100 + place)), F.lit(2**50)) for place in range(count)]

    def user(self, chance: Column, hot: Column, share: float) -> Column:
        """An entity; with that chance always the same one."""
        return F.when(hot < F.lit(int(share * 2**50)), F.lit(0)).otherwise(F.pmod(chance, F.lit(self.entities)))

    def view(self, name: str, rows: int, *, salt: int, hot: float = 0.0) -> ViewValues:
        """Value tables of a view: history, and as many served rows."""
        chance = self.chances(salt, 5)
        at_us = F.lit(BEGIN_US) + F.pmod(chance[1], F.lit(self.days * DAY_US))
        day = ((at_us - F.lit(BEGIN_US)) / DAY_US).cast("long")
        history = self.session.range(0, rows, numPartitions=8).select(
            self.user(chance[0], chance[4], hot).alias("user_id"),
            F.timestamp_micros(at_us).alias("event_timestamp"),
            (chance[2] / 1000.0).alias("amount"),
            (chance[3] / 7.0).alias("share"),
            F.when(chance[2] % 10 > 0, chance[3] / 3.0).alias("score"),
            F.pmod(chance[2], F.lit(50)).alias("visits"),
            F.concat(F.lit("kind "), F.pmod(chance[3], F.lit(30)).cast("string")).alias("kind"),
            (F.lit(BEGIN_US) + (day + 1) * DAY_US).alias("_gen"),
        )
        made = history.sortWithinPartitions("_gen").withColumn("_flag", F.lit(""))
        made.write.format("delta").save(str(self.folder / name / "history"))
        told = self.session.read.format("delta").load(str(self.folder / name / "history"))
        told.withColumnRenamed("_flag", "_state").write.format("delta").save(str(self.folder / name / "served"))
        numbers = [BEGIN_US + (day + 1) * DAY_US for day in range(self.days)]
        steps = tuple(Step(number, at + 1, Pointer("t", number, number)) for at, number in enumerate(numbers))
        view = RowView(
            name=name,
            entity=Entity("user", {"user_id": Int64}),
            source=SOURCE,
            transform=lambda events: events,
            features=tuple(Feature(*one) for one in FEATURES.items()),
        )
        read = self.session.read.format("delta")
        return ViewValues(
            view=view,
            history=read.load(str(self.folder / name / "history")),
            served=read.load(str(self.folder / name / "served")),
            published=frozenset(numbers),
            steps=steps,
            newest=steps[-1],
            revisions=tuple((step.from_us, step.revision) for step in steps),
        )

    def labels(self, name: str, rows: int, *, salt: int, hot: float = 0.0) -> DataFrame:
        """Labels, all of them after the first publish."""
        chance = self.chances(salt, 4)
        at_us = F.lit(BEGIN_US + 2 * DAY_US) + F.pmod(chance[1], F.lit((self.days - 2) * DAY_US))
        drawn = self.session.range(0, rows, numPartitions=4).select(
            self.user(chance[0], chance[3], hot).alias("user_id"),
            F.timestamp_micros(at_us).alias("timestamp"),
            (chance[2] % 2).cast("int").alias("label"),
        )
        drawn.write.format("delta").save(str(self.folder / name))
        return self.session.read.format("delta").load(str(self.folder / name))


def cases(drawn: Drawn, options: argparse.Namespace) -> Iterator[tuple[str, Case]]:
    """The cases, made when their turn comes."""
    rows, labels, rounds = options.rows, options.labels, options.rounds
    spine = drawn.labels("labels", labels, salt=1)
    one = drawn.view("one", rows, salt=2)
    if "one_table" in options.cases:
        yield "one_table", Case([one], spine, rounds)
    if "pruned" in options.cases:
        few = spine.filter("user_id < 100").limit(max(labels // 1000, 1)).localCheckpoint()
        yield "pruned", Case([one], few, rounds)
    if "skew" in options.cases:
        hot = drawn.view("hot", rows, salt=3, hot=0.08)
        yield "skew", Case([hot], drawn.labels("hot_labels", labels, salt=4, hot=0.08), rounds)
    if "five_tables" in options.cases:
        views = [drawn.view(f"table_{number}", rows // 5, salt=10 + number) for number in range(5)]
        yield "five_tables", Case(views, spine, rounds)


def session_of(memory: str) -> SparkSession:
    """Spark as the product opens it."""
    environ = {
        "SKEWLESS__ONLINE__KIND": "none",
        "SKEWLESS__SPARK__DRIVER_MEMORY": memory,
        "SKEWLESS__SPARK__JAVA_OPTIONS": f"-Xms{memory} -XX:+AlwaysPreTouch -XX:+UseParallelGC",
    }
    settings = load_settings(HOME / "conf", "ci", environ)
    prepare_process(settings)
    return Workshop.open(settings).session


def main() -> None:
    """Measure, and print the figures."""
    names = ("one_table", "pruned", "skew", "five_tables")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000, help="value rows of a case (default: 10 million)")
    parser.add_argument("--labels", type=int, default=1_000_000, help="default: 1 million")
    parser.add_argument("--entities", type=int, default=100_000, help="default: 100 thousand")
    parser.add_argument("--days", type=int, default=100, help="generations and revisions, one a day (default: 100)")
    parser.add_argument("--rounds", type=int, default=3, help="measured after one that warms up (default: 3)")
    parser.add_argument(
        "--cases", nargs="*", default=names, choices=names, metavar="CASE", help=f"of {', '.join(names)}"
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows and labels")
    parser.add_argument("--memory", default="6g", help="of Spark (default: 6g)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    if options.quick:
        options.rows, options.labels = options.rows // 10, options.labels // 10
    found: dict[str, Mapping[str, object]] = {}
    with tempfile.TemporaryDirectory() as made:
        session = session_of(options.memory)
        drawn = Drawn(session, Path(made), options.entities, options.days)
        for name, case in cases(drawn, options):
            print(name, file=sys.stderr)
            case.measure()
            found[name] = case.told()
            print(json.dumps(found[name], indent=1), file=sys.stderr)
        session.stop()
    if options.json:
        print(json.dumps({"rows": options.rows, "labels": options.labels, "cases": found}, indent=2))


if __name__ == "__main__":
    main()
