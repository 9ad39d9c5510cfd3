"""What a source, a clock or a ledger may do to a project: it is refused, or said, and no value is wrong after it."""

from __future__ import annotations

import math
import shutil
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from skewless import (
    Definitions,
    DeltaSource,
    Feature,
    FeatureService,
    Float64,
    Int64,
    RowView,
    String,
    Sum,
    Timestamp,
    WindowView,
    days,
)
from skewless.core.clock import ManualClock, SystemClock
from skewless.core.run_record import RunRecord
from skewless.core.vector import Status
from skewless.errors import ConfigError
from skewless.flows.workshop import quiet
from skewless.node import Endpoint
from skewless.registry.holder import Holder
from skewless.registry.leases import LeaseLost, Leases
from skewless.spark.read import SourceDrift, head_version
from tests.support.bits import bits
from tests.support.project import USER, Project, at, open_project

pytestmark = [pytest.mark.spark, pytest.mark.cassandra, pytest.mark.usefixtures("interpreted")]

NOTES = DeltaSource(
    "notes",
    path="raw/notes",
    event_timestamp="at",
    schema={"number": Int64, "user_id": Int64, "at": Timestamp, "x": Float64, "text": String},
    tie_break=("number",),
)
LAST = RowView(
    name="last_note",
    entity=USER,
    source=NOTES,
    transform=lambda rows: rows.select("user_id", "event_timestamp", "number", "x", "text"),
    features=(Feature("number", Int64), Feature("x", Float64), Feature("text", String)),
)
TOTAL = WindowView(
    name="total",
    entity=USER,
    source=NOTES,
    events=lambda rows: rows.select("user_id", "event_timestamp", "x"),
    aggregates={"x_7d": Sum("x", over=days(7))},
)
NOW, LATER = at("2024-03-02T06:00"), at("2024-03-02T07:00")
HUGE = "ü" * 500_000
#: Number, user, x, text: whatever a column of its type can hold.
GOOD = [(1, 1, math.inf, HUGE), (2, 2, math.nan, ""), (3, 3, -0.0, "\x00\n'\"%$"), (4, 4, None, None)]
GOOD += [(number, number, 1.0, "plain") for number in range(5, 200)]
READ = len(GOOD) + 4


