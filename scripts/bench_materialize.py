"""Materialization measured against a floor: reading, shuffling and sorting the same rows, and writing the result.

One run, one machine, one Spark session, warmed up on a few thousand rows; nothing is shared with other work. Figures
are wall-clock seconds of the public stage `materialize`, from the look at the sources to the recorded generation, and
their ratios:

  window_full_ratio      every tick of every entity from nothing, over the floor            goal 1.5
  window_tick_share      the next day's tick, over the full evaluation                      goal 0.30
  late_share             1 % late rows of the last 20 days, over the full evaluation        goal 0.40
  row_incremental_share  1 % more rows of a RowView, over its full evaluation               goal 0.05
  nothing_seconds        no source changed                                                  goal 3
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from time import perf_counter

from delta.tables import DeltaTable
from measuring import peak_of_children
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from skewless import (
    Count,
    Definitions,
    DeltaSource,
    Entity,
    Feature,
    FeatureStore,
    Float64,
    Int64,
    Max,
    Mean,
    Min,
    RowView,
    Sum,
    Timestamp,
    WindowView,
    days,
)
from skewless.config import load_settings, prepare_process
from skewless.errors import NothingToDo
from skewless.flows.workshop import Workshop

HOME = Path(__file__).resolve().parents[1]
BEGIN = datetime(2024, 1, 1, tzinfo=timezone.utc)
HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000
SCHEMA = {"number": Int64, "user_id": Int64, "at": Timestamp, "units": Int64, "price": Float64}
USER = Entity("user", {"user_id": Int64})


def source(name: str) -> DeltaSource:
    """Events of one kind of view: what one changes, the other need not read."""
    return DeltaSource(name, path=f"raw/{name}", event_timestamp="at", schema=SCHEMA, tie_break=("number",))


def window_view(name: str, events: str, first_tick: datetime) -> WindowView:
    """Five aggregates over 7 and 30 days."""
    aggregates = {}
    for over in (7, 30):
        aggregates[f"events_{over}d"] = Count(over=days(over))
        aggregates[f"units_{over}d"] = Sum("units", over=days(over), dtype=Int64)
        aggregates[f"least_{over}d"] = Min("units", over=days(over), dtype=Int64)
        aggregates[f"most_{over}d"] = Max("units", over=days(over), dtype=Int64)
        aggregates[f"price_{over}d"] = Mean("price", over=days(over))
    return WindowView(
        name=name,
        entity=USER,
        source=source(events),
        events=lambda rows: rows.select("user_id", "event_timestamp", "units", "price"),
        aggregates=aggregates,
        start=first_tick,
    )


ROW_VIEW = RowView(
    name="last_event",
    entity=USER,
    source=source("row_events"),
    transform=lambda rows: rows.select("user_id", "event_timestamp", "number", "units", "price"),
    features=(Feature("number", Int64), Feature("units", Int64), Feature("price", Float64)),
)


@dataclass
class Bench:
    """The measured project.

    Attributes:
        store: A feature store of its own, without an online store.
        events: How many there are at first.
        entities: Of how many entities.
        days: Over how many days.
        figures: Name → what was measured.
    """

    store: FeatureStore
    events: int
    entities: int
    days: int
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def shop(self) -> Workshop:
        """What the store works in."""
        return self.store.workshop

    def drawn(self, rows: int, *, begin: float, end: float, salt: int) -> DataFrame:
        """Events of `[begin, end)` days, in the order in which they came: within the hour, as logs do."""
        number = F.col("id")
        chance = [F.pmod(F.xxhash64(number, F.lit(salt + place)), F.lit(2**50)) for place in range(4)]
        span_us = int((end - begin) * DAY_US)
        came_us = number * F.lit(span_us // rows) - F.pmod(chance[1], F.lit(HOUR_US))
        first_us = int(BEGIN.timestamp()) * 1_000_000 + int(begin * DAY_US)
        return self.shop.session.range(0, rows, numPartitions=8).select(
            (number + salt * 10**9).alias("number"),
            F.pmod(chance[0], F.lit(self.entities)).alias("user_id"),
            F.timestamp_micros(F.lit(first_us) + F.greatest(F.lit(0), came_us)).alias("at"),
            F.pmod(chance[2], F.lit(100)).alias("units"),
            (F.pmod(chance[3], F.lit(100_000)) / 100).alias("price"),
        )

    def append(self, name: str, rows: DataFrame) -> None:
        """Bring rows into a source."""
        options = {"delta.enableChangeDataFeed": "true"}
        rows.write.format("delta").mode("append").options(**options).save(self.path(name))

    def path(self, name: str) -> str:
        """Where a source lies."""
        return self.shop.source_path(source(name))

    def materialize(self, view: str, day: float, key: str) -> None:
        """Measure one materialization, then publish it."""
        self.store.move_clock(BEGIN + timedelta(days=day))
        with self.timed(key):
            record = self.store.run_stage("materialize", view)
        print(f"    {dict(record.views[0].counts)}", file=sys.stderr)
        for stage in ("validate", "push", "publish"):
            self.store.run_stage(stage, view)

    @contextmanager
    def timed(self, key: str) -> Iterator[None]:
        """Measure seconds and peak memory of a block."""
        with peak_of_children() as peak:
            begun = perf_counter()
            yield
            self.figures[f"{key}_seconds"] = round(perf_counter() - begun, 2)
        self.figures[f"{key}_peak_mb"] = round(peak() / 2**20)
        seconds, memory = self.figures[f"{key}_seconds"], self.figures[f"{key}_peak_mb"]
        print(f"{key}: {seconds:.2f} s, {memory:,.0f} MB at most", file=sys.stderr)


def floor(bench: Bench, key: str, result: DataFrame, events: DataFrame, folder: Path) -> None:
    """What nobody can go below: the rows read, brought together by key and sorted; as many results written."""
    with bench.timed(key):
        by_key = events.repartition("user_id").sortWithinPartitions("user_id", "at")
        by_key.write.format("noop").mode("overwrite").save()
        result.write.format("delta").save(str(folder))


def warm_up(bench: Bench) -> None:
    """What a session does once in its life is nobody's ratio."""
    for day in (bench.days - 2, bench.days - 1):
        bench.append("warm_up_events", bench.drawn(5_000, begin=day - 40, end=day, salt=7))
        bench.materialize("warm_up", day, f"warm_up_{day}")


