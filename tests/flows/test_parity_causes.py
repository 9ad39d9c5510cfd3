"""Each cause of a difference is planted in a real store, named by parity, and taken out again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pyspark.sql import functions as F

from skewless import Definitions, FeatureService, hours
from skewless.core.names import GENERATION
from skewless.errors import DefinitionConflict
from tests.support.project import LAST_ORDER, SPEND, Project, at

pytestmark = [pytest.mark.spark, pytest.mark.cassandra, pytest.mark.slow, pytest.mark.usefixtures("interpreted")]

DAY_US = 86_400_000_000
SPENT = ("spend:spend_7d", "spend")


def named(rows: Any) -> list[dict[str, Any]]:
    """Rows of the driver by the names of their columns."""
    return [dict(zip(rows.column_names, row, strict=True)) for row in rows]


class Vandal:
    """Changes rows of the online store behind the product's back, and puts them back."""

    def __init__(self, project: Project) -> None:
        link = project.shop.online
        assert link is not None
        self.session, self.space = link.session, link.target.keyspace
        self.table = project.shop.served(LAST_ORDER, project.shop.applied()).table
        # rows are written with their generation as write time: whoever comes later wins
        self.clock_us = max(row["gen"] for row in self.rows()) + 1

    def rows(self, user: int | None = None) -> list[dict[str, Any]]:
        where = "" if user is None else f" WHERE user_id = {user}"
        return named(self.session.execute(f'SELECT * FROM "{self.space}"."{self.table}"{where}'))

    def put(self, row: dict[str, Any], **changes: Any) -> None:
        changed = {**row, **changes}
        marks = ", ".join("%s" for _ in changed)
        self.session.execute(
            f'INSERT INTO "{self.space}"."{self.table}" ({", ".join(changed)}) VALUES ({marks}) '
            f"USING TIMESTAMP {self._later()}",
            list(changed.values()),
        )

    def take(self, row: dict[str, Any]) -> None:
        self.session.execute(
            f'DELETE FROM "{self.space}"."{self.table}" USING TIMESTAMP {self._later()} '
            f"WHERE user_id = {row['user_id']} AND gen = {row['gen']}"
        )

    def _later(self) -> int:
        self.clock_us += 1
        return self.clock_us


def test_each_planted_cause_is_named(project: Project) -> None:
    users = range(1, 7)
    project.land(*((user, user, "2024-03-01T10:00", 5.0) for user in users))
    project.store.apply()
    project.store.run(now=at("2024-03-02T06:00"))
    project.land(*((10 + user, user, "2024-03-02T10:00", 2.5) for user in (1, 2, 3, 4)))
    project.store.run(now=at("2024-03-03T06:00"))
    assert causes(project) == {}

    vandal = Vandal(project)
    rows = {user: vandal.rows(user)[0] for user in users}
    newest = rows[1]["gen"]
    assert [rows[user]["gen"] == newest for user in users] == [True] * 4 + [False] * 2
    vandal.put(rows[1], amount=0.25)
    vandal.put(rows[2], event_us=rows[2]["event_us"] + 1)
    # the older row answers in its place, by two values and its time
    vandal.take(rows[3])
    vandal.take(rows[4])
    vandal.put(rows[4], user_id=4_000_004)
    vandal.put(rows[5], gen=newest - 1, amount=9.0)
    vandal.put(rows[6], gen=newest, amount=9.0)
    assert causes(project) == {
        "tampered": 2,
        "missing row": 3,
        "wrong key encoding": 3,
        "aborted push not purged": 1,
        "extra row": 1,
    }
    for stray in (
        {"user_id": 4_000_004, "gen": newest},
        {"user_id": 5, "gen": newest - 1},
        {"user_id": 6, "gen": newest},
    ):
        vandal.take(stray)
    for user in (1, 2, 3, 4):
        vandal.put(rows[user])

    _with_an_older_pointer(project, lambda: _assert_stale(project))
    _with_an_older_tick(project)
    _with_another_ttl(project)
    _with_another_transform(project)

    tables = project.shop.tables(LAST_ORDER)
    changed = tables.read(tables.history).where(f"user_id = 1 and {GENERATION} = {newest}")
    changed = changed.withColumn("event_timestamp", F.col("event_timestamp") + F.expr("interval 1 second"))
    changed.write.format("delta").mode("append").save(tables.history)
    assert causes(project) == {"history changed": 1}