@pytest.fixture(scope="module")
def project(spark: Any, cassandra_endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    keyspace = f"bad_{uuid.uuid4().hex[:8]}"
    definitions = Definitions(views=[LAST, TOTAL], services=[FeatureService("scoring", features=[LAST, TOTAL])])
    folder = tmp_path_factory.mktemp("bad")
    opened = open_project(spark, cassandra_endpoint, folder, keyspace, definitions=definitions)
    opened.store.move_clock(NOW)
    yield opened
    opened.drop()


@pytest.fixture(scope="module")
def first_run(project: Project) -> RunRecord:
    yesterday, tomorrow = at("2024-03-01T12:00"), at("2024-03-03T12:00")
    rows = [(number, user, yesterday, x, text) for number, user, x, text in GOOD]
    rows += [(900, None, yesterday, 1.0, "no key"), (901, 5, None, 1.0, "no time"), (902, 5, tomorrow, 1.0, "future")]
    rows += [(903, 5, yesterday, 2.0**52, "too large a sum of units")]
    assert len(rows) == READ
    land(project, rows)
    project.store.apply()
    record = project.store.run()
    project.store.move_clock(LATER)
    return record


def land(project: Project, rows: list[tuple[Any, ...]]) -> None:
    frame = project.shop.session.createDataFrame(rows, "number long, user_id long, at timestamp, x double, text string")
    frame.write.format("delta").mode("append").save(project.shop.source_path(NOTES))


def test_values_that_cannot_be_used_are_set_aside_and_all_others_arrive_as_they_are(
    project: Project, first_run: RunRecord
) -> None:
    outcomes = {one.view: one.counts for one in first_run.views}
    # for a sum infinity, NaN and what passes 2**53 millionths are no numbers
    assert {view: counts["quarantined"] for view, counts in outcomes.items()} == {"last_note": 3, "total": 6}
    for counts in outcomes.values():
        assert counts["read"] == READ == counts["used"] + counts["quarantined"]
    for number, user, x, text in GOOD[:4]:
        told, past = project.online(user).values, project.offline(user, LATER).values
        wanted = {"last_note:number": number, "last_note:x": x, "last_note:text": text}
        assert bits({name: told[name] for name in wanted}) == bits(wanted)
        assert bits(dict(told)) == bits(dict(past))
    assert project.online(1).values["total:x_7d"] is None
    (certificate,) = project.store.parity("scoring")
    assert certificate.mismatches == 0


@pytest.mark.usefixtures("first_run")
@pytest.mark.parametrize(
    ("user", "ddl", "how"),
    [
        (11, "number long, user_id long, at timestamp, text string", "has no column 'x'"),
        (14, "number long, user_id long, at timestamp, x string, text string", "declares 'x' as float64"),
    ],
    ids=["lost a column", "changed its type"],
)
def test_source_that_drifted_is_refused_by_the_run_and_goes_on_when_it_is_mended(
    project: Project, user: int, ddl: str, how: str
) -> None:
    session, path = project.shop.session, project.shop.source_path(NOTES)
    before, planned = head_version(session, path), project.shop.ledger.generations()
    rows = session.createDataFrame([], ddl)
    rows.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(path)
    with pytest.raises(SourceDrift, match=rf"Source 'notes' .*{how}"):
        project.store.run("last_note")
    assert project.shop.ledger.generations() == planned
    session.sql(f"RESTORE TABLE delta.`{path}` TO VERSION AS OF {before}")
    land(project, [(2_000, user, at("2024-03-01T18:00"), 1.5, "mended")])
    assert project.store.run("last_note").views[0].counts["retracted"] == 0
    assert project.online(user).values["last_note:number"] == 2_000


@pytest.mark.usefixtures("first_run")
def test_source_that_gained_a_column_is_read_as_before(project: Project) -> None:
    ddl = "number long, user_id long, at timestamp, x double, text string, more string"
    rows = project.shop.session.createDataFrame([(3_000, 12, at("2024-03-01T18:00"), 1.5, "wide", "unseen")], ddl)
    path = project.shop.source_path(NOTES)
    rows.write.format("delta").mode("append").option("mergeSchema", "true").save(path)
    assert project.store.run("last_note").views[0].counts["new"] == 1
    assert project.online(12).values["last_note:number"] == 3_000


@pytest.mark.usefixtures("first_run")
def test_source_that_was_replaced_is_said_and_evaluated_as_a_whole(project: Project) -> None:
    """Its versions start anew: what changed since an older one of the other table would be an answer to nothing."""
    session, path = project.shop.session, project.shop.source_path(NOTES)
    session.read.format("delta").load(path).where("user_id != 190").localCheckpoint().createOrReplaceTempView("kept")
    shutil.rmtree(path)
    session.sql(f"CREATE TABLE delta.`{path}` USING delta AS SELECT * FROM kept")
    told: list[str] = []
    project.shop.say = told.append
    (outcome,) = project.store.run("last_note").views
    project.shop.say = quiet
    assert any("source 'notes' was replaced by another table" in line for line in told)
    assert (outcome.counts["new"], outcome.counts["retracted"]) == (0, 1)
    assert project.online(190).status["last_note:number"] is Status.NOT_FOUND
    assert project.online(189).values["last_note:number"] == 189


@pytest.mark.parametrize("seconds", [-330, 330], ids=["behind", "ahead"])
def test_clock_that_differs_too_much_from_the_stores_is_refused(
    project: Project, spark: Any, cassandra_endpoint: Endpoint, seconds: int
) -> None:
    link = project.shop.online
    assert link is not None
    variables = {"SKEWLESS__CLOCK__KIND": "system"}
    folder, keyspace, definitions = project.folder, link.target.keyspace, project.shop.definitions
    other = open_project(spark, cassandra_endpoint, folder, keyspace, definitions=definitions, variables=variables)
    other.shop.clock = ManualClock(SystemClock().now_us() + seconds * 1_000_000)
    with pytest.raises(ConfigError, match=r"differ by 3[23]\d s, more than 300 s"):
        other.store.run()
    other.store.close()


@pytest.mark.usefixtures("first_run")
def test_clock_behind_the_last_generation_numbers_on_or_is_refused(project: Project) -> None:
    shop = project.shop
    land(project, [(4_000, 13, at("2024-03-01T18:00"), 1.5, "late")])
    clock, before = shop.clock, project.online(13)
    last_us, known = shop.ledger.generations()[-1].number, len(shop.ledger.generations())
    try:
        shop.clock = ManualClock(last_us - 301_000_000)
        with pytest.raises(ConfigError, match=r"The clock lies 301 s behind the last generation, more than .* 300 s"):
            project.store.run("last_note")
        assert len(shop.ledger.generations()) == known
        shop.clock = ManualClock(last_us - 60_000_000)
        record = project.store.run("last_note")
    finally:
        shop.clock = clock
    assert record.visible_from_us is not None
    clock.wait_until(record.visible_from_us)
    assert record.views[0].generation == last_us + 1
    assert record.visible_from_us > last_us
    assert project.online(13).revision == before.revision + 1
    assert project.online(13).values["last_note:number"] == 4_000


@pytest.mark.usefixtures("first_run")
@pytest.mark.parametrize(("during", "user"), [("evaluating", 7), ("pushing", 8)])
def test_paused_run_that_lost_its_lease_neither_commits_nor_publishes(project: Project, during: str, user: int) -> None:
    """While it slept, its lease ended and somebody else took the project; that one's end lets the next run go on."""
    shop = project.shop
    later = Leases(shop.heads.objects.store, ManualClock(SystemClock().now_us() + 3_600_000_000))
    taken = []

    def sleeps(line: str) -> None:
        if during in line and not taken:
            other = Holder("nightly", "host-b", "another boot", 4242, "17")
            taken.append(later.acquire("project-ci", holder=other, ttl=days(1)))

    land(project, [(1_000, user, at("2024-03-01T18:00"), 7.0, "one more")])
    revision, shop.say = project.online(user).revision, sleeps
    history = head_version(shop.session, shop.tables(LAST).history)
    with pytest.raises(LeaseLost):
        project.store.run("last_note")
    assert len(taken) == 1
    later.release(taken[0])
    shop.say = quiet
    assert head_version(shop.session, shop.tables(LAST).history) == history + (during == "pushing")
    assert project.online(user).revision == revision
    assert project.store.run("last_note").outcome == "published"
    assert project.online(user).values["last_note:number"] == 1_000
