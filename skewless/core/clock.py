"""Clocks as values: handed down from the entry point, called by nothing below it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """Something that tells the time."""

    def now_us(self) -> int:
        """Microseconds since 1970, UTC."""

    def wait_until(self, instant_us: int) -> None:
        """Return when the instant has come."""


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The machine's own clock."""

    def now_us(self) -> int:
        """Microseconds since 1970, UTC."""
        return time.time_ns() // 1000

    def wait_until(self, instant_us: int) -> None:
        """Sleep until the instant has come."""
        while (left := instant_us - self.now_us()) > 0:
            time.sleep(left / 1_000_000)


@dataclass(slots=True)
class ManualClock:
    """A clock that stands until it is moved: for tests and, kept in a file, for the replay environment."""

    instant_us: int

    def now_us(self) -> int:
        """Where it stands."""
        return self.instant_us

    def wait_until(self, instant_us: int) -> None:
        """Move forward to the instant; never back."""
        self.instant_us = max(self.instant_us, instant_us)
