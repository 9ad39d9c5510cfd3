"""Disaster recovery, timed: a node lost all its rows, and `push --full` refills it from Delta.

One view of 20 doubles, published three times: all entities, then twice 5 % of them. The keyspace is dropped, the store
refilled, and a client reads entities of either kind. Figures are wall-clock seconds of the public calls, in one
session of Spark; client, Spark and node share the machine:

  publish_seconds   the first run: materialize, validate, push, verify, publish
  refill_seconds    `push --full`: every row that the retained revisions can see, sent and read back, and the timeline
  refill_rows_per_second
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from time import perf_counter

from measuring import machine
from online_bench.lab import FEATURES, serving_node
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from skewless import (
    Definitions,
    DeltaSource,
    Entity,
    Feature,
    FeatureService,
    FeatureStore,
    Float64,
    Int64,
    RowView,
    Timestamp,
)
from skewless.config import Settings, load_settings, prepare_process
from skewless.core.vector import Status
from skewless.flows.workshop import Workshop
from skewless.node import Endpoint
from skewless.online import OnlineClient, OnlineTarget
from skewless.online.connection import session_for

HOME = Path(__file__).resolve().parents[1]
BEGIN = datetime(2024, 1, 1, tzinfo=timezone.utc)
KEYSPACE, SERVICE = "skewless_refill", "vectors"
#: Of the entities, those that change later.
SHARE = 20

EVENTS = DeltaSource(
    "events",
    path="raw/events",
    event_timestamp="at",
    schema={"user_id": Int64, "at": Timestamp, **dict.fromkeys(FEATURES, Float64)},
)
VIEW = RowView(
    name="numbers",
    entity=Entity("user", {"user_id": Int64}),
    source=EVENTS,
    transform=lambda rows: rows.select("user_id", "event_timestamp", *FEATURES),
    features=tuple(Feature(name, Float64) for name in FEATURES),
)


def drawn(shop: Workshop, *, entities: int, day: int) -> DataFrame:
    """Events of one day: of all entities on the first, of a share of them on the others."""
    step = 1 if day == 0 else SHARE
    user = F.col("id")
    at = F.lit(BEGIN + timedelta(days=day)).cast("timestamp")
    values = [(user * 1_000 + place + F.lit(day) / 8).alias(name) for place, name in enumerate(FEATURES)]
    return shop.session.range(0, entities, step, numPartitions=4).select(user.alias("user_id"), at.alias("at"), *values)


def published(store: FeatureStore, *, entities: int, day: int) -> float:
    """Seconds of a run after a day's events."""
    rows = drawn(store.workshop, entities=entities, day=day)
    rows.write.format("delta").mode("append").option("delta.enableChangeDataFeed", "true").save(
        store.workshop.source_path(EVENTS)
    )
    begun = perf_counter()
    store.run(now=BEGIN + timedelta(days=day, hours=1))
    return perf_counter() - begun


def check(endpoint: Endpoint, project: str, *, entities: int) -> None:
    """Raise AssertionError unless a client reads what was published, of either kind of entity."""
    with OnlineClient.connect(
        [endpoint.host], project=project, port=endpoint.port, keyspace=KEYSPACE, deadline_ms=5_000.0
    ) as client:
        for user in (0, 1, SHARE, entities - 1):
            day = 2 if user % SHARE == 0 else 0
            vector = client.get(SERVICE, {"user_id": user})
            wanted = [user * 1_000 + place + day / 8 for place in range(len(FEATURES))]
            if set(vector.status.values()) != {Status.PRESENT} or list(vector.values.values()) != wanted:
                raise AssertionError((user, vector))


def settings_of(folder: Path, endpoint: Endpoint, options: argparse.Namespace) -> Settings:
    """A project of its own on the node."""
    return load_settings(
        HOME / "conf",
        "ci",
        {
            "SKEWLESS__PROJECT__STATE": str(folder / "state"),
            "SKEWLESS__ONLINE__KIND": "cassandra",
            "SKEWLESS__ONLINE__CONTACT_POINTS": endpoint.host,
            "SKEWLESS__ONLINE__PORT": str(endpoint.port),
            "SKEWLESS__ONLINE__KEYSPACE": KEYSPACE,
            "SKEWLESS__SPARK__DRIVER_MEMORY": options.memory,
            "SKEWLESS__SPARK__JAVA_OPTIONS": "-XX:+UseParallelGC",
            "SKEWLESS__QUALITY__MAX_ENTITY_COUNT_CHANGE": "1",
        },
    )


def measured(folder: Path, endpoint: Endpoint, options: argparse.Namespace) -> dict[str, float]:
    """Publish, lose everything, refill."""
    settings = settings_of(folder, endpoint, options)
    prepare_process(settings)
    shop = Workshop.open(settings)
    shop.__dict__["definitions"] = Definitions(views=[VIEW], services=[FeatureService(SERVICE, features=[VIEW])])
    store = FeatureStore(shop)
    store.move_clock(BEGIN)
    store.apply()
    seconds = []
    for day in range(3):
        seconds.append(published(store, entities=options.entities, day=day))
        print(f"day {day}: published in {seconds[-1]:.1f} s", file=sys.stderr)
    check(endpoint, settings.project, entities=options.entities)
    session = session_for(OnlineTarget((endpoint.host,), endpoint.port, KEYSPACE))
    session.execute(f'DROP KEYSPACE "{KEYSPACE}"', timeout=60)
    told = store.refill()
    rows = sum(told.rows.values())
    check(endpoint, settings.project, entities=options.entities)
    store.close()
    return {
        "publish_seconds": round(seconds[0], 1),
        "refill_seconds": round(told.seconds, 1),
        "refill_rows": rows,
        "refill_rows_per_second": round(rows / told.seconds),
    }


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entities", type=int, default=500_000, help="default: 500 thousand")
    parser.add_argument("--memory", default="4g", help="of Spark (default: 4g)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    installed = load_settings(HOME / "conf", "ci")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as made:
        folder = Path(made)
        with serving_node(installed, folder / "node") as endpoint:
            told = {**measured(folder, endpoint, options), **machine(["pyspark", "cassandra-driver"])}
    if options.json:
        print(json.dumps(told, indent=2))
    else:
        print("\n".join(f"{name:24} {value}" for name, value in told.items() if isinstance(value, int | float)))


if __name__ == "__main__":
    main()
