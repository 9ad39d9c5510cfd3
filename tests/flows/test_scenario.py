"""The scenario that parts other stores' offline answers from their online ones: here no entity differs.

4,000 entities in ten groups of 400: rows that came late, were corrected at their own event time, came anew, were
deleted at the source, are older than the ttl, and five groups of which nothing changed. One full materialization and
an incremental one; then every entity is asked for now, online, offline and in plain Python.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from delta.tables import DeltaTable
from pyspark.sql import functions as F

from skewless import Definitions, FeatureService, days
from skewless.core.resolver import value_status
from skewless.core.time import to_us
from skewless.core.vector import Status
from skewless.flows.online_reading import open_client
from skewless.flows.point_in_time import pinned
from skewless.node import Endpoint
from tests.support.bits import bits
from tests.support.project import LAST_ORDER, ORDERS, SPEND, Project, at, open_project

pytestmark = [pytest.mark.release, pytest.mark.spark, pytest.mark.cassandra, pytest.mark.usefixtures("interpreted")]

GROUP, ENTITIES = 400, 4_000
LATE, CORRECTED, NEW, DELETED, OLD = range(5)
FIRST, SECOND, NOW = at("2024-03-01T06:00"), at("2024-03-02T06:00"), at("2024-03-02T12:00")
LAST = replace(LAST_ORDER, ttl=days(10))
SERVICE = FeatureService("scoring", features=[LAST, SPEND])

#: Order → (user, time, amount): what the source says.
Orders = dict[int, tuple[int, datetime, float]]


def before() -> Orders:
    """What the source says at first: one order each, of the day before; those of one group are old."""
    age = {OLD: days(15)}
    return {
        user: (user, FIRST - age.get(user // GROUP, timedelta(hours=8)) - timedelta(seconds=user), user / 4)
        for user in range(ENTITIES)
        if user // GROUP != NEW
    }


def after(orders: Orders) -> Orders:
    """What it says then."""
    found: Orders = {}
    for number, (user, time, amount) in orders.items():
        group = user // GROUP
        if group != DELETED:
            found[number] = (user, time, -0.0 if group == CORRECTED else amount)
        if group == LATE:
            # newer than what is known of the user, and older than the first materialization
            found[number + ENTITIES] = (user, time + timedelta(hours=2), amount + 1)
    for user in range(NEW * GROUP, (NEW + 1) * GROUP):
        found[user] = (user, FIRST + timedelta(hours=3), user / 4)
    return found


def answers(orders: Orders) -> dict[int, dict[str, tuple[Any, str]]]:
    """Of each user what holds now: feature → value, status; in plain Python."""
    tick, of_user = NOW.replace(hour=0), defaultdict(list)
    for number, (user, time, amount) in orders.items():
        of_user[user].append((time, number, amount))
    found: dict[int, dict[str, tuple[Any, str]]] = {}
    for user in range(ENTITIES):
        mine = sorted(of_user[user])
        last = mine[-1] if mine else None
        is_old = last is not None and NOW - last[0] >= days(10)
        status = "NOT_FOUND" if last is None else "EXPIRED" if is_old else "PRESENT"
        told = {
            "last_order:order_id": (last[1] if last and not is_old else None, status),
            "last_order:amount": (last[2] if last and not is_old else None, status),
        }
        week = [amount for time, _, amount in mine if tick - days(7) <= time < tick]
        # an order that the last tick sees no more was seen by an earlier one
        seen = any(time < tick for time, _, _ in mine)
        told["spend:spend_7d"] = (sum(week) + 0.0, "PRESENT") if week else (None, "NULL" if seen else "NOT_FOUND")
        found[user] = told
    return found


@pytest.fixture(scope="module")
def project(spark: Any, cassandra_endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    keyspace = f"scenario_{uuid.uuid4().hex[:8]}"
    definitions = Definitions(views=[LAST, SPEND], services=[SERVICE])
    folder = tmp_path_factory.mktemp("scenario")
    opened = open_project(spark, cassandra_endpoint, folder, keyspace, definitions=definitions)
    yield opened
    opened.drop()


def rows(project: Project, orders: Orders) -> Any:
    told = [(number, *order) for number, order in orders.items()]
    return project.shop.session.createDataFrame(
        told, "order_id long, user_id long, ordered_at timestamp, amount double"
    )


def change(project: Project, old: Orders, new: Orders) -> None:
    """Late and new orders are appended, corrected ones updated, deleted ones deleted: as sources do."""
    path = project.shop.source_path(ORDERS)
    added = {number: order for number, order in new.items() if number not in old}
    rows(project, added).write.format("delta").mode("append").save(path)
    table, user = DeltaTable.forPath(project.shop.session, path), F.floor(F.col("user_id") / GROUP)
    table.update(user == CORRECTED, {"amount": F.lit(-0.0)})
    table.delete(user == DELETED)


def test_no_entity_differs_after_late_corrected_new_deleted_and_old_rows(project: Project) -> None:
    first = before()
    second = after(first)
    options = {"delta.enableChangeDataFeed": "true"}
    rows(project, first).write.format("delta").options(**options).save(project.shop.source_path(ORDERS))
    project.store.move_clock(FIRST)
    project.store.apply()
    project.store.run()
    change(project, first, second)
    project.store.move_clock(SECOND)
    project.store.run()
    project.store.move_clock(NOW)

    expected, was = answers(second), answers(first)
    online, offline = asked_online(project), asked_offline(project)
    assert sorted(online) == sorted(offline) == sorted(expected)
    assert [user for user in expected if bits(online[user]) != bits(expected[user])] == []
    assert [user for user in expected if bits(offline[user]) != bits(expected[user])] == []

    differs = Counter(user // GROUP for user in expected if bits(expected[user]) != bits(was[user]))
    assert differs == dict.fromkeys((LATE, CORRECTED, NEW, DELETED), GROUP)
    for group, status in ((DELETED, "NOT_FOUND"), (OLD, "EXPIRED"), (CORRECTED, "PRESENT")):
        told = Counter(expected[user]["last_order:amount"][1] for user in range(group * GROUP, (group + 1) * GROUP))
        assert told == {status: GROUP}
    (certificate,) = project.store.parity("scoring", sample=ENTITIES)
    assert (certificate.sampled, certificate.mismatches) == (ENTITIES, 0)


def asked_online(project: Project) -> dict[int, dict[str, tuple[Any, str]]]:
    users = range(ENTITIES)
    with open_client(project.shop) as client:
        vectors = client.get_many("scoring", [{"user_id": user} for user in users], deadline_ms=30_000)
    return {
        user: {name: (value, vector.status[name].value) for name, value in vector.values.items()}
        for user, vector in zip(users, vectors, strict=True)
    }


def asked_offline(project: Project) -> dict[int, dict[str, tuple[Any, str]]]:
    shop = project.shop
    pins = pinned(shop, SERVICE, shop.ledger.timeline())
    spine = shop.session.range(ENTITIES).select(F.col("id").alias("user_id"), F.lit(NOW).alias("timestamp"))
    found: dict[int, dict[str, tuple[Any, str]]] = {}
    for row, told in pins.collected(pins.join(spine, time_column="timestamp", as_served=True), "user_id"):
        found[row["user_id"]] = {
            f"{view.name}:{name}": of_feature(told[view.name], name)
            for view in (LAST, SPEND)
            for name in view.feature_names
        }
    return found


def of_feature(answer: dict[str, Any], name: str) -> tuple[Any, str]:
    value = (answer["values"] or {}).get(name)
    return value, value_status(Status(answer["status"]), value).value


def test_scenario_is_told_before_it_happens() -> None:
    """The groups are as large as the scenario says."""
    first = before()
    second = after(first)
    late = [number for number, (_, time, _) in second.items() if number >= ENTITIES and to_us(time) < to_us(FIRST)]
    assert len(late) == GROUP
    assert len(first.keys() - second.keys()) == GROUP
