"""Two versions of one view beside each other: each reader keeps the one that its service pins.

One story, told in order: every test goes on from the one before, for each run costs seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from skewless import Definitions, FeatureService, Sum, days
from skewless.cli.standing import standing
from skewless.core.vector import Status
from skewless.errors import ContractBroken, UsageError
from skewless.node import Endpoint
from skewless.online import OnlineClient
from tests.support.project import DEFINITIONS, LAST_ORDER, SPEND, Project, at, open_project

SPEND_2 = replace(SPEND, version=2, aggregates={"spend_2d": Sum("amount", over=days(2))}, quality=())
MOVED = FeatureService("scoring", features=[LAST_ORDER, SPEND_2])
STAYING = FeatureService("fraud", features=[SPEND])
BOTH = Definitions(views=[LAST_ORDER, SPEND, SPEND_2], services=[MOVED, STAYING])
NEWER = Definitions(views=[LAST_ORDER, SPEND_2], services=[MOVED])


@dataclass
class Clock:
    """The project's clock, whichever process moves it."""

    project: Project

    def now_us(self) -> int:
        return self.project.shop.clock.now_us()

    def wait_until(self, instant_us: int) -> None:
        self.project.shop.clock.wait_until(instant_us)


@dataclass
class Story:
    """The project as its definitions stand, and a client that runs since before version 2."""

    clock: Clock
    old: OnlineClient
    old_contract: str

    @property
    def project(self) -> Project:
        return self.clock.project

    def reads(self, service: str = "scoring", *, contract: str | None = None) -> Any:
        """What a client that connects now reads of user 7."""
        with connected(self.clock, contract) as client:
            return client.get(service, {"user_id": 7}, deadline_ms=5_000)

    def holds(self, one: float, two: float | None) -> None:
        """Every reader of version 1 has this value, and every reader of version 2 that; online and offline alike."""
        running = self.old.get("scoring", {"user_id": 7}, deadline_ms=5_000)
        again = self.reads(contract=self.old_contract)
        assert (running.values["spend:spend_7d"], again.values["spend:spend_7d"]) == (one, one)
        assert running.generation == again.generation
        store, defined = self.project.store, self.project.shop.definitions.view_references
        if "spend@1" in defined:
            assert store.get_feature("spend@1:spend_7d", {"user_id": 7}, at=again.at).value == one
        if "spend@2" in defined:
            moved = self.reads()
            assert moved.values["spend:spend_2d"] == two
            offline = self.project.offline(7, moved.at)
            assert (offline.values, offline.status) == (moved.values, moved.status)
            assert (offline.generation, offline.age) == (moved.generation, moved.age)
            assert store.get_feature("spend:spend_2d", {"user_id": 7}, at=moved.at).value == two


@contextmanager
def connected(clock: Clock, contract: str | None = None) -> Iterator[OnlineClient]:
    project = clock.project
    link = project.shop.online
    assert link is not None
    target = link.target
    with OnlineClient.connect(
        target.contact_points,
        project=project.shop.settings.project,
        port=target.port,
        keyspace=target.keyspace,
        local_dc=target.local_dc,
        clock=clock,
        poll_interval=None,
        contract_hash=contract,
    ) as client:
        yield client


@pytest.mark.release
@pytest.mark.usefixtures("interpreted")
def test_view_versions_story(spark: Any, cassandra_endpoint: Endpoint, project: Project) -> None:
    link = project.shop.online
    assert link is not None
    with ExitStack() as opened:

        def redefined(definitions: Definitions) -> Project:
            again = open_project(
                spark, cassandra_endpoint, project.folder, link.target.keyspace, definitions=definitions
            )
            opened.callback(again.store.close)
            return again

        story = _version_1_is_published_and_read(project, opened)
        story.clock.project = redefined(BOTH)
        _version_2_is_published_beside_it(story)
        _each_service_trains_on_the_version_that_it_pins(story)
        _both_are_refreshed_in_one_revision(story)
        _rollback_of_one_version_leaves_the_other_alone(story)
        story.clock.project = redefined(NEWER)
        _version_that_is_no_longer_defined_goes_on_answering(story)
        story.clock.project = redefined(BOTH)
        _version_that_comes_back_goes_on_from_where_it_was(story)


def _version_1_is_published_and_read(project: Project, opened: ExitStack) -> Story:
    project.land((1, 7, "2024-03-01T10:00", 5.0), (2, 7, "2024-03-01T11:00", 6.5), (3, 8, "2024-03-01T11:00", 1.0))
    project.store.apply()
    project.store.run(now=at("2024-03-02T06:00"))
    project.land((4, 7, "2024-03-03T09:00", 1.0))
    project.store.run(now=at("2024-03-04T06:00"))
    contract = project.shop.applied().contract_hashes["scoring"]
    assert project.shop.definitions is DEFINITIONS
    clock = Clock(project)
    story = Story(clock, opened.enter_context(connected(clock)), contract)
    story.holds(12.5, None)
    return story


