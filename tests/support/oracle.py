"""The rule of the contract (design 01 §4) in plain Python: slow, plain, and without a line of the product in it.

Decisions where the design leaves a choice (the lead knows of each):

- `newest g` is where the newest revision points, visible yet or not, a rolled-back pointer included.
- `as_known(X)` with X before the first publish is UNPUBLISHED; so is every mode of a view that never was published.
- A null key or null time is NOT_FOUND, even of an unpublished view; `simulated` follows the time alone.
- Freshness of a tick view: min(`through` of the generation that answers, last tick <= t), where t is the instant at
  which the state was taken: T - delay in the simulated era. The age is always counted from T itself.
- DELETED comes before EXPIRED. Event time and age are told whenever there is a row, also when its value is withheld.
- `revision` is the one in force at T (or X), also when it did not move the view; None for simulated and event-time.
- Served rows tell of a change of (state, event time, values) bit for bit. The generation of the winner is no change:
  a restatement of the same is not pushed. Compared is with the state at the published generation before, wherever the
  pointer was rolled to. Rows that are deleted or absent carry no values, absent ones no event time either.
- Outside of the contract, and met by no generated example: a revision that drops a view which was published before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.support.bits import bits

PUBLISHED, REFUSED, ABORTED = "published", "refused", "aborted"
VALUE, DELETED, RETRACTED = "", "deleted", "retracted"

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Row:
    """One row of history: what generation `gen` said of `key` at `event_us`."""

    key: Key
    event_us: int
    gen: int
    values: dict[str, Any] = field(hash=False)
    flag: str = VALUE


@dataclass(frozen=True)
class Generation:
    """One attempt that reached the tables, and what became of it."""

    number: int
    fate: str = PUBLISHED
    through_us: int = 0


@dataclass(frozen=True)
class Revision:
    """From `visible_from_us` on, itself included, readers use generation `points_at`; None: of other views only."""

    number: int
    visible_from_us: int
    points_at: int | None


@dataclass(frozen=True)
class World:
    """One view with everything that was ever said and published of it; `every_us` None makes it a row view."""

    features: tuple[str, ...]
    rows: tuple[Row, ...]
    generations: tuple[Generation, ...]
    revisions: tuple[Revision, ...]
    ttl_us: int | None = None
    delay_us: int = 0
    every_us: int | None = None
    offset_us: int = 0


@dataclass(frozen=True)
class Answer:
    """One value and one status per feature, and where they come from."""

    values: dict[str, Any] = field(hash=False)
    statuses: dict[str, str] = field(hash=False)
    event_us: int | None = None
    age_us: int | None = None
    generation: int | None = None
    revision: int | None = None
    simulated: bool = False


@dataclass(frozen=True)
class Served:
    """One row of the served log: from generation `gen` on, `key` is `state` (present, deleted or absent)."""

    key: Key
    gen: int
    state: str
    event_us: int | None
    values: dict[str, Any] = field(hash=False)


def state(world: World, key: Key, gen: int, t_us: int) -> Row | None:
    """The row of `key` that holds at `t_us` for a reader of generation `gen`."""
    return max(standing(world, key, gen, t_us), key=lambda row: row.event_us, default=None)


def standing(world: World, key: Key, gen: int, t_us: int) -> list[Row]:
    """What `gen` still says of `key` up to `t_us`: per event time its newest statement, if it stands."""
    published = [one.number for one in world.generations if one.fate == PUBLISHED]
    known = [row for row in world.rows if row.key == key and row.gen in published]
    known = [row for row in known if row.gen <= gen and row.event_us <= t_us]
    last_said = [
        row for row in known if not any(other.event_us == row.event_us and other.gen > row.gen for other in known)
    ]
    return [row for row in last_said if row.flag != RETRACTED]


def fresh_at(world: World, row: Row, gen: int, t_us: int) -> int:
    """The instant through which the value of `row`, the state at (`gen`, `t_us`), is known to hold."""
    if world.every_us is None:
        return row.event_us
    last_tick = t_us - (t_us - world.offset_us) % world.every_us
    through = next(one.through_us for one in world.generations if one.number == gen)
    return min(through, last_tick)


def answer(world: World, key: Key, gen: int, t_us: int, at_us: int) -> Answer:
    """What a reader at `at_us` is told from the state at (`gen`, `t_us`)."""
    row = state(world, key, gen, t_us)
    if row is None:
        return nothing(world, "NOT_FOUND", generation=gen)
    age = at_us - fresh_at(world, row, gen, t_us)
    values: dict[str, Any] = dict.fromkeys(world.features)
    if row.flag == DELETED:
        status = dict.fromkeys(world.features, "DELETED")
    elif world.ttl_us is not None and age >= world.ttl_us:
        status = dict.fromkeys(world.features, "EXPIRED")
    else:
        values = {name: row.values[name] for name in world.features}
        status = {name: "NULL" if value is None else "PRESENT" for name, value in values.items()}
    return Answer(values, status, row.event_us, age, gen)


def nothing(world: World, status: str, **more: Any) -> Answer:
    """An answer without a row."""
    return Answer(dict.fromkeys(world.features), dict.fromkeys(world.features, status), **more)


def in_force(world: World, at_us: int) -> Revision | None:
    """The revision that readers use at an instant."""
    visible = [revision for revision in world.revisions if revision.visible_from_us <= at_us]
    return max(visible, key=lambda revision: revision.number) if visible else None


def newest_generation(world: World) -> int | None:
    """Where the newest revision points."""
    return max(world.revisions, key=lambda revision: revision.number).points_at if world.revisions else None


def is_missing(key: Key, at_us: int | None) -> bool:
    """True for spine rows that ask for nothing: a part of the key, or the time, is null."""
    return at_us is None or any(part is None for part in key)


def is_simulated(world: World, at_us: int | None) -> bool:
    """True before the view's first publish; False for a view that never was published, and at no time."""
    first = min((one.visible_from_us for one in world.revisions if one.points_at is not None), default=None)
    return first is not None and at_us is not None and at_us < first


