"""A project on a node that asks for a login: `apply` by the ddl role, everything that recurs by the push role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from skewless.config import load_settings
from skewless.core.vector import Status
from skewless.node import CassandraNode, NodeSecurity
from skewless.online import OnlineClient, OnlineTarget
from skewless.online.connection import close_sessions, session_for
from skewless.online.errors import StoreRefused
from skewless.online.roles import DUTIES, Duty, ensure_roles, role_name
from skewless.online.schema import ensure_keyspace
from tests.support.project import LAST_ORDER, ROOT, Project, at, open_project

pytestmark = [pytest.mark.spark, pytest.mark.cassandra]
KEYSPACE = "roles"
PASSWORDS: dict[Duty, str] = {duty: f"hush {duty}" for duty in DUTIES}


@pytest.fixture(scope="module")
def as_role(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Duty], Project]]:
    """The project as a process of a role opens it."""
    folder, settings = tmp_path_factory.mktemp("roles"), load_settings(ROOT / "conf", "ci")
    (folder / "project").mkdir()
    node = CassandraNode(
        folder / "node",
        settings.cassandra_jars,
        java_home=settings.java_home,
        heap_mb=256,
        security=NodeSecurity(wants_login=True),
        die_with_parent=True,
    )
    opened: dict[Duty, Project] = {}
    try:
        endpoint = node.start()
        first = OnlineTarget((endpoint.host,), endpoint.port, KEYSPACE)
        # known to everybody
        first = replace(first, username="cassandra", password="cassandra")  # noqa: S106
        admin = session_for(first)
        ensure_keyspace(admin, KEYSPACE)
        ensure_roles(admin, KEYSPACE, PASSWORDS)
        for duty in ("ddl", "push"):
            variables = {
                "SKEWLESS__ONLINE__USERNAME": role_name(KEYSPACE, duty),
                "SKEWLESS__ONLINE__PASSWORD": PASSWORDS[duty],
            }
            opened[duty] = open_project(spark, endpoint, folder / "project", KEYSPACE, variables=variables)
        yield opened.__getitem__
    finally:
        for project in opened.values():
            project.store.close()
        close_sessions()
        node.stop()


def seen(project: Project, user: int) -> tuple[Status, object]:
    """What a service with the read role is told."""
    link = project.shop.online
    assert link is not None
    with OnlineClient.connect(
        link.target.contact_points,
        project=project.shop.settings.project,
        port=link.target.port,
        keyspace=KEYSPACE,
        username=role_name(KEYSPACE, "read"),
        password=PASSWORDS["read"],
        deadline_ms=5_000.0,
        clock=project.shop.clock,
        poll_interval=None,
    ) as client:
        vector = client.get("scoring", {"user_id": user})
    return vector.status["last_order:amount"], vector.values["last_order:amount"]


def test_push_role_runs_what_the_ddl_role_applied_and_refills(
    as_role: Callable[[Duty], Project],
) -> None:
    ddl, push = as_role("ddl"), as_role("push")
    push.land((1, 1, "2024-03-01T10:00", 0.25))
    with pytest.raises(StoreRefused, match="define the schema"):
        push.store.apply()
    ddl.store.apply()
    push.store.run(now=at("2024-03-02T06:00"))
    assert seen(push, 1) == (Status.PRESENT, 0.25)
    certificates = push.store.parity("scoring")
    assert [(one.sampled, one.mismatches) for one in certificates] == [(1, 0)] * len(certificates)
    push.land((2, 1, "2024-03-02T10:00", 0.5))
    push.store.run(now=at("2024-03-03T06:00"))
    assert seen(push, 1) == (Status.PRESENT, 0.5)
    push.store.rollback(now=at("2024-03-03T07:00"))
    push.store.move_clock(at("2024-03-03T08:00"))
    assert seen(push, 1) == (Status.PRESENT, 0.25)
    link = ddl.shop.online
    assert link is not None
    table = ddl.shop.served(LAST_ORDER, ddl.shop.applied()).table
    link.session.execute(f'DROP TABLE "{KEYSPACE}"."{table}"', timeout=30)
    with pytest.raises(StoreRefused):
        push.store.refill()
    ddl.store.refill()
    assert seen(push, 1) == (Status.PRESENT, 0.25)
