"""What must hold of the oracle itself on every generated history: the claims of design 01, without any product code.

The oracle's own tables are tests/unit/test_oracle_*.py. Flipped one at a time in a scratch copy, and seen to fail:

- oracle.py: both `<=` of `standing`, the order of statements, the fates, the retractions; `>=` of ttl, age from T;
  each part of freshness; `<=` of `in_force`, `<` of the first publish, the delay (none, 1 µs more); newest → oldest
  revision; X for T in `as_known`; a null part of a key; event times or bits left out where served rows are compared.
- oracle_windows.py: each end of a window, unchanged rows written, the first row, rounding, spelling, NaN, the offset.
- bits.py: the sign of zero. timeline_replay.py, seen to fail here: the pointer of `online`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from tests.support import oracle
from tests.support.bits import same_bits
from tests.support.histories import Batch, Example, make_batches
from tests.support.timeline_replay import Move, Push, acts, online, reads

SEEDS = range(6)


def generated(seed: int, *, spine: int | None = 30) -> list[Batch]:
    return make_batches(seed, timelines=25, examples=8, spine=spine)


def each(batches: list[Batch]) -> list[Example]:
    return [example for batch in batches for example in batch.examples]


@pytest.mark.parametrize("seed", SEEDS)
def test_online_reader_of_served_rows_equals_as_served(seed: int) -> None:
    for example in each(generated(seed)):
        world, served = example.world, oracle.served_rows(example.world)
        for _, at_us in example.spine:
            if at_us is None or oracle.is_simulated(world, at_us):
                continue
            offline = oracle.as_served(world, example.key, at_us)
            read = online(world, served, example.key, at_us)
            assert same_bits(vars(read), vars(offline)), f"seed {seed}, example {example.number}, T {at_us}"


@pytest.mark.parametrize("seed", SEEDS)
def test_answer_of_the_past_never_changes_when_more_is_published(seed: int) -> None:
    """Cut a world after any revision: whatever was served until then stays what it was."""
    for example in each(generated(seed, spine=12)):
        world = example.world
        for last in world.revisions[:-1]:
            if last.points_at is None:
                continue
            kept = [one for one in world.revisions if one.number <= last.number]
            told = {one.points_at for one in kept}
            early = replace(
                world,
                revisions=tuple(kept),
                generations=tuple(
                    one if one.number in told else replace(one, fate=oracle.ABORTED) for one in world.generations
                ),
            )
            following = world.revisions[last.number]
            for _, at_us in example.spine:
                if at_us is None or at_us >= following.visible_from_us or oracle.is_simulated(world, at_us):
                    continue
                now, then = (oracle.as_served(one, example.key, at_us) for one in (world, early))
                assert same_bits(vars(now), vars(then)), f"seed {seed}, example {example.number}, T {at_us}"


@pytest.mark.parametrize("seed", SEEDS)
def test_revert_restores_the_state_of_its_target(seed: int) -> None:
    for batch in generated(seed):
        for number, target in batch.plan.reverts.items():
            for example in batch.examples:
                after = oracle.as_pushed(example.world, example.key, number)
                before = oracle.as_pushed(example.world, example.key, target)
                assert same_bits(vars(replace(after, gen=0)), vars(replace(before, gen=0))), f"seed {seed}"


@pytest.mark.parametrize("seed", SEEDS)
def test_answer_uses_no_row_of_the_future(seed: int) -> None:
    """Taking away every row of a later event time, or of a generation not yet visible, changes no answer."""
    for example in each(generated(seed, spine=12)):
        world = example.world
        for _, at_us in example.spine:
            if at_us is None or oracle.is_simulated(world, at_us):
                continue
            rows = tuple(row for row in world.rows if row.event_us <= at_us and row.gen < at_us)
            full, cut = (oracle.as_served(one, example.key, at_us) for one in (world, replace(world, rows=rows)))
            assert same_bits(vars(full), vars(cut)), f"seed {seed}, example {example.number}, T {at_us}"


@pytest.mark.parametrize("seed", SEEDS)
def test_generated_histories_keep_their_invariants(seed: int) -> None:
    for batch in generated(seed):
        plan = batch.plan
        numbers = [one.number for one in plan.generations]
        assert numbers == sorted(set(numbers))
        instants = [one.visible_from_us for one in plan.revisions]
        assert instants == sorted(set(instants))
        fates = {one.number: one.fate for one in plan.generations}
        pointed: list[int] = []
        for one in plan.revisions:
            if one.points_at is None:
                assert not pointed, "a published view was dropped"
            elif one.points_at not in pointed:
                assert fates[one.points_at] == oracle.PUBLISHED
                assert one.visible_from_us > one.points_at == max([one.points_at, *pointed])
                pointed.append(one.points_at)
        assert pointed == [number for number in numbers if fates[number] == oracle.PUBLISHED]
        for example in batch.examples:
            said = Counter((row.event_us, row.gen) for row in example.rows)
            assert not said or max(said.values()) == 1
            assert all(row.event_us <= row.gen and row.gen in fates for row in example.rows)


@pytest.mark.parametrize("seed", SEEDS)
def test_replay_acts_push_before_they_point(seed: int) -> None:
    for batch in generated(seed):
        complete: set[int] = set()
        numbers = []
        for act in acts(batch):
            if isinstance(act, Push):
                complete |= {act.gen} if act.is_complete else set()
            elif isinstance(act, Move):
                numbers.append(act.number)
                assert act.points_at is None or act.points_at in complete
        assert numbers == [one.number for one in batch.plan.revisions]
        assert {read.revision for read in reads(batch)} == set(numbers)


def test_generated_histories_reach_every_situation() -> None:
    """A generator that never makes a case proves nothing about it."""
    seen: Counter[str] = Counter()
    for batch in make_batches(1, timelines=150, examples=4, spine=None):
        plan = batch.plan
        seen.update(one.fate for one in plan.generations)
        points = [one.points_at for one in plan.revisions]
        seen["back"] += sum(b < a for a, b in pairwise(points) if a is not None)
        seen["unmoved"] += sum(a == b for a, b in pairwise(points))
        seen["revert"] += len(plan.reverts)
        for example in batch.examples:
            seen.update(f"flag {row.flag}" for row in example.rows)
            seen["before 1970"] += sum(row.event_us < 0 for row in example.rows)
            seen["at its own start"] += sum(row.event_us == row.gen for row in example.rows)
            seen["correction"] += len(example.rows) - len({row.event_us for row in example.rows})
            seen.update(served.state for served in oracle.served_rows(example.world))
            for entity, at_us in example.spine:
                told = oracle.as_served(example.world, (example.number, entity), at_us)
                seen.update(f"{status} {told.simulated}" for status in told.statuses.values())
                if plan.ttl_us is not None and told.age_us is not None:
                    seen[f"ttl {told.age_us - plan.ttl_us}"] += 1
    situations = [oracle.PUBLISHED, oracle.REFUSED, oracle.ABORTED, "back", "unmoved", "revert", "before 1970"]
    situations += ["flag ", "flag deleted", "flag retracted", "at its own start", "correction", "ttl -1", "ttl 0"]
    situations += ["present", "deleted", "absent", "UNPUBLISHED False"]
    statuses = ("PRESENT", "NULL", "NOT_FOUND", "DELETED", "EXPIRED")
    situations += [f"{status} {simulated}" for status in statuses for simulated in (False, True)]
    assert [one for one in situations if seen[one] < 20] == []
