"""The replay clock: a virtual clock kept in a file, so that months can be played in minutes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from skewless.core.time import format_instant, from_us, to_us
from skewless.errors import ConfigError, UsageError


@dataclass(slots=True)
class ReplayClock:
    """A clock that stands until it is moved forward; every move is kept.

    Attributes:
        file: Where it is kept.
        instant_us: Where it stands.
    """

    file: Path
    instant_us: int

    @staticmethod
    def load(file: Path) -> ReplayClock:
        """The clock as it was left; a new one stands at 1970."""
        try:
            return ReplayClock(file, int(json.loads(file.read_text())["now_us"]))
        except FileNotFoundError:
            return ReplayClock(file, 0)
        except (ValueError, KeyError, TypeError) as damage:
            message = f"The replay clock in {file.name} cannot be read. Remove the state folder and replay again."
            raise ConfigError(message) from damage

    def now_us(self) -> int:
        """Where it stands."""
        return self.instant_us

    def wait_until(self, instant_us: int) -> None:
        """Move forward to an instant; never back."""
        if instant_us > self.instant_us:
            self.instant_us = instant_us
            self.file.parent.mkdir(parents=True, exist_ok=True)
            staged = self.file.with_suffix(".new")
            staged.write_text(json.dumps({"now_us": instant_us, "now": format_instant(from_us(instant_us))}))
            staged.replace(self.file)

    def move_to(self, instant: datetime) -> None:
        """Move forward on somebody's wish.

        Raises:
            UsageError: The instant lies behind: what was published then would be visible before its time.
        """
        if to_us(instant) < self.instant_us:
            message = (
                f"The replay clock stands at {format_instant(from_us(self.instant_us))} and never goes back to "
                f"{format_instant(instant)}. Give a later --now, or remove the state folder to begin again."
            )
            raise UsageError(message)
        self.wait_until(to_us(instant))