def causes(project: Project) -> dict[str, int]:
    certificate = project.store.parity("scoring")[0]
    assert certificate.sampled == 6
    assert sum(certificate.causes.values()) == certificate.mismatches == len(certificate.examples)
    return dict(certificate.causes)


def _with_an_older_pointer(project: Project, look: Callable[[], None]) -> None:
    """As a client sees it whose revision is older than what the ledger knows to be visible."""
    told = ("rev", "attempt", "visible_from_us", "views", "kind", "run_id")
    now, move = _snapshot(project)
    move({column: now[f"previous_{column}"] for column in told})
    look()
    move({column: now[column] for column in told})


def _with_an_older_tick(project: Project) -> None:
    """As a client sees it that is told an earlier tick through which the values hold: they are too old for it."""
    now, move = _snapshot(project)
    table, generation, through_us = now["views"][SPEND.reference]
    move({"views": {**now["views"], SPEND.reference: (table, generation, through_us - 4 * DAY_US)}})
    assert causes(project) == {"expired": 6}
    move({"views": now["views"]})


def _snapshot(project: Project) -> tuple[dict[str, Any], Callable[[dict[str, Any]], None]]:
    """What the store tells clients, and a way to tell them otherwise."""
    link = project.shop.online
    assert link is not None
    space, name = link.target.keyspace, project.shop.settings.project
    (now,) = named(link.session.execute(f"SELECT * FROM \"{space}\".snapshot WHERE project = '{name}'"))

    def move(values: dict[str, Any]) -> None:
        sets = ", ".join(f"{column} = ?" for column in values)
        statement = f"UPDATE \"{space}\".snapshot SET {sets} WHERE project = '{name}' IF EXISTS"
        link.session.execute(link.session.prepare(statement), list(values.values()))

    return now, move


def _assert_stale(project: Project) -> None:
    found = causes(project)
    assert set(found) == {"stale pointer"}
    # what both revisions say is no difference
    assert found["stale pointer"] >= 3


def _with_another_ttl(project: Project) -> None:
    """Changed without being applied: parity says so, and nothing is evaluated or trained on it."""
    given = project.shop.definitions
    hasty = replace(SPEND, ttl=hours(1))
    project.shop.__dict__["definitions"] = Definitions(
        views=[LAST_ORDER, hasty], services=[FeatureService("scoring", features=[LAST_ORDER, hasty])]
    )
    assert set(causes(project)) == {"changed definition"}
    with pytest.raises(DefinitionConflict, match="not what was applied"):
        project.store.run(now=at("2024-03-03T07:00"))
    project.shop.__dict__["definitions"] = given


def _with_another_transform(project: Project) -> None:
    """Its values would change under a name that models trust."""
    given = project.shop.definitions
    doubled = replace(SPEND, events=lambda rows: rows.selectExpr("user_id", "event_timestamp", "2 * amount as amount"))
    project.shop.__dict__["definitions"] = Definitions(
        views=[LAST_ORDER, doubled], services=[FeatureService("scoring", features=[LAST_ORDER, doubled])]
    )
    before = project.shop.ledger.generations()
    with pytest.raises(DefinitionConflict, match="'spend' v1 is not what was applied") as caught:
        project.store.run(now=at("2024-03-04T06:00"))
    assert (caught.value.exit_code, str(caught.value).count("\n")) == (2, 0)
    assert project.shop.ledger.generations() == before
    project.shop.__dict__["definitions"] = given
