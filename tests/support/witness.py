"""Somebody who knows every value that was ever in force, and compares each answer with it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from skewless.core.serving import ServedView
from skewless.core.vector import FeatureVector, Status
from skewless.online import OnlineClient
from tests.online.shop import SECOND, T0, CassandraShop

_NO_ANSWER = (Status.TIMEOUT, Status.ERROR)
_IN_A_ROW = 100


@dataclass
class Count:
    """What became of some reads."""

    answered: int = 0
    unanswered: int = 0
    longest_s: float = 0.0

    @property
    def share(self) -> float:
        """Answered, of all."""
        return self.answered / max(1, self.answered + self.unanswered)


@dataclass
class Witness:
    """One view of one project; user u has the spend `1000 g + u` when generation g was its newest."""

    shop: CassandraShop
    users: int = 50
    view: ServedView = field(init=False)
    generation: int = field(default=4, init=False)
    #: Revision → user → generation: what was in force.
    model: dict[int, dict[int, int]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.view = self.shop.view()
        self.shop.serve(self.view)

    def push(self, users: range | None = None) -> dict[int, int]:
        """Write the next generation of some users (None: of all) and return it by user; nobody sees it yet."""
        self.generation += 1
        chosen = range(self.users) if users is None else users
        generation = self.generation
        self.shop.put(self.view, generation, *((user, T0, "", value(user, generation), user) for user in chosen))
        return dict.fromkeys(chosen, generation)

    def publish(self, pushed: dict[int, int]) -> int:
        """Put what was pushed into force at once; return the revision."""
        self.shop.clock.instant_us += SECOND
        number = self.shop.publish((self.view, self.generation), at_us=self.shop.clock.instant_us).number
        self.in_force(number, pushed)
        return number

    def in_force(self, number: int, pushed: dict[int, int]) -> None:
        """Remember what a revision says."""
        self.model[number] = {**self.model.get(number - 1, {}), **pushed}

    def is_answer(self, vector: FeatureVector, user: int) -> bool:
        """False when there is no answer; an answer that was not in force fails the test."""
        status, found = vector.status["spend:spend"], vector.values["spend:spend"]
        if status in _NO_ANSWER:
            assert found is None
            return False
        assert vector.revision is not None
        wanted = value(user, self.model[vector.revision][user])
        assert (status, found) == (Status.PRESENT, wanted), f"user {user} at revision {vector.revision}"
        return True

    def watch(self, client: OnlineClient, seconds: float, **how: object) -> Count:
        """Read one user after the other for some seconds."""
        count, until, user = Count(), time.monotonic() + seconds, 0
        while time.monotonic() < until:
            user = (user + 1) % self.users
            self.look(client, user, count, **how)
        return count

    def look(self, client: OnlineClient, user: int, count: Count, **how: object) -> bool:
        """Read one user."""
        began = time.monotonic()
        vector = client.get("svc", {"user_id": user}, **how)  # type: ignore[arg-type]
        count.longest_s = max(count.longest_s, time.monotonic() - began)
        is_answer = self.is_answer(vector, user)
        count.answered += is_answer
        count.unanswered += not is_answer
        return is_answer

    def recovered_s(self, client: OnlineClient, since: float, limit_s: float = 60.0) -> float:
        """Seconds from a fault to the first of a hundred answers in a row."""
        count, row, first = Count(), 0, since
        while row < _IN_A_ROW:
            assert time.monotonic() < since + limit_s, f"no hundred answers in a row within {limit_s:.0f} s: {count}"
            began = time.monotonic()
            row = row + 1 if self.look(client, row % self.users, count) else 0
            first = began if row == 1 else first
        return first - since


def value(user: int, generation: int) -> float:
    """Of a user by a generation."""
    return 1000.0 * generation + user