def _version_2_is_published_beside_it(story: Story) -> None:
    store = story.project.store
    plan = store.plan()
    assert plan.refusals == ()
    assert "+ view spend v2 (1 feature, daily, beside v1)" in plan.describe()
    store.apply()
    # before its first publish nobody is given version 1 in its name
    assert story.reads().status["spend:spend_2d"] is Status.UNPUBLISHED
    record = store.run(now=at("2024-03-04T12:00"))
    outcomes = {one.reference: one.outcome for one in record.views}
    assert (outcomes["spend@1"], outcomes["spend@2"]) == ("unchanged", "published")
    story.holds(12.5, 1.0)
    assert story.reads("fraud").values == {"spend:spend_7d": 12.5}
    with pytest.raises(ContractBroken, match="pinned to"):
        story.reads(contract="another")
    assert [(one.service, one.mismatches) for one in store.parity()] == [("scoring", 0), ("fraud", 0)]


def _each_service_trains_on_the_version_that_it_pins(story: Story) -> None:
    store = story.project.store
    spine = store.session.createDataFrame([(7, at("2024-03-04T12:30"))], "user_id bigint, timestamp timestamp")
    for service, column, value in (("scoring", "spend__spend_2d", 1.0), ("fraud", "spend__spend_7d", 12.5)):
        trained = store.training_set(service, spine)
        assert [row[column] for row in trained.frame.collect()] == [value]
        version = story.project.shop.definitions.service(service).features[-1].version
        assert trained.manifest.views["spend"]["version"] == version


def _both_are_refreshed_in_one_revision(story: Story) -> None:
    story.project.land((5, 7, "2024-03-04T08:00", 2.0))
    record = story.project.store.run("spend", now=at("2024-03-05T06:00"))
    assert {one.reference: one.outcome for one in record.views} == {"spend@1": "published", "spend@2": "published"}
    story.holds(14.5, 3.0)


def _rollback_of_one_version_leaves_the_other_alone(story: Story) -> None:
    store = story.project.store
    head = store.workshop.ledger.timeline().head
    assert head is not None
    revision = store.rollback("spend@2")
    assert revision.kind == "rollback"
    assert {view for view, pointer in revision.views.items() if pointer != head.views[view]} == {"spend@2"}
    story.holds(14.5, 1.0)
    with pytest.raises(UsageError, match="'spend' v2 is rolled back"):
        store.run("spend")
    story.project.land((6, 7, "2024-03-04T09:00", 4.0))
    store.run("spend@1", now=at("2024-03-05T12:00"))
    story.holds(18.5, 1.0)
    store.rollback("spend@2", to=head.number)
    story.holds(18.5, 3.0)
    store.run("spend@2")
    story.holds(18.5, 7.0)
    assert [one.mismatches for one in store.parity()] == [0, 0]


def _version_that_is_no_longer_defined_goes_on_answering(story: Story) -> None:
    store = story.project.store
    dropped = "- view spend v1 (no longer refreshed; clients that pin it go on reading what was last published)"
    assert dropped in store.plan().describe()
    store.apply()
    story.project.land((7, 7, "2024-03-05T10:00", 8.0))
    record = store.run(now=at("2024-03-06T06:00"))
    assert {one.reference for one in record.views} == {"last_order@1", "spend@2"}
    story.holds(18.5, 14.0)
    assert story.reads("fraud").values == {"spend:spend_7d": 18.5}
    found = standing(story.project.shop)
    assert found.kept == ("spend@1",)
    assert [(one.view, one.version, one.rolled_back) for one in found.views] == [
        ("last_order", 1, False),
        ("spend", 2, False),
    ]
    # who has to take it back can still do so, by its exact name
    store.rollback("spend@1")
    story.holds(14.5, 14.0)
    assert [one.mismatches for one in store.parity()] == [0]
    with pytest.raises(UsageError, match="There is no view 'spend@3'"):
        store.rollback("spend@3")
    store.rollback("spend@1", to=record.revision)
    story.holds(18.5, 14.0)


def _version_that_comes_back_goes_on_from_where_it_was(story: Story) -> None:
    store = story.project.store
    plan = store.plan()
    assert (plan.refusals, plan.describe()[0]) == ((), "+ view spend v1 (1 feature, daily)")
    store.apply()
    record = store.run("spend")
    assert {one.reference: one.outcome for one in record.views} == {"spend@1": "published", "spend@2": "unchanged"}
    story.holds(26.5, 14.0)
