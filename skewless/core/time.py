"""Instants, durations and ticks.

An instant is an aware UTC `datetime` at the border and a count of microseconds since 1970 (`int`, named `_us`) inside.
Arithmetic is on the integers: a calendar interval is an hour wrong when clocks change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

from skewless.errors import DefinitionError, UsageError

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MICROSECOND = timedelta(microseconds=1)
_LONGEST_S = 1_000_000 * 86_400
_DURATION = re.compile(r"(\d+)\s*(d|h|m|s)")


def days(count: float) -> timedelta:
    """A duration of `count` times 24 hours."""
    return timedelta(days=count)


def hours(count: float) -> timedelta:
    """A duration of `count` hours."""
    return timedelta(hours=count)


def minutes(count: float) -> timedelta:
    """A duration of `count` minutes."""
    return timedelta(minutes=count)


def to_us(instant: datetime) -> int:
    """Microseconds since 1970-01-01T00:00Z.

    Raises:
        UsageError: The instant has no time zone.
    """
    if instant.tzinfo is None:
        message = (
            f"The time {instant.isoformat()} has no time zone, so it could mean any of 26 instants. "
            f"Write {instant.isoformat()}Z, or give the datetime a tzinfo."
        )
        raise UsageError(message)
    return (instant - EPOCH) // MICROSECOND


def from_us(instant_us: int) -> datetime:
    """The aware UTC datetime of a count of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=instant_us)


def duration_us(duration: timedelta) -> int:
    """A duration as a count of microseconds."""
    return duration // MICROSECOND


def parse_instant(text: str) -> datetime:
    """Read `2017-10-02`, `2017-10-02T06:00Z` or `2017-10-02T06:00:00+02:00`; a bare date is its midnight in UTC.

    Raises:
        UsageError: The text is no time, or a time of day without a zone.
    """
    cleaned = text.strip()
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", cleaned):
            return datetime.combine(date.fromisoformat(cleaned), datetime.min.time(), timezone.utc)
        parsed = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", cleaned))
        to_us(parsed)
        return parsed.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        message = f"'{text}' is not a time. Write it as 2017-10-02, or 2017-10-02T06:00:00Z."
        raise UsageError(message) from None


def parse_duration(text: str) -> timedelta:
    """Read `7d`, `36h`, `90m`, `30s` or a sum such as `1d 12h`.

    Raises:
        UsageError: The text is none of these, or longer than a million days.
    """
    parts = _DURATION.findall(text)
    if not parts or _DURATION.sub("", text).strip():
        raise UsageError(f"'{text}' is not a duration. Write it as 7d, 36h, 90m, 30s or '1d 12h'.")
    unit = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
    seconds = sum(int(count) * unit[letter] for count, letter in parts)
    if seconds > _LONGEST_S:
        raise UsageError(f"Duration '{text}' is longer than a million days.")
    return timedelta(seconds=seconds)


def format_instant(instant: datetime) -> str:
    """`2017-10-02 06:00 UTC`, with seconds or microseconds only where they say something."""
    utc = instant.astimezone(timezone.utc)
    if utc.microsecond:
        return f"{utc:%Y-%m-%d %H:%M:%S.%f} UTC"
    return f"{utc:%Y-%m-%d %H:%M:%S} UTC" if utc.second else f"{utc:%Y-%m-%d %H:%M} UTC"


def format_duration(duration: timedelta) -> str:
    """The two largest units of a duration: `3 d 4 h`, `2 s`, `0 s`."""
    left = abs(duration) // MICROSECOND
    parts = []
    for unit, size in (("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000)):
        if left >= size:
            parts.append(f"{left // size} {unit}")
            left %= size
    return ("-" if duration < timedelta(0) else "") + (" ".join(parts[:2]) or "0 s")


@dataclass(frozen=True, slots=True)
class Schedule:
    """The ticks of a view: every `every`, aligned in UTC to 1970-01-01T00:00Z + `offset`."""

    every: timedelta
    offset: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        if self.every <= timedelta(0):
            raise DefinitionError(f"A schedule of every {self.every} never ticks. Give a positive duration.")
        if not timedelta(0) <= self.offset < self.every:
            message = f"Offset {self.offset} must be at least 0 and less than the period {self.every}."
            raise DefinitionError(message)

    @property
    def every_us(self) -> int:
        """The period in microseconds."""
        return duration_us(self.every)

    @property
    def offset_us(self) -> int:
        """The offset in microseconds."""
        return duration_us(self.offset)

    def floor_us(self, instant_us: int) -> int:
        """The last tick at or before an instant."""
        return (instant_us - self.offset_us) // self.every_us * self.every_us + self.offset_us

    def ceil_us(self, instant_us: int) -> int:
        """The first tick at or after an instant."""
        return -((self.offset_us - instant_us) // self.every_us) * self.every_us + self.offset_us

    def ticks_us(self, first_us: int, last_us: int) -> Iterator[int]:
        """The ticks of `[first_us, last_us]`, both ends included."""
        tick = self.ceil_us(first_us)
        while tick <= last_us:
            yield tick
            tick += self.every_us
