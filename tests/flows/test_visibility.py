"""What readers may see: only what the gate accepted and a revision published; online and offline alike.

One story, told in order: every test goes on from the one before, for each run costs seconds.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from skewless import Definitions, Within, hours
from skewless.core.generation import GenerationState
from skewless.core.time import from_us, to_us
from skewless.core.vector import Status
from skewless.errors import NothingToDo, RefusedByValidation, UpstreamNotReady, UsageError
from skewless.flows.point_in_time import pinned
from skewless.spark.training import laid_out
from tests.support.frames import assert_same_rows, rows_of
from tests.support.project import LAST_ORDER, ORDERS, SPEND, Project, at


@pytest.mark.long
@pytest.mark.usefixtures("interpreted")
def test_visibility_story(project: Project) -> None:
    _first_publish_is_seen_alike_online_and_offline(project)
    _nothing_new_is_nothing_to_do(project)
    _late_row_is_seen_only_after_its_publish(project)
    _explanation_names_the_winner_and_what_was_said_later(project)
    _late_row_would_leak_into_an_event_time_join(project)
    _refused_generation_is_never_seen(project)
    _pushed_but_unpublished_generation_is_never_seen(project)
    _rollback_answers_the_older_revision_and_refuses_new_runs(project)
    _revert_restates_what_was_known_before_and_leaves_the_past_alone(project)
    _quarantined_rows_are_counted_and_kept(project)
    _tick_waits_until_its_source_is_ready(project)
    _as_known_joins_what_delta_had_at_that_generation(project)


def _same(project: Project, user: int) -> None:
    online = project.online(user)
    offline = project.offline(user, online.at)
    assert online.values == offline.values
    assert online.status == offline.status
    assert online.event_time == offline.event_time
    assert online.age == offline.age
    assert (online.generation, online.revision) == (offline.generation, offline.revision)


def _first_publish_is_seen_alike_online_and_offline(project: Project) -> None:
    project.land((1, 7, "2024-03-01T10:00", 5.0), (2, 7, "2024-03-01T10:00", 6.5), (3, 8, "2024-03-01T11:00", 1.0))
    project.store.apply()
    record = project.store.run(now=at("2024-03-02T06:00"))
    assert record.revision == 1
    vector = project.online(7)
    assert vector.values == {"last_order:order_id": 2, "last_order:amount": 6.5, "spend:spend_7d": 11.5}
    for user in (7, 8, 99):
        _same(project, user)
    before = project.offline(7, at("2024-03-02T05:00"))
    assert before.simulated
    assert before.status["spend:spend_7d"] is Status.NOT_FOUND


def _nothing_new_is_nothing_to_do(project: Project) -> None:
    generations = project.shop.ledger.generations()
    with pytest.raises(NothingToDo, match="Nothing to do"):
        project.store.run()
    assert project.shop.ledger.generations() == generations


def _late_row_is_seen_only_after_its_publish(project: Project) -> None:
    project.land((4, 7, "2024-03-01T09:00", 100.0))
    project.store.run(now=at("2024-03-02T12:00"))
    assert project.online(7).values["spend:spend_7d"] == 111.5
    _same(project, 7)
    assert project.offline(7, at("2024-03-02T11:00")).values["spend:spend_7d"] == 11.5


def _explanation_names_the_winner_and_what_was_said_later(project: Project) -> None:
    told = project.store.explain("spend", {"user_id": 7}, at=at("2024-03-02T11:00"))
    verdicts = {one.verdict: one.values["spend_7d"] for one in told.considered}
    assert verdicts == {"said later than what readers were told to use": 111.5, "winner": 11.5}
    assert told.answer.values["spend:spend_7d"] == 11.5


def _late_row_would_leak_into_an_event_time_join(project: Project) -> None:
    rows = [(7, at("2024-03-02T11:00")), (8, at("2024-03-02T11:00")), (7, at("2024-03-02T05:00"))]
    spine = project.store.session.createDataFrame(rows, "user_id bigint, timestamp timestamp")
    found = project.store.leaks("scoring", spine)
    assert (found.rows, found.compared, found.leaking) == (3, 2, 1)
    differing = [one for one in found.features if one.rows]
    assert [one.feature for one in differing] == ["spend:spend_7d"]
    assert (differing[0].changed, differing[0].appeared, differing[0].largest_difference) == (1, 0, 100.0)


def _refused_generation_is_never_seen(project: Project) -> None:
    seen = project.online(8)
    project.land((5, 8, "2024-03-02T08:00", -50.0))
    with pytest.raises(RefusedByValidation, match="spend_7d"):
        project.store.run(now=at("2024-03-03T06:00"))
    states = {one.state for one in project.shop.ledger.generations()}
    assert GenerationState.REFUSED in states
    after = project.online(8)
    assert (after.values["last_order:order_id"], after.revision) == (3, seen.revision)
    _same(project, 8)
    project.land((5, 8, "2024-03-02T08:00", 50.0), mode="upsert")
    project.store.run(now=at("2024-03-03T07:00"))
    assert project.online(8).values["spend:spend_7d"] == 51.0
    _same(project, 8)


def _pushed_but_unpublished_generation_is_never_seen(project: Project) -> None:
    project.land((6, 7, "2024-03-03T06:30", 9.0))
    project.shop.clock.wait_until(project.shop.clock.now_us() + 3_600_000_000)
    for stage in ("materialize", "validate", "push"):
        project.store.run_stage(stage)
    with pytest.raises(NothingToDo, match="is materialized"):
        project.store.run_stage("materialize")
    left = [one for one in project.shop.ledger.generations() if one.state is GenerationState.VERIFIED]
    assert left
    assert project.online(7).values["last_order:order_id"] == 2
    _same(project, 7)
    project.land((6, 7, "2024-03-03T06:30", 9.0), mode="upsert")
    # its source moved on: it is given up, and its rows are taken out again
    project.store.run_stage("materialize")
    link = project.shop.online
    assert link is not None
    for one in left:
        rows = link.session.execute(f'SELECT gen FROM "{link.target.keyspace}"."{one.table}"')
        assert one.number not in {row[0] for row in rows}
    states = {one.number: one.state for one in project.shop.ledger.generations()}
    assert {states[one.number] for one in left} == {GenerationState.PURGED}
    project.store.run(now=at("2024-03-04T06:00"))
    assert project.online(7).values["last_order:order_id"] == 6
    _same(project, 7)


def _rollback_answers_the_older_revision_and_refuses_new_runs(project: Project) -> None:
    head = project.online(7)
    revision = project.store.rollback("last_order")
    assert revision.kind == "rollback"
    back = project.online(7)
    assert back.values["last_order:order_id"] == 2
    assert back.values["spend:spend_7d"] == head.values["spend:spend_7d"]
    _same(project, 7)
    with pytest.raises(UsageError, match="rolled back"):
        project.store.run("last_order")
    forward = project.store.rollback("last_order", to=head.revision)
    assert forward.kind == "roll-forward"
    assert project.online(7).values == head.values
    _same(project, 7)


def _revert_restates_what_was_known_before_and_leaves_the_past_alone(project: Project) -> None:
    before = project.online(7)
    project.land((6, 7, "2024-03-03T06:30", 900.0), mode="upsert")
    project.store.run(now=at("2024-03-04T12:00"))
    bad = project.online(7)
    assert (bad.values["last_order:amount"], bad.values["spend:spend_7d"]) == (900.0, 1011.5)
    project.land((6, 7, "2024-03-03T06:30", 9.0), mode="upsert")
    with pytest.raises(UsageError, match="Say which generation"):
        project.store.revert("spend")
    project.store.rollback("last_order")
    for view, named in (("last_order", ()), ("spend", (bad.generation["spend"],))):
        record = project.store.revert(view, *named)
        assert (record.outcome, record.views[0].counts["corrected"], record.views[0].pushed) == ("published", 1, 1)
    after = project.online(7)
    assert after.values == before.values
    _same(project, 7)
    past = project.offline(7, bad.at)
    assert (past.values, past.generation) == (bad.values, bad.generation)
    with pytest.raises(NothingToDo, match="have replaced all"):
        project.store.revert("spend", bad.generation["spend"])
    # the corrected source is looked at again, and says what was restated
    project.store.run()
    assert project.online(7).values == before.values


def _quarantined_rows_are_counted_and_kept(project: Project) -> None:
    good = tuple((order, 8, "2024-03-04T07:00", 1.0) for order in range(100, 140))
    project.land((7, None, "2024-03-04T07:00", 1.0), *good)
    record = project.store.run("last_order", now=at("2024-03-05T06:00"))
    counts = record.views[0].counts
    assert counts["quarantined"] == 1
    assert counts["read"] == counts["used"] + counts["quarantined"]
    tables = project.shop.tables(project.shop.definitions.view("last_order"))
    kept = project.store.session.read.format("delta").load(tables.quarantine).collect()
    assert [row["_errors"][0]["rule"] for row in kept] == ["null_key"]


def _tick_waits_until_its_source_is_ready(project: Project) -> None:
    given = project.shop.definitions
    patient = replace(ORDERS, ready=Within(hours(12)))
    views = [replace(view, source=patient) for view in (LAST_ORDER, SPEND)]
    project.shop.__dict__["definitions"] = Definitions(views=views, services=given.services)
    before = project.online(8)
    # the newest order is of 07:00, seventeen hours before the tick
    with pytest.raises(UpstreamNotReady, match="spend waits before tick 2024-03-05 00:00 UTC: source 'orders'") as late:
        project.store.run("spend")
    assert (late.value.exit_code, str(late.value).count("\n")) == (13, 0)
    assert project.online(8).revision == before.revision
    project.land((141, 7, "2024-03-04T12:00", 2.0))
    record = project.store.run("spend")
    assert record.views[0].through_us == to_us(at("2024-03-05T00:00"))
    assert project.online(8).values["spend:spend_7d"] == 91.0
    _same(project, 8)
    project.shop.__dict__["definitions"] = given


def _as_known_joins_what_delta_had_at_that_generation(project: Project) -> None:
    """Read by Delta's time travel, at the version that a generation left, history says the same."""
    shop = project.shop
    service, timeline = shop.definitions.service("scoring"), shop.ledger.timeline()
    versions = {one.number: one.history_version for one in shop.ledger.generations()}
    asked = [(user, moment) for user in (7, 8, 9, 99) for moment in (at("2024-03-01T23:00"), at("2024-03-03T00:00"))]
    spine = shop.session.createDataFrame(asked, "user_id bigint, timestamp timestamp")
    answers = []
    for revision in (timeline.revisions[0], timeline.revisions[len(timeline.revisions) // 2]):
        known_at = from_us(revision.visible_from_us)
        made = project.store.training_set(
            "scoring", spine, join="as-known", known_at=known_at, with_status=True, engine="bucket"
        )
        pins = pinned(shop, service, timeline).at(revision.visible_from_us)
        then = []
        for one in pins.values:
            tables = shop.tables(one.view)
            assert one.newest is not None
            history = tables.read(tables.history, versions[one.newest.pointer.generation])
            then.append(replace(one, history=history))
        joined = replace(pins, values=tuple(then)).join(spine, time_column="timestamp", as_served=False)
        answers.append(rows_of(made.frame))
        assert_same_rows(answers[-1], rows_of(laid_out(joined, spine, service, with_status=True)))
    assert answers[0] != answers[1]
