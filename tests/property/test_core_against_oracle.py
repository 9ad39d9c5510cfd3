"""skewless.core's rule and timeline against the oracle, over thousands of generated cases.

Mutations of skewless.core that were made one at a time in a scratch copy, each of them seen to fail here (or, where it
says so, in tests/unit/test_resolver_rules.py):

- resolver.state: `generation <=` → `<`; `event_us <=` → `<`; newest statement → oldest; newest event → oldest;
  retracted rows kept; retracted rows dropped before the newest statement is chosen.
- resolver statuses: `age >= ttl` → `>`; EXPIRED before DELETED; NULL also outside of a present row.
- resolver.fresh_us: min → max; the instant instead of its tick; through alone; the tick alone; the event time.
- Timeline: bisect_right → bisect_left in `at`; a step 1 µs late; a rollback to an earlier pointer folded away; steps
  not folded (unit); `published` empty; `published` of every table (unit).
- Schedule: floor without the offset; floor towards zero (before 1970); ticks without the last one.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from skewless.core import resolver
from skewless.core.time import Schedule
from skewless.core.timeline import Pointer, Revision, Timeline
from skewless.core.vector import Status
from tests.support import oracle
from tests.support.bits import same_bits
from tests.support.histories import Batch, Example, make_batches
from tests.support.timelines import Plan

SEEDS = range(6)
VIEW, TABLE = "spend", "spend__v1_00000000"


def generated(seed: int) -> list[Batch]:
    return make_batches(seed, timelines=25, examples=8, spine=40)


def timeline(plan: Plan) -> Timeline:
    """The product's timeline of a plan, with another view that moves at every revision."""
    through = {one.number: one.through_us for one in plan.generations}
    revisions = []
    for one in plan.revisions:
        views = {"other": Pointer("other__v1_00000000", one.number, 0)}
        if one.points_at is not None:
            views[VIEW] = Pointer(TABLE, one.points_at, through[one.points_at])
        revisions.append(Revision(one.number, one.visible_from_us, views))
    return Timeline(tuple(revisions))


def schedule(plan: Plan) -> Schedule | None:
    if plan.every_us is None:
        return None
    return Schedule(timedelta(microseconds=plan.every_us), timedelta(microseconds=plan.offset_us))


def told_by_core(example: Example, pointer: Pointer, t_us: int, at_us: int) -> tuple:
    """(statuses, values, event time, age) put together from the product's parts, as its readers do."""
    plan = example.plan
    published = timeline(plan).published(VIEW, TABLE)
    rows = [
        resolver.HistoryRow(row.event_us, row.gen, row.values, row.flag) for row in example.rows if row.gen in published
    ]
    row = resolver.state(rows, pointer.generation, t_us)
    age_us = None
    if row is not None:
        age_us = at_us - resolver.fresh_us(
            event_us=row.event_us, instant_us=t_us, through_us=pointer.through_us, schedule=schedule(plan)
        )
    status = resolver.row_status(
        is_known=row is not None,
        is_deleted=row is not None and row.flag == resolver.DELETED,
        age_us=age_us or 0,
        ttl_us=plan.ttl_us,
    )
    held = row.values if row is not None else dict.fromkeys(example.world.features)
    statuses = {name: resolver.value_status(status, value).value for name, value in held.items()}
    values = {name: value if status is Status.PRESENT else None for name, value in held.items()}
    return statuses, values, row.event_us if row else None, age_us


def essence(told: oracle.Answer) -> tuple:
    return told.statuses, told.values, told.event_us, told.age_us


def asked(example: Example) -> list[int]:
    return [at_us for entity, at_us in example.spine if entity == example.entity and at_us is not None]


@pytest.mark.parametrize("seed", SEEDS)
def test_core_rule_as_served_equals_oracle(seed: int) -> None:
    for batch in generated(seed):
        steps = timeline(batch.plan).steps(VIEW)
        for example in batch.examples:
            for at_us in asked(example):
                expected = oracle.as_served(example.world, example.key, at_us)
                where = f"seed {seed}, example {example.number}, T {at_us}"
                past = [step for step in steps if step.from_us <= at_us]
                assert expected.simulated == (bool(steps) and not past), where
                if not steps:
                    assert set(expected.statuses.values()) == {"UNPUBLISHED"}, where
                    continue
                pointer = past[-1].pointer if past else steps[-1].pointer
                t_us = at_us if past else at_us - batch.plan.delay_us
                assert same_bits(told_by_core(example, pointer, t_us, at_us), essence(expected)), where


@pytest.mark.parametrize("seed", SEEDS)
def test_core_rule_event_time_and_as_known_equal_oracle(seed: int) -> None:
    for batch in generated(seed):
        moves = timeline(batch.plan)
        steps = moves.steps(VIEW)
        for example in batch.examples if steps else ():
            for at_us in asked(example)[:10]:
                where = f"seed {seed}, example {example.number}, T {at_us}"
                classic = oracle.event_time(example.world, example.key, at_us)
                assert same_bits(told_by_core(example, steps[-1].pointer, at_us, at_us), essence(classic)), where
                for revision in moves.revisions:
                    pointer = revision.views.get(VIEW)
                    known = oracle.as_known(example.world, example.key, at_us, known_us=revision.visible_from_us)
                    if pointer is None:
                        assert set(known.statuses.values()) == {"UNPUBLISHED"}, where
                    else:
                        assert same_bits(told_by_core(example, pointer, at_us, at_us), essence(known)), where


@pytest.mark.parametrize("seed", SEEDS)
def test_timeline_at_every_turn_equals_oracle(seed: int) -> None:
    for batch in make_batches(seed, timelines=150, examples=1):
        moves, world = timeline(batch.plan), batch.examples[0].world
        turns = {one.visible_from_us + side for one in batch.plan.revisions for side in (-1, 0, 1)}
        for at_us in turns:
            expected = oracle.in_force(world, at_us)
            found = moves.at(at_us)
            assert (found and found.number) == (expected and expected.number), f"seed {seed}, T {at_us}"
            step = [step for step in moves.steps(VIEW) if step.from_us <= at_us][-1:]
            pointed = [one.pointer.generation for one in step] or [None]
            assert pointed == [expected.points_at if expected else None], f"seed {seed}, T {at_us}"


@pytest.mark.parametrize("seed", SEEDS)
def test_timeline_published_equals_fates(seed: int) -> None:
    for batch in make_batches(seed, timelines=150, examples=1):
        fates = {one.number for one in batch.plan.generations if one.fate == oracle.PUBLISHED}
        assert timeline(batch.plan).published(VIEW, TABLE) == fates, f"seed {seed}, batch {batch.number}"


@pytest.mark.parametrize("offset_us", [0, 1, 3, 6])
def test_schedule_floor_ceil_and_ticks_equal_trying_every_instant(offset_us: int) -> None:
    every_us = 7
    beat = Schedule(timedelta(microseconds=every_us), timedelta(microseconds=offset_us))
    for instant in range(-30, 30):
        around = [one for one in range(-60, 60) if (one - offset_us) % every_us == 0]
        assert beat.floor_us(instant) == max(one for one in around if one <= instant)
        assert beat.ceil_us(instant) == min(one for one in around if one >= instant)
        for last in range(10, 20):
            assert list(beat.ticks_us(instant, last)) == [one for one in around if instant <= one <= last]
