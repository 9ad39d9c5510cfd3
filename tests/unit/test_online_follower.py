from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from skewless.core.clock import ManualClock
from skewless.core.timeline import Revision
from skewless.errors import StoreUnreachable
from skewless.online.follower import TimelineFollower
from skewless.online.transport import Snapshot


def revision(number: int, at_us: int | None = None) -> Revision:
    return Revision(number, number * 10 if at_us is None else at_us, {})


@dataclass
class Store:
    """The timeline half of a transport."""

    log: list[Revision] = field(default_factory=list)
    shown: int | None = None
    is_down: bool = False
    log_reads: int = 0

    def snapshot(self) -> Snapshot | None:
        if self.is_down:
            raise StoreUnreachable("down")
        log = self.log if self.shown is None else self.log[: self.shown]
        return Snapshot(log[-1], log[-2] if len(log) > 1 else None) if log else None

    def revisions(self, since: int) -> tuple[Revision, ...]:
        self.log_reads += 1
        return tuple(each for each in self.log if each.number > since)


def follower(store: Store, clock: ManualClock, seconds: list[float] | None = None) -> TimelineFollower:
    ticking = seconds if seconds is not None else [0.0]
    return TimelineFollower(store, clock=clock, poll_interval_s=1.0, monotonic=lambda: ticking[0])  # type: ignore[arg-type]


def number_at(followed: TimelineFollower, instant_us: int) -> int | None:
    found = followed.at(instant_us)
    return None if found is None else found.number


def test_follower_switches_at_the_named_instant_itself_included() -> None:
    store = Store([revision(1), revision(2)])
    followed = follower(store, ManualClock(10))
    followed.refresh()
    assert [number_at(followed, instant) for instant in (9, 10, 19, 20, 99)] == [None, 1, 1, 2, 2]


def test_follower_shown_a_smaller_revision_keeps_the_larger_and_is_not_confirmed_by_it() -> None:
    store, seconds = Store([revision(1), revision(2)]), [0.0]
    followed = follower(store, ManualClock(20), seconds)
    followed.refresh()
    store.shown, seconds[0] = 1, 3.0
    followed.refresh()
    assert number_at(followed, 20) == 2
    assert not followed.is_confirmed()
    store.shown = None
    followed.refresh()
    assert followed.is_confirmed()


def test_follower_that_missed_revisions_reads_them_from_the_log() -> None:
    store = Store([revision(1)])
    followed = follower(store, ManualClock(10))
    followed.refresh()
    store.log += [revision(2), revision(3), revision(4), revision(5)]
    followed.refresh()
    assert [number_at(followed, instant) for instant in (15, 25, 35, 45, 55)] == [1, 2, 3, 4, 5]
    assert store.log_reads == 1


def test_follower_that_missed_nothing_reads_no_log() -> None:
    store = Store([revision(1)])
    followed = follower(store, ManualClock(10))
    for number in (2, 3):
        followed.refresh()
        store.log.append(revision(number))
    followed.refresh()
    assert number_at(followed, 30) == 3
    assert store.log_reads == 0


@pytest.mark.parametrize(("later", "is_confirmed"), [(2.0, True), (2.001, False)])
def test_follower_is_unconfirmed_after_twice_the_poll_interval(later: float, is_confirmed: bool) -> None:
    store, seconds = Store([revision(1)]), [0.0]
    followed = follower(store, ManualClock(10), seconds)
    followed.refresh()
    store.is_down, seconds[0] = True, later
    with pytest.raises(StoreUnreachable):
        followed.refresh()
    assert followed.is_confirmed() is is_confirmed
    assert number_at(followed, 10) == 1


def test_follower_of_a_long_timeline_keeps_the_revision_in_force() -> None:
    store = Store([revision(1)])
    clock = ManualClock(10)
    followed = follower(store, clock)
    for number in range(2, 40):
        store.log.append(revision(number))
        followed.refresh()
        clock.instant_us = number * 10
        assert number_at(followed, clock.now_us()) == number
    assert len(followed.timeline.revisions) < 8
