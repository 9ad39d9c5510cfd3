"""A seeded generator of examples: what was said of one entity, and the spine rows that ask about it.

    batches = make_batches(seed=7, timelines=40, examples=15)      # examples of a batch share one timeline
    rows = history_rows(batches[0].examples)                       # tuples for spark.createDataFrame(rows, HISTORY)
    for (example, entity, at, label), told in answers(batches[0].examples, as_served): ...

The example's number is the first join key, so one Spark job checks many examples. Numbers are unique within one call,
so batches of one call may also share tables (each batch has its own generations; see `project_revisions`).
`same_bits` and `bits` are the comparison to use; their choices are stated in `tests/support/bits.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any

from tests.support import oracle
from tests.support.bits import bits, same_bits
from tests.support.oracle import DELETED, PUBLISHED, RETRACTED, VALUE, Answer, Generation, Key, Row, World
from tests.support.timelines import Plan, make_plan

__all__ = ["bits", "same_bits"]

#: Feature → type, in the product's own spelling of types.
FEATURES = {"n": "int64", "x": "float64", "s": "string", "tags": "array<string>"}
KEYS = ("example", "entity")
_FEATURES_DDL = "n bigint, x double, s string, tags array<string>"
HISTORY = f"example int, entity string, event_timestamp timestamp, _gen bigint, _flag string, {_FEATURES_DDL}"
SERVED = f"example int, entity string, _gen bigint, event_timestamp timestamp, {_FEATURES_DDL}, _state string"
SPINE = "example int, entity string, at timestamp, label string"

ENTITIES = ("a", "", "a|b", "ä", "null", " a")
UNKNOWN = "nobody"
POOL: dict[str, tuple[Any, ...]] = {
    "n": (None, 0, 1, -1, 2**53 + 1, 2**63 - 1, -(2**63)),
    "x": (None, 0.0, -0.0, 1.0, 0.1, float("nan"), float("inf"), float("-inf"), 5e-324, 1.7976931348623157e308),
    "s": (None, "", "null", "NaN", "ä\u0000\U0001f600", "a|b"),
    "tags": (None, [], [""], ["a", "b"], ["b", "a"]),
}
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
SpineRow = tuple["int | None", "str | None", "int | None", str]


@dataclass(frozen=True)
class Example:
    """What was said of one entity on a shared timeline, and the (entity, time) pairs that ask about it."""

    number: int
    plan: Plan = field(repr=False)
    entity: str
    rows: tuple[Row, ...]
    spine: tuple[tuple[str | None, int | None], ...]

    @property
    def key(self) -> Key:
        """The join key of the entity."""
        return (self.number, self.entity)

    @property
    def world(self) -> World:
        """The example as the oracle takes it."""
        plan = self.plan
        rules = (plan.ttl_us, plan.delay_us, plan.every_us, plan.offset_us)
        return World(tuple(FEATURES), self.rows, plan.generations, plan.revisions, *rules)


@dataclass(frozen=True)
class Batch:
    """Examples that share one timeline; it is a view of its own."""

    number: int
    plan: Plan
    examples: tuple[Example, ...]


def make_batches(seed: int, *, timelines: int = 1, examples: int = 15, spine: int | None = 16) -> list[Batch]:
    """The same batches for the same arguments; `spine` bounds the drawn spine rows per example, None takes all."""
    rng = Random(seed)
    batches = []
    for number in range(timelines):
        plan = make_plan(rng)
        first = number * examples
        batches.append(
            Batch(number, plan, tuple(make_example(rng, plan, first + one, spine) for one in range(examples)))
        )
    return batches


def make_example(rng: Random, plan: Plan, number: int, spine: int | None) -> Example:
    """One entity's history and spine; one in fifty is a hot key."""
    entity = rng.choice(ENTITIES)
    most = 40 if rng.random() < 0.02 else 3
    rows: list[Row] = []
    for generation in plan.generations:
        target = plan.reverts.get(generation.number)
        if target is not None:
            rows += revert_rows(plan, rows, generation.number, target)
            continue
        for event_us in _event_times(rng, plan, generation, rows, most):
            rows.append(_statement(rng, (number, entity), event_us, generation.number, rows))
    return Example(number, plan, entity, tuple(rows), _spine(rng, plan, rows, entity, spine))


def revert_rows(plan: Plan, rows: list[Row], number: int, target: int) -> list[Row]:
    """Restate what was known at `target` of every event time that later published generations touched."""
    published = {one.number for one in plan.generations if one.fate == PUBLISHED}
    touched = sorted({row.event_us for row in rows if row.gen in published and target < row.gen < number})
    restated = []
    for event_us in touched:
        known = [row for row in rows if row.event_us == event_us and row.gen in published and row.gen <= target]
        old = max(known, key=lambda row: row.gen, default=None)
        values, flag = (old.values, old.flag) if old else (dict.fromkeys(FEATURES), RETRACTED)
        restated.append(Row(rows[0].key, event_us, number, values, flag))
    return restated


