"""Another store's point-in-time join, in its own environment: told what to do line by line.

Run as `python peer.py NAME JOB.json` by the Python of that environment; nothing of this project is imported. Each line
of standard input is a command, each answer one line of JSON: `run` joins once and tells the seconds, reading the files
included; `keep FOLDER` writes the joined rows as Parquet.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

Job = dict[str, Any]


class Peer(Protocol):
    """A store that can join."""

    def run(self) -> None:
        """Join, and have every value of every row."""

    def keep(self, folder: Path) -> None:
        """Join, and write the rows as Parquet files."""


class Feast:
    """Feast's Spark offline store, as its users call it."""

    def __init__(self, job: Job) -> None:
        from feast import Entity, FeatureStore, FeatureView, Field, RepoConfig, ValueType  # noqa: PLC0415 - one is there
        from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import (  # noqa: PLC0415 - as above
            SparkSource,
        )
        from feast.types import Float64, Int64, String  # noqa: PLC0415 - as above

        types = {"float64": Float64, "int64": Int64, "string": String}
        state = Path(job["folder"])
        self.store = FeatureStore(
            config=RepoConfig(
                project="bench",
                provider="local",
                registry=str(state / "registry.db"),
                online_store={"type": "sqlite", "path": str(state / "online.db")},
                offline_store={"type": "spark", "spark_conf": job["conf"]},
                entity_key_serialization_version=3,
            )
        )
        user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
        views = [
            FeatureView(
                name=one["name"],
                entities=[user],
                ttl=timedelta(0),  # its way to say: never too old
                schema=[
                    Field(name="user_id", dtype=Int64),
                    *(Field(name=name, dtype=types[kind]) for name, kind in one["features"].items()),
                ],
                source=SparkSource(
                    name=f"{one['name']}_source",
                    query=f"SELECT * FROM delta.`{one['table']}`",  # noqa: S608 - the bench's own folder
                    timestamp_field="event_timestamp",
                ),
                online=False,
            )
            for one in job["views"]
        ]
        self.store.apply([user, *views])
        self.labels = (
            "SELECT user_id, timestamp AS event_timestamp, label "  # noqa: S608 - the bench's own folder
            f"FROM delta.`{job['labels']['table']}`"
        )
        self.features = [f"{one['name']}:{name}" for one in job["views"] for name in one["features"]]

    def rows(self) -> Any:
        """Its answer, as a Spark frame."""
        told = self.store.get_historical_features(
            entity_df=self.labels, features=self.features, full_feature_names=True
        )
        return told.to_spark_df()

    def run(self) -> None:
        """Join, and have every value of every row."""
        self.rows().write.format("noop").mode("overwrite").save()

    def keep(self, folder: Path) -> None:
        """Join, and write the rows as Parquet files."""
        self.rows().withColumnRenamed("event_timestamp", "timestamp").write.parquet(str(folder))


class Polars:
    """Polars' as-of join over the same files."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def rows(self) -> Any:
        """The joined rows."""
        import polars as pl  # noqa: PLC0415 - only one of the stores is there

        time = "timestamp"
        told = pl.scan_parquet(self.job["labels"]["files"]).sort(time)
        for view in self.job["views"]:
            names = {name: f"{view['name']}__{name}" for name in view["features"]}
            columns = [pl.col(name).alias(told_as) for name, told_as in names.items()]
            values = pl.scan_parquet(view["files"]).select("user_id", "event_timestamp", *columns)
            told = told.join_asof(
                values.sort("event_timestamp"),
                left_on=time,
                right_on="event_timestamp",
                by="user_id",
                strategy="backward",
                check_sortedness=False,  # both are sorted above
            ).drop("event_timestamp", strict=False)
        return told.collect()

    def run(self) -> None:
        """Join, and have every value of every row."""
        self.rows()

    def keep(self, folder: Path) -> None:
        """Join, and write the rows as Parquet files."""
        import polars as pl  # noqa: PLC0415 - only one of the stores is there

        folder.mkdir()
        # Spark's files say nanoseconds of no zone, which Spark itself does not read from others
        in_utc = pl.col("timestamp").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        self.rows().with_columns(in_utc).write_parquet(folder / "rows.parquet")


class DuckDB:
    """DuckDB's ASOF join over the same files."""

    def __init__(self, job: Job) -> None:
        import duckdb  # noqa: PLC0415 - only one of the stores is there

        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.execute(f"SET memory_limit = '{job['memory'].upper()}B'")
        self.connection.execute(f"SET temp_directory = '{job['folder']}/spilled'")
        names = [f"v{place}" for place in range(len(job["views"]))]
        columns = ", ".join(
            f"{short}.{name} AS {view['name']}__{name}"
            for short, view in zip(names, job["views"], strict=True)
            for name in view["features"]
        )
        joins = " ".join(
            f"ASOF LEFT JOIN read_parquet({view['files']}) {short} "
            f"ON l.user_id = {short}.user_id AND l.timestamp >= {short}.event_timestamp"
            for short, view in zip(names, job["views"], strict=True)
        )
        labels = f"read_parquet({job['labels']['files']}) l"
        self.query = f"SELECT l.*, {columns} FROM {labels} {joins}"  # noqa: S608 - the bench's own files

    def run(self) -> None:
        """Join, and have every value of every row."""
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE kept AS {self.query}")

    def keep(self, folder: Path) -> None:
        """Join, and write the rows as Parquet files."""
        folder.mkdir()
        in_utc = "timestamp::TIMESTAMP AT TIME ZONE 'UTC' AS timestamp"
        query = f"SELECT * REPLACE ({in_utc}) FROM ({self.query})"  # noqa: S608 - the bench's own files
        self.connection.execute(f"COPY ({query}) TO '{folder}/rows.parquet' (FORMAT parquet)")


PEERS: dict[str, Callable[[Job], Peer]] = {"feast": Feast, "polars": Polars, "duckdb": DuckDB}


def main() -> None:
    """Do what the lines say."""
    # what the stores print goes elsewhere: standard output is for answers alone
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    peer = PEERS[sys.argv[1]](json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))
    for line in sys.stdin:
        command, _, rest = line.strip().partition(" ")
        begun = perf_counter()
        if command == "run":
            peer.run()
        else:
            peer.keep(Path(rest))
        print(json.dumps({"s": perf_counter() - begun}), file=answers)


if __name__ == "__main__":
    main()
