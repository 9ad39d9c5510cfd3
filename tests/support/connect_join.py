"""A join of a view and a spine of few rows, as any kind of session makes it; run by itself, through Spark Connect."""

from __future__ import annotations

import json
import sys
from typing import Any

from skewless.core.dtypes import Float64, Int64, Timestamp
from skewless.core.entity import Entity
from skewless.core.source import DeltaSource
from skewless.core.time import days
from skewless.core.timeline import Pointer, Step
from skewless.core.view import Feature, RowView
from skewless.spark.point_in_time.inputs import ViewValues
from skewless.spark.point_in_time.join import joined
from skewless.spark.point_in_time.using import using_of

#: 2017-10-02T00:00Z.
T0, DAY = 1_506_902_400_000_000, 86_400_000_000
VIEW = RowView(
    name="spend",
    entity=Entity("user", {"user_id": Int64}),
    source=DeltaSource("buys", path="raw/buys", event_timestamp="at", schema={"at": Timestamp}),
    transform=lambda rows: rows,
    features=(Feature("spend", Float64),),
    ttl=days(20),
)
# (user, event time, generation, state, spend); the second generation corrects user 1, the third deletes user 2
SAID = [(1, T0, 1, "", 1.5), (2, T0, 1, "", 2.5), (1, T0, 2, "", 1.75), (2, T0 + DAY, 3, "deleted", None)]
ASKED = [
    (user, T0 + days_later * DAY + shift)
    for user in (1, 2, 3, None)
    for days_later in (0, 1, 2, 3, 20)
    for shift in (-1, 0)
]


def answers(session: Any) -> list[list[Any]]:
    """Both modes' answers, sorted."""
    told = "user_id bigint, at_us bigint, _gen bigint, {state} string, spend double"
    tables = {
        state: session.createDataFrame(SAID, told.format(state=state)).selectExpr(
            "user_id", "timestamp_micros(at_us) event_timestamp", "_gen", state, "spend"
        )
        for state in ("_flag", "_state")
    }
    steps = tuple(Step(number, T0 + number * DAY, Pointer("t", number, 0)) for number in (1, 2, 3))
    values = ViewValues(
        view=VIEW,
        history=tables["_flag"],
        served=tables["_state"],
        published=frozenset({1, 2, 3}),
        steps=steps,
        newest=steps[-1],
        revisions=tuple((step.from_us, step.revision) for step in steps),
    )
    spine = session.createDataFrame(ASKED, "user_id bigint, at_us bigint").selectExpr(
        "user_id", "timestamp_micros(at_us) at"
    )
    found = []
    for as_served in (True, False):
        using = using_of(None, spine, [values], "at")
        rows = joined(spine, [values], time_column="at", as_served=as_served, using=using)
        facts = ("status", "event_us", "generation", "revision", "is_simulated", "values.spend")
        told_of = rows.selectExpr("user_id", "unix_micros(at)", *(f"spend.{fact}" for fact in facts)).collect()
        found += [[as_served, *row] for row in told_of]
    return sorted(found, key=repr)


def main() -> None:
    """Print the answers as JSON, by a server of its own."""
    from pyspark.sql import SparkSession

    session = SparkSession.builder.remote("local[1]").config("spark.sql.session.timeZone", "UTC").getOrCreate()
    json.dump(answers(session), sys.stdout)
    session.stop()


if __name__ == "__main__":
    main()