def as_served(world: World, key: Key, at_us: int | None) -> Answer:
    """What a service was given at `at_us`; before the first publish, what it would have been given."""
    simulated = is_simulated(world, at_us)
    if at_us is None or is_missing(key, at_us):
        return nothing(world, "NOT_FOUND", simulated=simulated)
    if simulated:
        told = event_time(world, key, at_us, delay_us=world.delay_us)
        return Answer(**{**vars(told), "simulated": True})
    return as_known(world, key, at_us, known_us=at_us)


def event_time(world: World, key: Key, at_us: int | None, *, delay_us: int = 0) -> Answer:
    """The classic point-in-time join: everything that is known by now of `at_us` (less a delay)."""
    newest = newest_generation(world)
    if at_us is None or is_missing(key, at_us):
        return nothing(world, "NOT_FOUND")
    if newest is None:
        return nothing(world, "UNPUBLISHED")
    return answer(world, key, newest, at_us - delay_us, at_us)


def as_known(world: World, key: Key, at_us: int | None, *, known_us: int) -> Answer:
    """What readers of the instant `known_us` were told of `at_us`."""
    revision = in_force(world, known_us)
    if at_us is None or is_missing(key, at_us):
        return nothing(world, "NOT_FOUND")
    if revision is None or revision.points_at is None:
        return nothing(world, "UNPUBLISHED", revision=revision.number if revision else None)
    return Answer(**{**vars(answer(world, key, revision.points_at, at_us, at_us)), "revision": revision.number})


def served_rows(world: World) -> list[Served]:
    """The served log: per published generation, in order, the entities whose current state it changed."""
    log: list[Served] = []
    before: dict[Key, Any] = {}
    keys = list(dict.fromkeys(row.key for row in world.rows))
    for generation in sorted(one.number for one in world.generations if one.fate == PUBLISHED):
        for key in keys:
            now = as_pushed(world, key, generation)
            content = (now.state, now.event_us, bits(now.values))
            if content != before.get(key, ("absent", None, bits(dict.fromkeys(world.features)))):
                log.append(now)
            before[key] = content
    return log


def as_pushed(world: World, key: Key, gen: int) -> Served:
    """The current state of `key` at a generation, in the form in which the push sends it."""
    row = state(world, key, gen, gen)  # no event time lies behind the start of its generation, which is its number
    empty = dict.fromkeys(world.features)
    if row is None:
        return Served(key, gen, "absent", None, empty)
    if row.flag == DELETED:
        return Served(key, gen, "deleted", row.event_us, empty)
    return Served(key, gen, "present", row.event_us, {name: row.values[name] for name in world.features})