def _event_times(rng: Random, plan: Plan, generation: Generation, rows: list[Row], most: int) -> list[int]:
    """Different event times of one generation: known ones (corrections), late ones, and the latest that is legal."""
    if plan.every_us is not None:
        fresh = [generation.through_us - plan.every_us * back for back in (0, 0, 1, 2, 7)]
    else:
        latest = generation.number
        fresh = [latest, latest, latest - 1, *(latest - plan.unit_us * back for back in (1, 2, 6, 50)), latest // 2, -1]
    if most > 3:
        fresh += [generation.through_us - (plan.every_us or plan.unit_us) * back for back in range(most)]
    fresh = [event_us for event_us in fresh if event_us <= generation.number]
    known = [row.event_us for row in rows]
    count = rng.randint(most // 2, most) if most > 3 else rng.choice((0, 1, 1, 2, 3))
    return sorted({rng.choice(known if known and rng.random() < 0.45 else fresh) for _ in range(count)})


def _statement(rng: Random, key: Key, event_us: int, gen: int, rows: list[Row]) -> Row:
    before = [row for row in rows if row.event_us == event_us]
    flags = (VALUE,) * 7 + (DELETED,) * 2 + (RETRACTED,) * (3 if before else 1)
    flag = rng.choice(flags)
    if flag != VALUE:
        return Row(key, event_us, gen, dict.fromkeys(FEATURES), flag)
    if rows and rng.random() < 0.15:
        return Row(key, event_us, gen, rows[-1].values)  # the same values again
    if rng.random() < 0.1:
        return Row(key, event_us, gen, dict.fromkeys(FEATURES))  # a row of nulls is a row
    return Row(key, event_us, gen, {name: rng.choice(pool) for name, pool in POOL.items()})


def _spine(rng: Random, plan: Plan, rows: list[Row], entity: str, limit: int | None) -> tuple[Any, ...]:
    """Every instant at which an answer may change, and 1 µs to either side of it; null, unknown and double rows."""
    turns = {row.event_us for row in rows} | {one.visible_from_us for one in plan.revisions}
    turns |= {one.through_us for one in plan.generations}
    if plan.every_us is not None:
        turns |= {turn - (turn - plan.offset_us) % plan.every_us + plan.every_us for turn in turns}
    turns |= {row.event_us + plan.delay_us for row in rows}
    if plan.ttl_us is not None:
        turns |= {turn + plan.ttl_us for turn in turns}
    instants = sorted({turn + side for turn in turns for side in (-1, 0, 1)})
    if limit is not None and len(instants) > limit:
        instants = rng.sample(instants, limit)
    at_us = rng.choice(instants) if instants else 0
    odd = [(None, at_us), (entity, None), (None, None), (UNKNOWN, at_us), (entity, at_us), (entity, at_us)]
    asked: list[tuple[str | None, int | None]] = [(entity, instant) for instant in instants] + odd
    rng.shuffle(asked)
    return tuple(asked)


def moment(instant_us: int | None) -> datetime | None:
    """The aware datetime that Spark takes for a TIMESTAMP."""
    return None if instant_us is None else EPOCH + timedelta(microseconds=instant_us)


def history_rows(examples: Iterable[Example]) -> list[tuple[Any, ...]]:
    """Rows of the history table (schema HISTORY), those of unpublished generations among them."""
    return [
        (*row.key, moment(row.event_us), row.gen, row.flag, *row.values.values())
        for example in examples
        for row in example.rows
    ]


def served_rows(examples: Iterable[Example]) -> list[tuple[Any, ...]]:
    """Rows of the served log (schema SERVED), as the oracle says they must be."""
    return [
        (*row.key, row.gen, moment(row.event_us), *row.values.values(), row.state)
        for example in examples
        for row in oracle.served_rows(example.world)
    ]


def spine_us(examples: Iterable[Example]) -> list[SpineRow]:
    """Spine rows with their times in microseconds; the label tells examples apart, but not the rows of one."""
    return [
        (example.number, entity, at_us, f"label {example.number}")
        for example in examples
        for entity, at_us in example.spine
    ]


def spine_rows(examples: Iterable[Example]) -> list[tuple[Any, ...]]:
    """Rows of the spine (schema SPINE)."""
    return [(number, entity, moment(at_us), label) for number, entity, at_us, label in spine_us(examples)]


def answers(
    examples: Iterable[Example], mode: Callable[..., Answer] = oracle.as_served, **how: Any
) -> list[tuple[Any, ...]]:
    """The expected (spine row with its time in µs, answer) of every spine row, in the order of `spine_rows`."""
    return [
        (row, mode(example.world, (example.number, row[1]), row[2], **how))
        for example in examples
        for row in spine_us([example])
    ]


def project_revisions(batches: Iterable[Batch]) -> list[tuple[int, dict[int, int]]]:
    """All timelines as one project's: (visible_from_us, batch → generation) of every revision, in order.

    Revisions of equal instants become one, which then moves several views; the numbers of the oracle's own revisions
    do not hold in it.
    """
    moves: dict[int, dict[int, int]] = {}
    for batch in batches:
        for revision in batch.plan.revisions:
            if revision.points_at is not None:
                moves.setdefault(revision.visible_from_us, {})[batch.number] = revision.points_at
    merged: list[tuple[int, dict[int, int]]] = []
    current: dict[int, int] = {}
    for visible_from_us, moved in sorted(moves.items()):
        current = {**current, **moved}
        merged.append((visible_from_us, current))
    return merged
