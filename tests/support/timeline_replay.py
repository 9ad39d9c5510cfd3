"""A batch as the online store lives through it: what is pushed, in which order pointers move, what each read must give.

    for act in acts(batch): ...          # Push (complete, or given up half-way), Move
    for read in reads(batch): ...        # after each revision: (key, instant, expected answer)

`online` is the second half of the contract's claim: a reader that knows nothing but served rows and its pointer. That
it equals `oracle.as_served` is a property of the rule, tested without any store.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf

from tests.support.histories import UNKNOWN, Batch
from tests.support.oracle import (
    ABORTED,
    PUBLISHED,
    REFUSED,
    Answer,
    Key,
    Row,
    Served,
    World,
    answer,
    as_served,
    in_force,
    nothing,
    served_rows,
)


@dataclass(frozen=True)
class Push:
    """Rows of one generation go to the store; an aborted one gives up after some of them and must be purged."""

    gen: int
    rows: tuple[Served, ...]
    is_complete: bool


@dataclass(frozen=True)
class Move:
    """Revision `number` becomes visible; `points_at` None moves other views only."""

    number: int
    visible_from_us: int
    points_at: int | None


@dataclass(frozen=True)
class Read:
    """What a reader of `key` must be told at `at_us`, while revision `revision` is in force."""

    revision: int
    at_us: int
    key: Key
    told: Answer


def online(world: World, served: list[Served], key: Key, at_us: int) -> Answer:
    """What a reader is told from served rows alone: the newest one at or before its pointer's generation."""
    revision = in_force(world, at_us)
    if revision is None or revision.points_at is None:
        return nothing(world, "UNPUBLISHED", revision=revision.number if revision else None)
    held = [row for row in served if row.key == key and row.gen <= revision.points_at]
    newest = max(held, key=lambda row: row.gen, default=None)
    flags = {"present": "", "deleted": "deleted"}
    if newest is None or newest.event_us is None:
        rows: tuple[Row, ...] = ()
    else:  # one statement, made by the generation that answers: status and age then follow by the same rule
        rows = (Row(key, newest.event_us, revision.points_at, newest.values, flags[newest.state]),)
    told = answer(replace(world, rows=rows), key, revision.points_at, at_us, at_us)
    return replace(told, revision=revision.number)


def acts(batch: Batch) -> list[Push | Move]:
    """Pushes and pointer moves in their order. Refused generations are never pushed."""
    happened: list[tuple[float, int, Push | Move]] = []
    for generation in batch.plan.generations:
        if generation.fate != REFUSED:
            rows = tuple(row for one in batch.examples for row in pushed(one.world, generation.number))
            is_complete = generation.fate != ABORTED
            rows = rows if is_complete else rows[: (len(rows) + 1) // 2]
            happened.append((generation.number, 0, Push(generation.number, rows, is_complete)))
    for revision in batch.plan.revisions:
        move = Move(revision.number, revision.visible_from_us, revision.points_at)
        so_far = [one.points_at for one in batch.plan.revisions if one.number <= revision.number]
        newest = max((number for number in so_far if number is not None), default=-inf)
        happened.append((newest, revision.number, move))
    return [act for _, _, act in sorted(happened, key=lambda one: one[:2])]


def pushed(world: World, gen: int) -> list[Served]:
    """The served rows of one generation, as they would be if it were published."""
    generations = tuple(replace(one, fate=PUBLISHED) if one.number == gen else one for one in world.generations)
    return [row for row in served_rows(replace(world, generations=generations)) if row.gen == gen]


def reads(batch: Batch) -> Iterator[Read]:
    """After each revision, at its first and its last instant: every entity of the batch, and one that is unknown."""
    revisions = batch.plan.revisions
    for one, following in zip(revisions, [*revisions[1:], None], strict=True):
        last = following.visible_from_us - 1 if following else one.visible_from_us + 100 * batch.plan.unit_us
        for at_us in sorted({one.visible_from_us, last}):
            for example in batch.examples:
                for key in (example.key, (example.number, UNKNOWN)):
                    yield Read(one.number, at_us, key, as_served(example.world, key, at_us))
