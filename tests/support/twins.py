"""Two projects that are given the same at the same virtual instants; in one of them every command is killed.

Each command dies at each of its failpoints in turn: each repetition begins with what the one before left, and goes on
to the next failpoint. Afterwards, all that both projects keep must be the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import Any

import pytest

from skewless.core.failpoints import Failpoint
from skewless.core.generation import Generation
from skewless.core.names import GENERATION
from skewless.core.timeline import Revision
from skewless.errors import NothingToDo, RefusedByValidation
from skewless.node import Endpoint
from tests.support.dying import dies_at, fails_at
from tests.support.frames import rows_of
from tests.support.project import LAST_ORDER, SPEND, Project, at, open_project

VIEWS = (LAST_ORDER, SPEND)
#: In the order in which a run meets them; two views run side by side, so that each comes twice.
OF_A_RUN = (
    "materialize.planned",
    "materialize.table",
    "materialize.table:2",
    "materialize.history",
    "materialize.history:2",
    "materialize.served",
    "materialize.served:2",
    "materialize.quarantined",
    "materialize.recorded",
    "push.started",
    "push.batch",
    "push.sent",
    "push.sent:2",
    "push.written",
    "push.verified",
    "revision.logged",
    "revision.swapped",
    "revision.copied",
    "publish.recorded",
)
OF_GIVING_UP = ("purge.started", "purge.done")
OF_A_ROLLBACK = ("revision.logged", "revision.swapped", "revision.copied")
OF_A_BACKFILL = ("backfill.history", "backfill.recorded")
#: Of two slices: the first dies written and recorded, the second one written, and the whole in its place.
OF_TRAINING = ("train.planned", "train.slice", "train.recorded", "train.slice", "train.placed")
OF_APPLY = ("apply.registered", "apply.table")


class Twins:
    """Both projects, and how the second one dies."""

    def __init__(self, spark: Any, endpoint: Endpoint, calm: Project, killed: Project) -> None:
        self.spark, self.endpoint, self.calm, self.killed = spark, endpoint, calm, killed
        link = killed.shop.online
        assert link is not None
        self.keyspace = link.target.keyspace

    def begin(self) -> None:
        """Both are born, and publish; one dies on the way at whatever there is to die at."""
        self.land((1, 7, "2024-03-01T10:00", 5.0), (2, 7, "2024-03-01T10:00", 6.5), (3, 8, "2024-03-01T11:00", 1.0))
        self.land((4, None, "2024-03-01T12:00", 1.0), *((100 + one, 9, "2024-03-01T13:00", 0.25) for one in range(60)))
        self.do(lambda project: project.store.apply(), OF_APPLY)
        self.wait_until("2024-03-02T06:00")
        self.do(lambda project: project.store.run(), OF_A_RUN)
        self.are_alike()

    def go_on(self) -> None:
        """A later run, a rollback, a refusal, a push that is given up."""
        self.land((5, 7, "2024-03-01T09:00", 100.0))
        self.wait_until("2024-03-03T06:00")
        self.do(lambda project: project.store.run(), ("materialize.served:2", "push.written:2", "publish.recorded"))
        self.do(lambda project: project.store.rollback("spend", to=1), OF_A_ROLLBACK)
        self.are_alike()
        self.do(lambda project: project.store.rollback("spend", to=2), ())
        self.land((6, 8, "2024-03-02T08:00", -50.0))
        # a refusal is an end: whoever repeats it is refused once more
        self.do(_refused, ())
        self.do(_refused, ())
        self.are_alike()
        self.land((6, 8, "2024-03-02T08:00", 50.0), mode="upsert")
        for stage in ("materialize", "validate", "push"):
            self.do(lambda project, stage=stage: project.store.run_stage(stage), ())
        self.land((7, 7, "2024-03-03T01:00", 1.0))
        self.do(lambda project: project.store.run_stage("materialize"), OF_GIVING_UP)
        self.wait_until("2024-03-04T06:00")
        self.do(lambda project: project.store.run(), ())
        self.are_alike()
        assert [one.mismatches for one in self.killed.store.parity()] == [0]

    def land(self, *orders: tuple[int, int | None, str, float], mode: str = "append") -> None:
        for project in (self.calm, self.killed):
            project.land(*orders, mode=mode)

    def wait_until(self, moment: str) -> None:
        for project in (self.calm, self.killed):
            project.store.move_clock(at(moment))

    def do(self, work: Callable[[Project], object], failpoints: tuple[str, ...]) -> None:
        work(self.calm)
        for failpoint in failpoints:
            die = fails_at if failpoint == Failpoint.PUSH_BATCH.value else dies_at
            die(self.spark, failpoint, lambda: work(self.anew()))
        self.killed = self.anew()
        # died after its last effect, a command has nothing left to do
        with suppress(NothingToDo) if failpoints else nullcontext():
            work(self.killed)
        # nor did a process that died wait until readers see what it published
        for project in (self.calm, self.killed):
            head = project.shop.ledger.timeline().head
            if head is not None:
                project.shop.clock.wait_until(head.visible_from_us)

    def anew(self) -> Project:
        """The killed project, as another process finds it."""
        return open_project(self.spark, self.endpoint, self.killed.folder, self.keyspace)

    def are_alike(self) -> None:
        for what in (_generations, _timelines, _tables, _online, _answers):
            assert what(self.killed) == what(self.calm), what.__name__


def _refused(project: Project) -> None:
    with pytest.raises(RefusedByValidation):
        project.store.run()


def _generations(project: Project) -> list[Generation]:
    # each project has tables of its own
    return [replace(one, run_id="", source_ids={}) for one in project.shop.ledger.generations()]


def _timelines(project: Project) -> list[Revision]:
    link = project.shop.online
    assert link is not None
    both = (*project.shop.ledger.timeline().revisions, *link.timeline.log())
    return [replace(one, run_id="") for one in both]


def _tables(project: Project) -> dict[str, Counter[tuple[Any, ...]]]:
    found = {}
    for view in VIEWS:
        tables = project.shop.tables(view)
        found[f"{view.name}/history"] = Counter(rows_of(tables.read(tables.history)))
        found[f"{view.name}/served"] = Counter(rows_of(tables.read(tables.served)))
        found[f"{view.name}/quarantine"] = Counter(rows_of(tables.read(tables.quarantine).select("row", GENERATION)))
    return found


def _online(project: Project) -> dict[str, list[tuple[Any, ...]]]:
    link, applied = project.shop.online, project.shop.applied()
    assert link is not None
    tables = [project.shop.served(view, applied).table for view in VIEWS]
    found = {table: link.session.execute(f'SELECT * FROM "{link.target.keyspace}"."{table}"') for table in tables}
    return {table: sorted((tuple(row) for row in rows), key=repr) for table, rows in found.items()}


def _answers(project: Project) -> list[Any]:
    vectors = [project.online(user) for user in (7, 8, 9, 99)]
    return [(one.values, one.status, one.event_time, one.generation, one.revision) for one in vectors]
