"""Feast's own Cassandra store over the same values on the same node; runs in an environment of its own.

A line in, a line of JSON out: `write ROWS`, `get KEYS CALLS`. The product is not imported here.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

FEATURES = [f"f{number:02}" for number in range(20)]
_YAML = """\
project: bench
registry: {folder}/registry.db
provider: local
entity_key_serialization_version: 3
offline_store:
  type: file
online_store:
  type: cassandra
  hosts: [{host}]
  port: {port}
  keyspace: feast_bench
  protocol_version: 4
  load_balancing:
    local_dc: datacenter1
    load_balancing_policy: TokenAwarePolicy(DCAwareRoundRobinPolicy)
  read_concurrency: 100
  write_concurrency: 100
"""


def value_of(key: int, place: int) -> float:
    """What a feature of an entity is."""
    return key * 1_000.0 + place


class Feast:
    """A feature store of one view of twenty doubles."""

    def __init__(self, job: dict[str, Any]) -> None:
        import pandas as pd  # noqa: PLC0415 - of the peer's environment
        from feast import Entity, FeatureStore, FeatureView, Field, FileSource  # noqa: PLC0415 - as above
        from feast.types import Float64  # noqa: PLC0415 - as above
        from feast.value_type import ValueType  # noqa: PLC0415 - as above

        folder = Path(job["folder"])
        (folder / "feature_store.yaml").write_text(_YAML.format(**job), encoding="utf-8")
        self.store, self.pandas, self.entities = FeatureStore(repo_path=str(folder)), pd, 0
        user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
        self.frame(1).to_parquet(folder / "rows.parquet")
        source = FileSource(name="rows", path=str(folder / "rows.parquet"), timestamp_field="event_timestamp")
        view = FeatureView(
            name="wide",
            entities=[user],
            ttl=timedelta(days=100_000),
            schema=[Field(name=name, dtype=Float64) for name in FEATURES],
            source=source,
        )
        self.store.apply([user, view])
        self.features = [f"wide:{name}" for name in FEATURES]

    def frame(self, rows: int) -> Any:
        """So many entities."""
        keys = range(rows)
        event_time = datetime(2024, 1, 1, tzinfo=timezone.utc)
        columns = {name: [value_of(key, place) for key in keys] for place, name in enumerate(FEATURES)}
        return self.pandas.DataFrame({"user_id": list(keys), "event_timestamp": event_time, **columns})

    def write(self, rows: int) -> dict[str, Any]:
        """Write entities as its materialization does, once their values are computed."""
        frame = self.frame(rows)
        begun = perf_counter()
        self.store.write_to_online_store("wide", frame)
        seconds = perf_counter() - begun
        self.entities = max(self.entities, rows)
        return {"rows_per_second": rows / seconds}

    def get(self, size: int, calls: int) -> dict[str, Any]:
        """Read vectors, and look at the first answer's values."""
        rng, seconds, first = Random(calls), [], None
        for _ in range(calls):
            keys = rng.sample(range(self.entities), size)
            rows = [{"user_id": key} for key in keys]
            begun = perf_counter()
            told = self.store.get_online_features(features=self.features, entity_rows=rows)
            seconds.append(perf_counter() - begun)
            first = first or (keys, told.to_dict())
        if first is not None:
            keys, values = first
            wanted = {name: [value_of(key, place) for key in keys] for place, name in enumerate(FEATURES)}
            if any(values[name] != wanted[name] for name in FEATURES):
                return {"void": "its values are not those that were written"}
        return {"seconds": seconds}


def main() -> None:
    """Do what the lines say."""
    # what the store prints goes elsewhere: standard output is for answers alone
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    feast = Feast(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    for line in sys.stdin:
        command, *numbers = line.split()
        told = getattr(feast, command)(*map(int, numbers))
        print(json.dumps(told), file=answers)


if __name__ == "__main__":
    main()
