"""A small view, and statements about it as frames; for the tests of history and served."""

from __future__ import annotations

from typing import Any

from pyspark.sql import SparkSession

from skewless.core.dtypes import Array, Float64, Int64, String, Timestamp
from skewless.core.entity import Entity
from skewless.core.source import DeltaSource
from skewless.core.view import Feature, RowView
from tests.support.frames import frame, moment

VIEW = RowView(
    name="spend",
    entity=Entity("user", {"user_id": Int64}),
    source=DeltaSource("buys", path="raw/buys", event_timestamp="at", schema={"at": Timestamp}),
    transform=lambda rows: rows,
    features=(Feature("spend", Float64), Feature("tags", Array(String))),
)
STATEMENTS = "user_id bigint, event_timestamp timestamp, spend double, tags array<string>, _flag string"
HISTORY = f"{STATEMENTS}, _gen bigint"
STATES = "user_id bigint, event_timestamp timestamp, spend double, tags array<string>, _state string"
T0 = 1_506_902_400_000_000
NAN = float("nan")


def said(spark: SparkSession, *rows: tuple[Any, ...], schema: str = STATEMENTS) -> Any:
    """Statements or states of (user, event µs, spend, tags, flag or state, …)."""
    return frame(spark, schema, [(user, moment(event_us), *rest) for user, event_us, *rest in rows])
