"""A seeded generator of timelines: attempts and their fates, publishes, rollbacks, roll-forwards and reverts.

What it never breaks: generations strictly increase; a revision becomes visible after the one before it, and after the
number of the generation that it is the first to publish; only published generations are pointed at; while the view is
rolled back no attempt but a revert is made; `through` is a tick at or before the generation's number.
What it does on purpose: an attempt may begin before the publish of the one before it is visible; revisions before the
first publish, and between, move other views only; time units range from 1 µs, where every instant touches another one,
to hours; clocks begin before 1970, at 1970, and in 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tests.support.oracle import ABORTED, PUBLISHED, REFUSED, Generation, Revision

HOUR = 3_600_000_000
EPOCHS = (-400_000 * HOUR, 0, 1_506_816_000_000_000, 1_506_816_000_123_457)


@dataclass(frozen=True)
class Plan:
    """What all examples of a batch share: the view's time rules, and its timeline.

    `reverts` maps the number of a reverting generation to the one whose knowledge it restates.
    """

    unit_us: int
    every_us: int | None
    offset_us: int
    ttl_us: int | None
    delay_us: int
    generations: tuple[Generation, ...]
    revisions: tuple[Revision, ...]
    reverts: dict[int, int]


def make_plan(rng: Random) -> Plan:
    """One view's time rules and timeline; one plan in twenty publishes nothing at all."""
    unit = rng.choice((1, 1, 3, 1_000, HOUR))
    every = rng.choice((None, 2, 3, 24))
    every_us = None if every is None else every * unit
    draft = _Draft(rng, unit, every_us, offset_us=rng.randrange(every_us) if every_us else 0)
    for _ in range(rng.randint(1, 6)):
        if not draft.act():
            break
    while not draft.published and rng.random() < 0.95:
        draft.attempt()
    if rng.random() < 0.2:
        draft.idle()
    step = every_us or unit
    return Plan(
        unit_us=unit,
        every_us=every_us,
        offset_us=draft.offset_us,
        ttl_us=rng.choice((None, None, 1, step, 2 * step, 5 * unit, 40 * unit)),
        delay_us=rng.choice((0, 1, unit, step, 3 * unit)),
        generations=tuple(draft.generations),
        revisions=tuple(draft.revisions),
        reverts=draft.reverts,
    )


class _Draft:
    """A timeline while it is being written."""

    def __init__(self, rng: Random, unit_us: int, every_us: int | None, *, offset_us: int) -> None:
        self.rng, self.unit_us, self.every_us, self.offset_us = rng, unit_us, every_us, offset_us
        self.clock_us = rng.choice(EPOCHS)
        self.generations: list[Generation] = []
        self.revisions: list[Revision] = []
        self.reverts: dict[int, int] = {}

    @property
    def published(self) -> list[Generation]:
        return [one for one in self.generations if one.fate == PUBLISHED]

    @property
    def is_rolled_back(self) -> bool:
        return bool(self.published) and self.revisions[-1].points_at != self.published[-1].number

    def act(self) -> bool:
        """Do the next thing; False when the view stays rolled back to the end."""
        if self.is_rolled_back:
            choice = self.rng.choice(("forward", "revert", "back", "idle", "stay"))
            if choice == "stay":
                return False
            getattr(self, choice)()
            return True
        can_go_back = len(self.published) > 1
        choices = ("attempt",) * 6 + ("idle",) + ("back", "back", "revert") * can_go_back
        getattr(self, self.rng.choice(choices))()
        return True

    def attempt(self) -> None:
        number = self._tick_on()
        fate = self.rng.choice((PUBLISHED,) * 4 + (REFUSED, ABORTED))
        self.generations.append(Generation(number, fate, self._through(number)))
        if fate == PUBLISHED:
            self._point_at(number)

    def revert(self) -> None:
        """A new generation that restates what an older one knew; it holds through the same tick as that one."""
        target = self.rng.choice(self.published[:-1])
        number = self._tick_on()
        through = target.through_us if self.every_us else number
        self.generations.append(Generation(number, PUBLISHED, through))
        self.reverts[number] = target.number
        self._point_at(number)

    def back(self) -> None:
        current = self.revisions[-1].points_at
        older = [one.number for one in self.published if current is not None and one.number < current]
        if older:
            self._tick_on()
            self._point_at(self.rng.choice(older))

    def forward(self) -> None:
        self._tick_on()
        self._point_at(self.published[-1].number)

    def idle(self) -> None:
        """Another view publishes; this one stays where it is."""
        self._tick_on()
        self._point_at(self.revisions[-1].points_at if self.revisions else None)

    def _tick_on(self) -> int:
        self.clock_us += self.rng.choice((1, self.unit_us, 2 * self.unit_us, 5 * self.unit_us, 30 * self.unit_us))
        return self.clock_us

    def _point_at(self, generation: int | None) -> None:
        last = self.revisions[-1].visible_from_us if self.revisions else self.clock_us
        activation = self.rng.choice((0, 0, self.unit_us, 4 * self.unit_us))
        visible_from = max(last, self.clock_us) + 1 + activation
        self.revisions.append(Revision(len(self.revisions) + 1, visible_from, generation))

    def _through(self, number: int) -> int:
        """The last tick, or an earlier one when the source was late, but never behind the through before it."""
        if self.every_us is None:
            return number
        last_tick = number - (number - self.offset_us) % self.every_us
        held = [one.through_us for one in self.published]
        return max([last_tick - self.every_us * self.rng.choice((0, 0, 0, 1, 2)), *held[-1:]])
