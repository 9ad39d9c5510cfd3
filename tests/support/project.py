"""A small project of its own: real Delta tables, a keyspace of its own on the real node."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any

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
    Sum,
    Timestamp,
    WindowView,
    days,
    gxe,
)
from skewless.config import load_settings
from skewless.flows.workshop import Workshop
from skewless.node import Endpoint
from skewless.online.connection import session_for

ROOT = Path(__file__).resolve().parents[2]
USER = Entity("user", keys={"user_id": Int64})
ORDERS = DeltaSource(
    "orders",
    path="raw/orders",
    event_timestamp="ordered_at",
    schema={"order_id": Int64, "user_id": Int64, "ordered_at": Timestamp, "amount": Float64},
    tie_break=("order_id",),
)
LAST_ORDER = RowView(
    name="last_order",
    entity=USER,
    source=ORDERS,
    transform=lambda rows: rows.select("user_id", "event_timestamp", "order_id", "amount"),
    features=(Feature("order_id", Int64), Feature("amount", Float64)),
)
SPEND = WindowView(
    name="spend",
    entity=USER,
    source=ORDERS,
    events=lambda rows: rows.select("user_id", "event_timestamp", "amount"),
    aggregates={"spend_7d": Sum("amount", over=days(7))},
    ttl=days(3),
    quality=(gxe.ExpectColumnValuesToBeBetween(column="spend_7d", min_value=0),),
)
SERVICE = FeatureService("scoring", features=[LAST_ORDER, SPEND])
DEFINITIONS = Definitions(views=[LAST_ORDER, SPEND], services=[SERVICE])


def at(text: str) -> datetime:
    """`2024-03-01T06:00` as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


@dataclass
class Project:
    """A feature store over two views of one source of orders."""

    store: FeatureStore
    folder: Path

    @property
    def shop(self) -> Workshop:
        return self.store.workshop

    def land(self, *orders: tuple[int, int | None, str, float], mode: str = "append") -> None:
        """Land orders (order, user, time, amount)."""
        file = self.folder / f"{uuid.uuid4().hex}.json"
        names = ("order_id", "user_id", "ordered_at", "amount")
        lines = [json.dumps(dict(zip(names, (one[0], one[1], f"{one[2]}:00Z", one[3]), strict=True))) for one in orders]
        file.write_text("\n".join(lines))
        self.store.land("orders", file, mode=mode, keys=() if mode == "append" else ("order_id",))

    def online(self, user: int, *, service: str = "scoring") -> Any:
        from skewless.flows.online_reading import open_client

        with open_client(self.shop) as client:
            return client.get(service, {"user_id": user}, deadline_ms=5_000)

    def drop(self) -> None:
        """Take its keyspace out of the store, and close it."""
        link = self.shop.online
        if link is not None:
            session_for(link.target).execute(f'DROP KEYSPACE IF EXISTS "{link.target.keyspace}"', timeout=30)
        self.store.close()

    def offline(self, user: int, moment: datetime) -> Any:
        return self.store.get_features("scoring", {"user_id": user}, at=moment)


@contextmanager
def small_project(spark: Any, endpoint: Endpoint, folder: Path) -> Iterator[Project]:
    """A new project, dropped at the end."""
    project = open_project(spark, endpoint, folder, f"flows_{uuid.uuid4().hex[:8]}")
    yield project
    project.drop()


def open_project(
    spark: Any,
    endpoint: Endpoint,
    folder: Path,
    keyspace: str,
    *,
    definitions: Definitions = DEFINITIONS,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Project:
    """The project of a folder and keyspace, as another process would open it."""
    online = {"KIND": "cassandra", "PORT": str(endpoint.port), "KEYSPACE": keyspace}
    given = {**{f"SKEWLESS__ONLINE__{name}": value for name, value in online.items()}, **variables}
    return _opened(spark, folder, definitions, given)


def offline_project(spark: Any, folder: Path, *, definitions: Definitions = DEFINITIONS) -> Project:
    """The project of a folder, without an online store."""
    return _opened(spark, folder, definitions, {"SKEWLESS__ONLINE__KIND": "none"})


def _opened(spark: Any, folder: Path, definitions: Definitions, variables: Mapping[str, str]) -> Project:
    environ = {"SKEWLESS__PROJECT__STATE": str(folder / "state"), **variables}
    shop = Workshop.open(load_settings(ROOT / "conf", "ci", environ))
    # what a checkout takes from feature_defs and spark-submit, this one is given
    shop.__dict__["definitions"] = definitions
    shop.__dict__["session"] = spark
    return Project(FeatureStore(shop), folder)
