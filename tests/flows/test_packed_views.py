"""A packed version of a view beside the typed one: pushed, read, proven and judged alike.

One story, told in order: every test goes on from the one before, for each run costs seconds.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from skewless import Definitions, FeatureService
from skewless.core.vector import Status
from skewless.errors import DefinitionConflict
from skewless.node import Endpoint
from tests.support.project import LAST_ORDER, Project, at, open_project

pytestmark = [pytest.mark.spark, pytest.mark.cassandra, pytest.mark.usefixtures("interpreted")]

PACKED = replace(LAST_ORDER, version=2, online_layout="packed")
TYPED_ONE, PACKED_ONE = (
    FeatureService("typed_one", features=[LAST_ORDER]),
    FeatureService("packed_one", features=[PACKED]),
)
BOTH = Definitions(views=[LAST_ORDER, PACKED], services=[TYPED_ONE, PACKED_ONE])
SWITCHED = Definitions(views=[replace(LAST_ORDER, online_layout="packed")], services=[TYPED_ONE])


@pytest.fixture(scope="module")
def project(spark: Any, cassandra_endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder, keyspace = tmp_path_factory.mktemp("packed"), f"packed_{uuid.uuid4().hex[:8]}"
    found = open_project(spark, cassandra_endpoint, folder, keyspace, definitions=BOTH)
    found.land(*((user, user, "2024-03-01T10:00", user / 4) for user in range(1, 7)))
    found.store.apply()
    found.store.run(now=at("2024-03-02T06:00"))
    yield found
    found.drop()


def stored(project: Project) -> list[dict[str, Any]]:
    """The rows of the packed table."""
    link = project.shop.online
    assert link is not None
    table = project.shop.served(PACKED, project.shop.applied()).table
    rows = link.session.execute(f'SELECT * FROM "{link.target.keyspace}"."{table}"')
    return [dict(zip(rows.column_names, row, strict=True)) for row in rows]


def test_packed_version_answers_as_the_typed_one_and_as_history(project: Project) -> None:
    for user in (1, 2, 6, 7):
        one, other = (project.online(user, service=name) for name in ("typed_one", "packed_one"))
        assert (dict(one.values), dict(one.status)) == (dict(other.values), dict(other.status))
        assert one.event_time == other.event_time
        offline = project.store.get_features("packed_one", {"user_id": user}, at=other.at)
        assert (dict(offline.values), dict(offline.status)) == (dict(other.values), dict(other.status))
    (certificate,) = project.store.parity("packed_one")
    assert (certificate.sampled, certificate.mismatches) == (6, 0)
    assert {tuple(sorted(row)) for row in stored(project)} == {("event_us", "gen", "packed", "state", "user_id")}


def test_packed_rows_that_are_lost_are_sent_again(project: Project) -> None:
    link = project.shop.online
    assert link is not None
    before = stored(project)
    table = project.shop.served(PACKED, project.shop.applied()).table
    link.session.execute(f'TRUNCATE "{link.target.keyspace}"."{table}"', timeout=30)
    project.store.refill()
    assert stored(project) == before


def test_damaged_packed_row_is_an_error_that_parity_calls_tampered(project: Project) -> None:
    link = project.shop.online
    assert link is not None
    table = project.shop.served(PACKED, project.shop.applied()).table
    row = next(row for row in stored(project) if row["user_id"] == 2)
    put = link.session.prepare(
        f'UPDATE "{link.target.keyspace}"."{table}" USING TIMESTAMP ? SET packed = ? WHERE user_id = ? AND gen = ?'
    )
    link.session.execute(put, (row["gen"] + 1, row["packed"][:-1] + b"\xff", 2, row["gen"]))
    assert set(project.online(2, service="packed_one").status.values()) == {Status.ERROR}
    assert set(project.online(3, service="packed_one").status.values()) == {Status.PRESENT}
    (certificate,) = project.store.parity("packed_one")
    assert set(certificate.causes) == {"tampered"}
    link.session.execute(put, (row["gen"] + 2, row["packed"], 2, row["gen"]))
    assert project.store.parity("packed_one")[0].mismatches == 0


def test_layout_that_changed_under_its_version_is_refused_before_anything_is_touched(project: Project) -> None:
    project.shop.__dict__["definitions"] = SWITCHED
    try:
        for work in (project.store.apply, lambda: project.store.run(now=at("2024-03-03T06:00"))):
            with pytest.raises(DefinitionConflict):
                work()
    finally:
        project.shop.__dict__["definitions"] = BOTH
    assert set(project.online(1, service="typed_one").status.values()) == {Status.PRESENT}
