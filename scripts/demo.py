"""The whole main job on real purchases: land, define, materialize, validate, serve, train, prove.

A replay clock walks through 2017. The state stays in `.skewless/demo`, so that every command answers from it.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from time import perf_counter

import demo_data
from demo_story import Story

from skewless import FeatureStore
from skewless.config import Settings, load_settings
from skewless.core.run_record import RunRecord
from skewless.core.time import format_instant, from_us, to_us
from skewless.errors import NothingToDo, SkewlessError
from skewless.flows.online_reading import open_client
from skewless.flows.served_log import kept_log, replay
from skewless.node import CassandraNode
from skewless.online import OnlineClient

HOME = Path(__file__).resolve().parents[1]
CHURN, ASSORTMENT = "churn_v1", "assortment_v1"
ROW_KEYS = ("basket_id", "product_id")
PRODUCTS_SAMPLED = 10_000
SINGLE_READS, BATCH_READS, BATCH = 1_000, 100, 100


@dataclass
class Demo:
    """The demo while it runs.

    Attributes:
        store: The feature store.
        story: Prints what happens.
        households: Keep only the households of the first so many numbers; all when None.
        arrivals: Stop after so many arrivals.
        seconds: Stage → time that it took.
        runs: Records of the runs.
    """

    store: FeatureStore
    story: Story
    households: int | None
    arrivals: int
    seconds: dict[str, float] = field(default_factory=dict)
    runs: list[RunRecord] = field(default_factory=list)

    @property
    def state(self) -> Path:
        """Where everything lies."""
        return self.store.workshop.settings.state

    @contextmanager
    def stage(self, name: str, title: str) -> Iterator[None]:
        """Tell and time a stage; the times of equal names add up."""
        begun = perf_counter()
        with self.story.stage(title):
            yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + perf_counter() - begun, 2)


def main() -> int:
    """Run the demo, or say that there is nothing to do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--households", type=int, help="a small slice: only households numbered up to this")
    parser.add_argument("--arrivals", type=int, default=len(demo_data.ARRIVALS), help="stop after so many arrivals")
    parser.add_argument("--conf", type=Path, default=HOME / "conf", help="configuration folder")
    parser.add_argument("--env", default="demo", help="an environment with a replay clock")
    parser.add_argument("--verbose", action="store_true", help="tell every step")
    options = parser.parse_args()
    story = Story(verbose=options.verbose)
    try:
        settings = load_settings(options.conf, options.env)
        was_played = (settings.state / "summary.json").exists()
        if not was_played:
            start_over(settings, story)
        with FeatureStore.open(options.conf, env=options.env, say=story.detail) as store:
            demo = Demo(store, story, options.households, options.arrivals)
            if was_played:
                return again(demo)
            play(demo)
    except SkewlessError as error:
        print(f"skewless: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def play(demo: Demo) -> None:
    """Live through 2017."""
    begun = perf_counter()
    with ThreadPoolExecutor(1) as beside:
        spark = beside.submit(lambda: demo.store.session)
        node = beside.submit(lambda: demo.store.workshop.online)
        with demo.stage("prepare", "Cutting 1.47 M real purchases into what arrived week by week"):
            landing = demo.state / "landing"
            arrivals = demo_data.write_arrivals(landing, households=demo.households)[: demo.arrivals]
            dimensions = demo_data.write_dimensions(landing, households=demo.households)
            spine = demo_data.write_spine(landing, households=demo.households)
        with demo.stage("start", "Starting Spark, begun beside the cutting; a local Cassandra node follows"):
            spark.result()
        with demo.stage("land", "Landing demographics, products, coupons and nine months of purchases into Delta"):
            for name, file in dimensions.items():
                demo.store.land(name, file)
            land(demo, arrivals[0])
        node.result()
    with demo.stage("apply", "Applying the definitions: 4 views, 2 services"):
        demo.store.apply()
    with kept_log(demo.state / "served.jsonl") as log, open_client(demo.store.workshop, log=log) as client:
        live(demo, arrivals, client)
    summary = conclude(demo, spine, arrivals)
    summary["seconds"] = {**demo.seconds, "total": round(perf_counter() - begun, 2)}
    (demo.state / "summary.json").write_text(json.dumps(summary, indent=2, sort_keys=True) + "\n")
    demo.story.conclusion(summary)


def live(demo: Demo, arrivals: list[demo_data.Arrival], client: OnlineClient) -> None:
    """Backfill, weekly runs, reads between them, one rollback and its roll-forward."""
    run(demo, arrivals[0], "backfill", "Backfilling up to 2 October 2017 and publishing it")
    read(demo, client, arrivals[0].at, hours=(12, 72))
    for number, arrival in enumerate(arrivals[1:], start=1):
        with demo.stage("land_weekly", f"Landing what arrived by {arrival.at:%d %B}: {told(arrival.counts)}"):
            land(demo, arrival)
        run(demo, arrival, "weekly", f"Run of {arrival.at:%d %B %Y}: only what changed is computed and pushed")
        read(demo, client, arrival.at, hours=(12,))
        if number == 2:
            roll_back_and_forward(demo, client, arrival.at)


def land(demo: Demo, arrival: demo_data.Arrival) -> None:
    """Land an arrival: new rows, then corrected and deleted ones."""
    demo.store.land("transactions", arrival.new)
    if arrival.corrected is not None and arrival.deleted is not None:
        demo.store.land("transactions", arrival.corrected, mode="upsert", keys=ROW_KEYS)
        demo.store.land("transactions", arrival.deleted, mode="delete", keys=ROW_KEYS)


def run(demo: Demo, arrival: demo_data.Arrival, name: str, title: str) -> None:
    """Run all views at six o'clock of the arrival's day."""
    with demo.stage(name, title):
        record = demo.store.run(now=_at(arrival.at, hours=6))
    demo.runs.append(record)
    demo.story.run(record)


def roll_back_and_forward(demo: Demo, client: OnlineClient, day: datetime) -> None:
    """Take household_spend back to the revision before, and forward again six hours later."""
    head, before = demo.runs[-1].revision, demo.runs[-2].revision
    with demo.stage("rollback", "Rolling household_spend back, reading, and rolling it forward again"):
        demo.store.rollback("household_spend", to=before, now=_at(day, hours=33))
        read(demo, client, day, hours=(34,))
        demo.store.rollback("household_spend", to=head, now=_at(day, hours=39))
        read(demo, client, day, hours=(40,))


def read(demo: Demo, client: OnlineClient, day: datetime, *, hours: Iterable[int]) -> None:
    """Read some households online at virtual instants; every answer is logged with its time and revision."""
    chosen = random.Random(demo_data.SEED)
    limit = demo.households or 2_500
    for hour in hours:
        demo.store.workshop.clock.wait_until(to_us(_at(day, hours=hour)))
        keys = [{"household_id": chosen.randint(1, limit)} for _ in range(BATCH)]
        client.get_many(CHURN, keys, deadline_ms=5_000)


def conclude(demo: Demo, spine: Path, arrivals: list[demo_data.Arrival]) -> dict[str, object]:
    """Train, time reads, replay the log, certify, report; returns the summary."""
    workshop = demo.store.workshop
    with demo.stage("train", "Training set: every household each Monday, features as they were served"):
        kept = demo.state / "spine"
        demo.store.session.read.parquet(str(spine)).write.format("delta").mode("overwrite").save(str(kept))
        begun = perf_counter()
        training = demo.store.write_training_set(CHURN, str(kept), str(demo.state / "training"))
        training_seconds = round(perf_counter() - begun, 2)
    with demo.stage("leaks", "Counting what a join by event time alone would have leaked since October"):
        since = (
            demo.store.session.read.format("delta")
            .load(str(kept))
            .where(f"timestamp >= '{demo_data.BACKFILL:%Y-%m-%d}'")
        )
        leaked = demo.store.leaks(CHURN, since)
    with demo.stage("reads", f"Timing {SINGLE_READS:,} single reads and {BATCH_READS} batches of {BATCH}"):
        times = timed_reads(demo)
    with demo.stage("replay", "Replaying every logged online read against the offline store"):
        replayed = replay(workshop, workshop.definitions.service(CHURN), demo.state / "served.jsonl")
    with demo.stage("parity", "Comparing online with offline: every household, 10,000 products"):
        certificates = [
            demo.store.parity(CHURN)[0],
            demo.store.parity(ASSORTMENT, sample=PRODUCTS_SAMPLED)[0],
        ]
    with demo.stage("report", "Building the report"):
        front = demo.store.report()
    timeline = workshop.ledger.timeline()
    pushed = sum(view.pushed for record in demo.runs for view in record.views)
    push_seconds = sum(view.seconds.get("push", 0.0) for record in demo.runs for view in record.views)
    return {
        "source_rows": source_rows(demo),
        "arrivals": {f"{arrival.at:%Y-%m-%d}": arrival.counts for arrival in arrivals},
        "value_rows": value_rows(demo),
        "generations": len(workshop.ledger.generations()),
        "revisions": len(timeline.revisions),
        "training_rows": training.manifest.rows,
        "simulated_rows": {view: counts["simulated"] for view, counts in training.manifest.counts.items()},
        "training_counts": training.manifest.counts,
        "training": _shown(demo.state / "training"),
        "training_seconds": training_seconds,
        "spine": _shown(kept),
        "spine_rows": training.manifest.spine["rows"],
        "manifest": _shown(training.manifest_path),
        "leaks": leaked.to_json(),
        "push_rows": pushed,
        "push_rows_per_second": round(pushed / push_seconds) if push_seconds else None,
        **times,
        "served_reads": {"replayed": replayed.reads, "cells": replayed.cells, "differences": replayed.mismatches},
        "parity": {
            "sampled": sum(one.sampled for one in certificates),
            "mismatches": sum(one.mismatches for one in certificates),
            "certificate": _shown(Path(certificates[0].path)),
            "certificates": {one.service: _shown(Path(one.path)) for one in certificates},
        },
        "report": _shown(front),
        "clock": format_instant(from_us(workshop.clock.now_us())),
    }


def timed_reads(demo: Demo) -> dict[str, float]:
    """Time reads one by one, after a warm-up; milliseconds."""
    chosen = random.Random(demo_data.SEED + 1)
    limit = demo.households or 2_500

    def keys(count: int) -> list[dict[str, int]]:
        return [{"household_id": chosen.randint(1, limit)} for _ in range(count)]

    with open_client(demo.store.workshop) as client, client.snapshot() as pinned:
        for key in keys(200):
            pinned.get(CHURN, key, deadline_ms=1_000)
        singles = [_timed(lambda key=key: pinned.get(CHURN, key, deadline_ms=1_000)) for key in keys(SINGLE_READS)]
        some = [keys(BATCH) for _ in range(BATCH_READS)]
        batches = [_timed(lambda many=many: pinned.get_many(CHURN, many, deadline_ms=1_000)) for many in some]
    return {
        "online_p50_ms": round(statistics.median(singles), 3),
        "online_p99_ms": round(statistics.quantiles(singles, n=100)[98], 3),
        "online_batch_p50_ms": round(statistics.median(batches), 3),
        "online_batch_p99_ms": round(statistics.quantiles(batches, n=100)[98], 3),
    }


def again(demo: Demo) -> int:
    """A second run: show that nothing is pending, and the figures of the first."""
    with demo.story.stage("The demo was played already; looking whether anything is pending"):
        plan = demo.store.plan()
        if not plan.is_empty:
            print("The definitions changed since; `skewless plan` shows how.", file=sys.stderr)
            return 3
        try:
            demo.store.run()
        except NothingToDo as nothing:
            demo.story.detail(str(nothing))
    demo.story.conclusion(json.loads((demo.state / "summary.json").read_text()))
    demo.story.line("Nothing to do. To play it again: `make demo-reset demo`.")
    return 0


def start_over(settings: Settings, story: Story) -> None:
    """Remove what an interrupted demo left: its virtual past cannot be continued half-way."""
    if any(settings.state.glob("*")):
        story.line("An earlier demo did not end; beginning again.")
        CassandraNode.of(settings).stop()
        shutil.rmtree(settings.state)


def source_rows(demo: Demo) -> dict[str, int]:
    """Rows of each landed table."""
    workshop = demo.store.workshop
    return {
        source.name: demo.store.session.read.format("delta").load(workshop.source_path(source)).count()
        for source in workshop.definitions.sources
    }


def value_rows(demo: Demo) -> dict[str, int]:
    """Rows in each view's history."""
    workshop = demo.store.workshop
    tables = {view.name: workshop.tables(view) for view in workshop.definitions.views}
    return {name: each.read(each.history).count() for name, each in tables.items()}


def told(counts: dict[str, int]) -> str:
    """`25,321 rows (271 late), 100 corrected, 40 deleted`."""
    text = f"{counts['new']:,} rows ({counts['late']:,} late)"
    return text + "".join(f", {counts[kind]:,} {kind}" for kind in ("corrected", "deleted") if counts[kind])


def _at(day: datetime, *, hours: int) -> datetime:
    return day.replace(tzinfo=timezone.utc) + timedelta(hours=hours)


def _shown(path: Path) -> str:
    """A path as a reader of the checkout would type it."""
    return str(path.resolve().relative_to(HOME)) if path.resolve().is_relative_to(HOME) else str(path)


def _timed(call: object) -> float:
    begun = perf_counter()
    call()  # type: ignore[operator]
    return (perf_counter() - begun) * 1000


if __name__ == "__main__":
    sys.exit(main())