def measure_windows(bench: Bench, folder: Path) -> None:
    """Everything, a tick, late rows, nothing."""
    bench.append("window_events", bench.drawn(bench.events, begin=0, end=bench.days, salt=1))
    bench.materialize("activity", bench.days, "window_full")
    tables = bench.shop.tables(bench.shop.definitions.view("activity"))
    result = tables.read(tables.history).persist()
    result.count()
    needed = bench.shop.session.read.format("delta").load(bench.path("window_events"))
    floor(bench, "window_floor", result, needed.select("user_id", "at", "units", "price"), folder / "floor")
    result.unpersist(blocking=True)
    a_day = round(bench.events * 1.8 / bench.days)
    bench.append("window_events", bench.drawn(a_day, begin=bench.days, end=bench.days + 1, salt=2))
    bench.materialize("activity", bench.days + 1, "window_tick")
    late = bench.drawn(bench.events // 100, begin=bench.days - 20, end=bench.days, salt=3)
    bench.append("window_events", late)
    bench.materialize("activity", bench.days + 1.1, "late")
    with bench.timed("nothing"):
        try:
            bench.store.run_stage("materialize", "activity")
        except NothingToDo:
            return
    raise AssertionError("There was something to do.")


def measure_rows(bench: Bench) -> None:
    """Everything, then a hundredth more, then late rows and deletions; two days after the windows."""
    day = bench.days + 2
    bench.append("row_events", bench.drawn(bench.events, begin=0, end=bench.days, salt=4))
    bench.materialize("last_event", day, "row_full")
    newest = bench.drawn(bench.events // 100, begin=day, end=day + 0.5, salt=5)
    bench.append("row_events", newest)
    bench.materialize("last_event", day + 0.5, "row_newest")
    bench.append("row_events", bench.drawn(bench.events // 200, begin=0, end=bench.days, salt=6))
    table = DeltaTable.forPath(bench.shop.session, bench.path("row_events"))
    table.delete("number % 1000 = 7 and at >= '2024-02-20'")
    bench.materialize("last_event", day + 0.6, "row_late")


def ratios(figures: dict[str, float]) -> dict[str, float]:
    """The figures that have goals."""
    full, rows = figures["window_full_seconds"], figures["row_full_seconds"]
    return {
        "window_full_ratio": round(full / figures["window_floor_seconds"], 3),
        "window_tick_share": round(figures["window_tick_seconds"] / full, 3),
        "late_share": round(figures["late_seconds"] / full, 3),
        "row_incremental_share": round(figures["row_newest_seconds"] / rows, 3),
        "row_late_share": round(figures["row_late_seconds"] / rows, 3),
        "nothing_seconds": figures["nothing_seconds"],
    }


def opened(folder: Path, options: argparse.Namespace) -> Bench:
    """An empty project without an online store, whose gate refuses nothing."""
    environ = {
        "SKEWLESS__PROJECT__STATE": str(folder / "state"),
        "SKEWLESS__ONLINE__KIND": "none",
        "SKEWLESS__SPARK__DRIVER_MEMORY": options.memory,
        # all of the memory from the beginning: whoever is first would pay for it; and code that is compiled to be fast
        "SKEWLESS__SPARK__JAVA_OPTIONS": f"-Xms{options.memory} -XX:+AlwaysPreTouch -XX:+UseParallelGC",
        "SKEWLESS__QUALITY__MAX_ENTITY_COUNT_CHANGE": "1",
    }
    settings = load_settings(HOME / "conf", "ci", environ)
    prepare_process(settings)
    shop = Workshop.open(settings)
    first_tick = BEGIN + timedelta(days=max(1, options.days - 29))
    shop.__dict__["definitions"] = Definitions(
        views=[
            window_view("warm_up", "warm_up_events", first_tick),
            window_view("activity", "window_events", first_tick),
            ROW_VIEW,
        ]
    )
    return Bench(FeatureStore(shop), options.events, options.entities, options.days)


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000, help="of each source (default: 10 million)")
    parser.add_argument("--entities", type=int, default=200_000, help="default: 200 thousand")
    parser.add_argument("--days", type=int, default=60, help="over which they lie; 30 of them have ticks (default: 60)")
    parser.add_argument("--memory", default="6g", help="of Spark (default: 6g)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        bench = opened(folder, options)
        bench.store.move_clock(BEGIN + timedelta(days=options.days - 3))
        bench.store.apply()
        warm_up(bench)
        measure_windows(bench, folder)
        measure_rows(bench)
        bench.store.close()
    told = {**ratios(bench.figures), **bench.figures, "events": options.events, "entities": options.entities}
    print(json.dumps(told, indent=2) if options.json else "\n".join(f"{name:24} {told[name]}" for name in told))


if __name__ == "__main__":
    main()
