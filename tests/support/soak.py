"""A soak: a source that changes by chance and a project that follows it, against the rule in plain Python.

Of a seed come definitions, rows (late, of the future, without a key), corrections, deletions, moves of the clock, runs,
kills at random failpoints, rollbacks. After each step every entity is asked online now and offline at random instants,
and each answer is held against `oracle.as_served` over statements that brute force gives: rows in a list, ticks one by
one. Delta and Cassandra are real; the model is a dict.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from skewless import Definitions, FeatureService
from skewless.core.generation import GenerationState
from skewless.core.resolver import value_status
from skewless.core.time import to_us
from skewless.core.timeline import Timeline
from skewless.core.vector import FeatureVector, Status
from skewless.errors import NothingToDo
from skewless.flows.online_reading import open_client
from skewless.flows.point_in_time import pinned
from skewless.node import Endpoint
from tests.support import oracle
from tests.support.bits import bits
from tests.support.dying import may_die_at
from tests.support.frames import moment
from tests.support.project import ORDERS, Project, at, open_project
from tests.support.soak_life import DAY, USERS, Life
from tests.support.soak_models import Model, Told, row_model, snapshot_model, window_model

FAILPOINTS = (
    "materialize.planned", "materialize.history", "materialize.served", "materialize.quarantined",
    "materialize.recorded", "push.started", "push.sent", "push.written", "push.verified",
    "revision.logged", "revision.swapped", "revision.copied", "publish.recorded",
)  # fmt: skip


class Soak:
    """One seed's life.

    Attributes:
        steps: Step → how often it was taken.
        answers: How many answers were compared.
        differences: What was answered otherwise than the rule says; it ends with the first step that has any.
    """

    def __init__(self, spark: SparkSession, endpoint: Endpoint, folder: Path, keyspace: str, *, seed: int) -> None:
        self.rng = Random(seed)
        made = [row_model(self.rng), window_model(self.rng), snapshot_model(self.rng)]
        self.models = {one.view.name: one for one in self.rng.sample(made, self.rng.choice((2, 2, 3)))}
        self._open = lambda: _opened(spark, endpoint, folder, keyspace, self.models.values())
        self.spark, self.project = spark, self._open()
        self.life = Life(spark, self.project.shop.source_path(ORDERS), self.rng)
        self.now = at("2024-03-01T00:00")
        self.steps: Counter[str] = Counter()
        self.answers = 0
        self.differences: list[str] = []
        self._learned: set[int] = set()

    def live_until(self, deadline: float) -> None:
        """The first run, a death, a rollback; then steps of chance until an instant of the monotonic clock."""
        self.project.store.move_clock(self.now)
        self.life.append(60, self._now_us)
        self.project.store.apply()
        self._wait(25)
        self._run()
        self._compare()
        for step in chain((self._die, self._roll), self._steps(deadline)):
            if self.differences:
                return
            self.steps[step.__name__.strip("_")] += 1
            step()
            self._compare()

    def _steps(self, deadline: float) -> Iterator[Callable[[], None]]:
        while time.monotonic() < deadline:
            yield self.rng.choice((self._go_on, self._go_on, self._go_on, self._die, self._die, self._roll))

    def _go_on(self) -> None:
        """The source changes, time passes, a run follows."""
        self._change()
        self._run()

    def _die(self) -> None:
        """As before, but the run is killed somewhere, and a later one finishes what it left."""
        self._change()
        failpoint = self.rng.choice(FAILPOINTS) + self.rng.choice(("", ":2"))
        may_die_at(self.spark, failpoint, lambda: _run(self._open()))
        if self.rng.random() < 0.3:
            self._change()
        self.project = self._open()
        self._run()

    def _roll(self) -> None:
        """Back to what was before, and forward again."""
        timeline = self.project.shop.ledger.timeline()
        if timeline.head is None or timeline.before(()) is None:
            self._go_on()
            return
        self.project.store.rollback()
        self._compare()
        self._wait(self.rng.choice((1, 24)))
        self.project.store.rollback(to=timeline.head.number)

    def _change(self) -> None:
        if self.rng.random() < 0.8:
            self.life.append(self.rng.choice((1, 15)), self._now_us)
        if self.rng.random() < 0.4:
            self.life.correct()
        if self.rng.random() < 0.3:
            self.life.delete()
        self._wait(self.rng.choice((0, 1, 24, 30)))

    def _run(self) -> None:
        _run(self.project)
        head = self.project.shop.ledger.timeline().head
        if head is not None:
            self.project.shop.clock.wait_until(head.visible_from_us)

    def _wait(self, hours: int) -> None:
        if hours:
            self.now += timedelta(hours=hours)
            self.project.store.move_clock(self.now)

    @property
    def _now_us(self) -> int:
        return int(self.now.timestamp()) * 1_000_000

    def _compare(self) -> None:
        """Ask for every entity online now, and offline at instants of chance."""
        self._learn()
        timeline = self.project.shop.ledger.timeline()
        worlds = {name: model.published(timeline) for name, model in self.models.items()}
        users = [*range(USERS), 99]
        with open_client(self.project.shop) as client:
            batch = client.get_many("scoring", [{"user_id": user} for user in users], deadline_ms=10_000)
        for user, vector in zip(users, batch, strict=True):
            for name, told in worlds.items():
                self._hold(
                    told.answer(user, to_us(vector.at)), online_answer(vector, told, name), f"online {name} {user}"
                )
        instants = self._instants(timeline)
        spine = [(user, moment(instant)) for user in users for instant in instants]
        pins = pinned(self.project.shop, self.project.shop.definitions.service("scoring"), timeline)
        frame = self.spark.createDataFrame(spine, "user_id bigint, timestamp timestamp")
        joined = pins.join(
            frame.withColumn("at_us", F.unix_micros("timestamp")), time_column="timestamp", as_served=True
        )
        for row, answers in pins.collected(joined, "user_id", "at_us"):
            for name, told in worlds.items():
                expected, found = told.answer(row["user_id"], row["at_us"]), offline_answer(answers[name], told)
                self._hold(expected, found, f"offline {name} {row['user_id']} at {row['at_us']}")

    def _instants(self, timeline: Timeline) -> list[int]:
        edges = [one.visible_from_us + side for one in timeline.revisions[-3:] for side in (-1, 0)]
        return [*edges, *(self._now_us - self.rng.randrange(6 * DAY) for _ in range(3)), self._now_us]

    def _hold(self, expected: oracle.Answer, found: oracle.Answer, where: str) -> None:
        self.answers += 1
        if bits(vars(expected)) != bits(vars(found)):
            self.differences.append(f"{where}: expected {expected}, found {found}")

    def _learn(self) -> None:
        """What was published since, as the model would have said it."""
        shop = self.project.shop
        timeline = shop.ledger.timeline()
        published = {name: timeline.published(f"{name}@1", self._table(name)) for name in self.models}
        for one in shop.ledger.generations():
            is_published = one.number in published[one.view]
            if one.number in self._learned or not (is_published or one.state is GenerationState.UNCHANGED):
                continue
            self._learned.add(one.number)
            model = self.models[one.view]
            said = model.said(self.life.versions[one.sources["orders"]], one.number, one.through_us)
            rows = model.changes(said, one.number)
            if not is_published and rows:
                self.differences.append(f"{one.view} {one.number} changed nothing, but should have said {rows[:5]}")
            if is_published:
                model.publish(one.number, rows)

    def _table(self, view: str) -> str:
        shop = self.project.shop
        return shop.served(shop.definitions.view(view), shop.applied()).table


def online_answer(vector: FeatureVector, told: Told, view: str) -> oracle.Answer:
    """A client's answer about one view in the oracle's words."""
    names = told.world.features
    event_time, age = vector.event_time[view], vector.age[view]
    return oracle.Answer(
        values={name: vector.values[f"{view}:{name}"] for name in names},
        statuses={name: vector.status[f"{view}:{name}"].value for name in names},
        event_us=None if event_time is None else to_us(event_time),
        age_us=None if age is None else age // timedelta(microseconds=1),
        generation=vector.generation[view],
        revision=vector.revision,
    )


def offline_answer(answer: dict[str, Any], told: Told) -> oracle.Answer:
    """An answer of the join in the oracle's words."""
    values = answer["values"] or dict.fromkeys(told.world.features)
    return oracle.Answer(
        values=values,
        statuses={name: value_status(Status(answer["status"]), value).value for name, value in values.items()},
        event_us=answer["event_us"],
        age_us=answer["age_us"],
        generation=answer["generation"],
        revision=answer["revision"],
        simulated=answer["is_simulated"],
    )


def _opened(spark: SparkSession, endpoint: Endpoint, folder: Path, keyspace: str, models: Iterable[Model]) -> Project:
    """The project, as another process would open it; its gate refuses nothing, for life here is wild."""
    views = [one.view for one in models]
    definitions = Definitions(views=views, services=[FeatureService("scoring", features=views)])
    limits = {
        "SKEWLESS__QUALITY__MAX_QUARANTINE_SHARE": "1",
        "SKEWLESS__QUALITY__MAX_ENTITY_COUNT_CHANGE": "1000",
        "SKEWLESS__QUALITY__MAX_NULL_RATE_JUMP": "1",
    }
    return open_project(spark, endpoint, folder, keyspace, definitions=definitions, variables=limits)


def _run(project: Project) -> None:
    with suppress(NothingToDo):
        # a snapshot that looks back on a day without orders says of nobody anything
        project.store.run(accept={"breaker.empty_publish": "every answer is compared"})
