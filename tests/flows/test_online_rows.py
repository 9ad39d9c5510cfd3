"""What lies in the online store: no more than the retained revisions can see, and all of it again after a loss."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from skewless.errors import NothingToDo, UsageError
from skewless.node import Endpoint
from skewless.online import cql
from skewless.online.connection import session_for
from tests.support.dying import dies_at
from tests.support.project import LAST_ORDER, Project, at, open_project

pytestmark = [pytest.mark.spark, pytest.mark.cassandra, pytest.mark.usefixtures("interpreted")]

SETTINGS = {"SKEWLESS__ONLINE__RETAIN_REVISIONS": "2", "SKEWLESS__QUALITY__MAX_ENTITY_COUNT_CHANGE": "1"}
USERS = (1, 2, 3, 4, 99)
#: Day → orders: user 1 orders every day, user 2 on the first alone, 4 on the first and the second, 3 on the third.
ORDERS = {
    "01": ((1, 1, 1.0), (2, 2, 2.0), (3, 4, 0.5)),
    "02": ((4, 1, 3.0), (5, 4, 0.75)),
    "03": ((6, 1, 4.0), (7, 3, 3.0)),
    "04": ((8, 1, 5.0),),
}


@pytest.fixture(scope="module")
def project(spark: Any, cassandra_endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Four generations; the third publish is killed before it sweeps, so that the fourth has to do it."""
    folder, keyspace = tmp_path_factory.mktemp("rows"), f"rows_{uuid.uuid4().hex[:8]}"

    def opened() -> Project:
        return open_project(spark, cassandra_endpoint, folder, keyspace, variables=SETTINGS)

    found = opened()
    for day, orders in ORDERS.items():
        found.land(*((order, user, f"2024-03-{day}T10:00", amount) for order, user, amount in orders))
        now = at(f"2024-03-{day}T12:00")
        if day == "01":
            found.store.apply()
            with pytest.raises(NothingToDo, match="Nothing was ever published"):
                found.store.refill()
        if day == "03":
            dies_at(spark, "publish.recorded", lambda now=now: opened().store.run("last_order", now=now))
            assert amounts(found, 4) == [0.75, 0.5]
        else:
            found.store.run("last_order", now=now)
    yield found
    found.drop()


def amounts(project: Project, user: int) -> list[float]:
    """The amounts of a user's rows, newest first."""
    link, shop = project.shop.online, project.shop
    assert link is not None
    served = shop.served(LAST_ORDER, shop.applied())
    select = session_for(link.target).prepare(cql.select_rows(link.target.keyspace, served))
    return [row[-1] for row in link.session.execute(select, (user,))]


def stored(project: Project) -> dict[int, list[float]]:
    return {user: found for user in USERS if (found := amounts(project, user))}


def told(project: Project) -> dict[int, Any]:
    def parts(one: Any) -> tuple[Any, ...]:
        return one.values, one.status, one.event_time, one.generation, one.revision

    return {user: parts(project.online(user)) for user in USERS}


def test_rows_that_no_retained_revision_sees_are_swept_and_all_others_stay(project: Project) -> None:
    # retained are the third and the fourth generation
    assert stored(project) == {1: [5.0, 4.0], 2: [2.0], 3: [3.0], 4: [0.75]}
    with pytest.raises(UsageError, match="older than the last 2 that are kept readable online"):
        project.store.rollback("last_order", to=2)


def test_store_that_lost_everything_is_refilled_to_the_same_rows_answers_and_rollbacks(project: Project) -> None:
    rows, answers, link = stored(project), told(project), project.shop.online
    assert link is not None
    timeline = link.timeline.log()
    link.session.execute(f'DROP KEYSPACE "{link.target.keyspace}"', timeout=30)
    found = project.store.refill()
    assert (found.is_restored, dict(found.rows), found.revision, found.oldest) == (True, {"last_order@1": 5}, 4, 3)
    assert (found.left_out, stored(project)) == ((), rows)
    assert told(project) == answers
    assert link.timeline.log() == timeline
    [certificate] = project.store.parity("scoring")
    assert (certificate.cells > 0, certificate.mismatches) == (True, 0)
    # said again, it writes the same rows once more and leaves the timeline alone
    again = project.store.refill()
    assert (again.is_restored, again.rows) == (False, found.rows)
    assert (stored(project), told(project)) == (rows, answers)
    project.store.rollback("last_order", to=3)
    assert project.online(1).values["last_order:amount"] == 4.0
    project.store.rollback("last_order", to=4)
    assert project.online(1).values["last_order:amount"] == 5.0
