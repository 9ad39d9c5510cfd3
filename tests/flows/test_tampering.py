"""Published values changed from outside: named by parity, and nothing is built on them before somebody settles it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from skewless import days
from skewless.core.generation import GenerationState
from skewless.core.time import from_us
from skewless.errors import ContractBroken, NothingToDo
from skewless.flows.workshop import quiet
from skewless.node import Endpoint
from skewless.spark.read import head_version
from tests.support.project import LAST_ORDER, Project, at, small_project

pytestmark = [pytest.mark.spark, pytest.mark.cassandra, pytest.mark.usefixtures("interpreted")]


FIRST = at("2024-03-02T06:00")
LATER = (FIRST + days(number) for number in count(1))
ORDERS = count(1_000)
ACCEPTED = {"contract.history": "an experiment"}


@pytest.fixture(scope="module")
def opened(spark: Any, cassandra_endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with small_project(spark, cassandra_endpoint, tmp_path_factory.mktemp("tampering")) as project:
        project.land(*((number, number, "2024-03-01T08:00", float(number)) for number in range(1, 40)))
        project.store.apply()
        project.store.run(now=FIRST)
        for path in (history(project), ledger(project)):
            sql(project, f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('delta.appendOnly' = 'false')")
        yield project


@pytest.fixture
def project(opened: Project) -> Project:
    """With an order that no run has seen yet."""
    opened.shop.say = quiet
    number = next(ORDERS)
    opened.land((number, 39, f"2024-03-01T09:{number % 60:02}", 1.0))
    return opened


def history(project: Project) -> str:
    return project.shop.tables(LAST_ORDER).history


def ledger(project: Project) -> str:
    return project.shop.ledger.path("generations")


def head(project: Project, path: str) -> int:
    return head_version(project.shop.session, path)


def sql(project: Project, statement: str) -> None:
    project.shop.session.sql(statement)


def run(project: Project, accept: dict[str, str] | None = None) -> Any:
    return project.store.run("last_order", now=next(LATER), accept=accept)


def restore(project: Project, path: str, version: int) -> None:
    sql(project, f"RESTORE TABLE delta.`{path}` TO VERSION AS OF {version}")


def newest(project: Project) -> int:
    return int(project.online(39).generation["last_order"])


def causes(project: Project) -> dict[str, int]:
    (certificate,) = project.store.parity("scoring")
    return dict(certificate.causes)


def test_rows_taken_out_of_history_are_refused_until_they_are_restored(project: Project) -> None:
    before, seen = head(project, history(project)), newest(project)
    sql(project, f"DELETE FROM delta.`{history(project)}` WHERE user_id = 5")
    assert causes(project) == {"history changed": 3}
    with pytest.raises(ContractBroken, match=rf"last_order@1.*DELETE made version {before + 1}.*OF {before}\)"):
        run(project)
    assert newest(project) == seen
    # what would not evaluate everything may not be talked into it
    with pytest.raises(ContractBroken):
        project.store.revert("last_order", seen, accept=ACCEPTED)
    restore(project, history(project), before)
    assert run(project).outcome == "published"
    assert newest(project) > seen
    assert causes(project) == {}


def test_changed_rows_that_somebody_accepts_are_evaluated_and_corrected(project: Project) -> None:
    sql(project, f"UPDATE delta.`{history(project)}` SET amount = amount + 1 WHERE user_id IN (7, 8)")
    with pytest.raises(ContractBroken, match="UPDATE made version"):
        run(project)
    told: list[str] = []
    project.shop.say = told.append
    record = run(project, ACCEPTED)
    (outcome,) = record.views
    assert outcome.counts["corrected"] == 2
    assert "Accepted: contract.history (an experiment)." in record.message
    assert any("Accepted, for an experiment" in line for line in told)
    assert causes(project) == {}
    # it is settled: nobody is asked again
    with pytest.raises(NothingToDo):
        run(project)


@pytest.mark.long
def test_changes_without_effect_that_somebody_accepts_are_not_asked_about_again(project: Project) -> None:
    run(project)
    sql(project, f"UPDATE delta.`{history(project)}` SET amount = amount WHERE user_id = 9")
    assert run(project, ACCEPTED).views[0].outcome == "unchanged"
    with pytest.raises(NothingToDo):
        run(project)


@pytest.mark.long
def test_rows_that_no_generation_wrote_are_refused_until_they_are_taken_back(project: Project) -> None:
    path = project.shop.tables(LAST_ORDER).served
    before, rows = head(project, path), project.shop.session.read.format("delta").load(path)
    sql(project, f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('delta.appendOnly' = 'false')")
    rows.where("user_id = 4").write.format("delta").mode("append").save(path)
    with pytest.raises(ContractBroken, match=rf"served: WRITE made version {before + 2}"):
        run(project)
    restore(project, path, before + 1)
    assert run(project).outcome == "published"


@pytest.mark.long
def test_files_may_be_put_together_and_vacuumed(project: Project) -> None:
    run(project)
    project.land((next(ORDERS), 38, "2024-03-01T09:00", 1.0))
    before = head(project, history(project))
    sql(project, f"OPTIMIZE delta.`{history(project)}`")
    sql(project, f"VACUUM delta.`{history(project)}`")
    assert head(project, history(project)) > before
    # what is accepted without need changes nothing: only what was landed is read
    record = run(project, ACCEPTED)
    assert record.views[0].counts["read"] == 1
    assert "Accepted" not in record.message


@pytest.mark.long
def test_changes_during_a_run_are_found_before_its_end(project: Project) -> None:
    before, seen, begun = head(project, history(project)), newest(project), []

    def meanwhile(line: str) -> None:
        if "evaluating" in line and not begun:
            begun.append(line)
            sql(project, f"DELETE FROM delta.`{history(project)}` WHERE user_id = 6")

    project.shop.say = meanwhile
    with pytest.raises(ContractBroken, match=rf"DELETE made version {before + 1}"):
        run(project)
    assert newest(project) == seen
    assert project.shop.ledger.generations()[-1].state is GenerationState.PURGED
    project.shop.say = quiet
    with pytest.raises(ContractBroken, match=rf"DELETE made version {before + 1}"):
        run(project)
    assert run(project, ACCEPTED).outcome == "published"
    assert project.online(6).values == project.offline(6, from_us(project.shop.clock.now_us())).values


def test_ledger_that_lost_a_generation_is_refused_until_somebody_accepts_it(project: Project) -> None:
    number = newest(project)
    sql(project, f"DELETE FROM delta.`{ledger(project)}` WHERE number = {number}")
    for command in (run, lambda one: one.store.backfill("last_order")):
        with pytest.raises(ContractBroken, match=rf"lost generation {number} of view 'last_order@1'"):
            command(project)
    # readers do not need it
    assert newest(project) == number
    # with the generation the ledger lost what it had accepted, if another test was before
    record = run(project, {"contract.ledger": "the disk was full", **ACCEPTED})
    assert record.outcome == "published"
    assert "Accepted: contract.ledger (the disk was full)." in record.message
    restored = next(one for one in project.shop.ledger.generations() if one.number == number)
    assert (restored.kind, restored.state) == ("restored", GenerationState.PUBLISHED)
    # what the lost generation wrote is no stranger's, and nobody is asked again
    with pytest.raises(NothingToDo):
        run(project)
