"""Instants, durations, ticks."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skewless.core.clock import ManualClock, SystemClock
from skewless.core.time import (
    Schedule,
    days,
    duration_us,
    format_duration,
    format_instant,
    from_us,
    hours,
    minutes,
    parse_duration,
    parse_instant,
    to_us,
)  # fmt: skip
from skewless.errors import DefinitionError, UsageError

DAY_US, HOUR_US = 86_400_000_000, 3_600_000_000
UTC = timezone.utc


@pytest.mark.parametrize(
    ("instant", "instant_us"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), -1),
        (datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), 0),
        (datetime(2017, 10, 2, tzinfo=UTC), 1_506_902_400_000_000),
        (datetime(1, 1, 1, tzinfo=UTC), -62_135_596_800_000_000),
        (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), 253_402_300_799_999_999),
    ],
)
def test_instant_and_microseconds_are_two_spellings_of_one_thing(instant: datetime, instant_us: int) -> None:
    assert to_us(instant) == instant_us
    assert from_us(instant_us) == instant
    assert from_us(instant_us).tzinfo is UTC


def test_instant_without_zone_is_refused_with_the_cure() -> None:
    with pytest.raises(UsageError, match=r"has no time zone.*Write 2017-10-02T06:00:00Z"):
        to_us(datetime(2017, 10, 2, 6))  # noqa: DTZ001 - the point of the test


@pytest.mark.parametrize(
    ("text", "instant_us"),
    [
        ("2017-10-02", 1_506_902_400_000_000),
        (" 2017-10-02 ", 1_506_902_400_000_000),
        ("2017-10-02T06:00Z", 1_506_924_000_000_000),
        ("2017-10-02T06:00:00z", 1_506_924_000_000_000),
        ("2017-10-02 06:00+00:00", 1_506_924_000_000_000),
        ("2017-10-02T06:00:00+02:00", 1_506_916_800_000_000),
        ("2017-10-02T06:00:00.000001Z", 1_506_924_000_000_001),
        ("1969-12-31", -DAY_US),
    ],
)
def test_parse_instant_reads_dates_and_zoned_times(text: str, instant_us: int) -> None:
    assert to_us(parse_instant(text)) == instant_us
    assert parse_instant(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2017-02-30", "2017-13-01", "2017-10-02T25:00Z", "02.10.2017", "\x00"]
)
def test_parse_instant_of_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not a time\. Write it as"):
        parse_instant(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00+02:00", "9999-12-31T23:59-02:00"])
def test_parse_instant_outside_the_calendar_in_utc_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a time"):
        parse_instant(text)


@pytest.mark.parametrize("text", ["2017-10-02T06:00", "2017-10-02T06:00:00", "2017-10-02 00:00"])
def test_parse_instant_without_zone_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="has no time zone"):
        parse_instant(text)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("7d", days(7)), ("36h", hours(36)), ("90m", minutes(90)), ("30s", timedelta(seconds=30)),
        ("1d 12h", hours(36)), ("1d12h", hours(36)), ("7 d", days(7)), ("0s", timedelta(0)),
    ],
)  # fmt: skip
def test_parse_duration_reads_units_and_sums(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", " ", "7", "d", "-7d", "1.5h", "7D", "7w", "7dd", "7d8", "1d,2h", "P7D"])
def test_parse_duration_of_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not a duration\. Write it as 7d"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["1000001d", "99999999999999999999h"])
def test_parse_duration_beyond_a_million_days_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="longer than a million days"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("instant_us", "text"),
    [
        (0, "1970-01-01 00:00 UTC"),
        (1_000_000, "1970-01-01 00:00:01 UTC"),
        (-1, "1969-12-31 23:59:59.999999 UTC"),
    ],
)
def test_format_instant_shows_only_what_says_something(instant_us: int, text: str) -> None:
    assert format_instant(from_us(instant_us)) == text


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0 s"), (days(30), "30 d"), (days(3) + hours(4) + minutes(5), "3 d 4 h"),
        (-hours(36), "-1 d 12 h"), (timedelta(days=1, seconds=5), "1 d 5 s"),
    ],
)  # fmt: skip
def test_format_duration_gives_the_two_largest_units(duration: timedelta, text: str) -> None:
    assert format_duration(duration) == text


@pytest.mark.parametrize(
    ("every", "offset", "instant_us", "floor_us", "ceil_us"),
    [
        (days(1), days(0), 0, 0, 0),
        (days(1), days(0), 1, 0, DAY_US),
        (days(1), days(0), -1, -DAY_US, 0),
        (days(1), days(0), DAY_US - 1, 0, DAY_US),
        (days(1), days(0), -DAY_US, -DAY_US, -DAY_US),
        (days(1), hours(6), 6 * HOUR_US, 6 * HOUR_US, 6 * HOUR_US),
        (days(1), hours(6), 6 * HOUR_US - 1, -18 * HOUR_US, 6 * HOUR_US),
        (days(1), hours(6), 6 * HOUR_US + 1, 6 * HOUR_US, 30 * HOUR_US),
        (days(1), hours(6), -18 * HOUR_US - 1, -42 * HOUR_US, -18 * HOUR_US),
    ],
)
def test_schedule_floor_and_ceil_around_a_tick(
    every: timedelta, offset: timedelta, instant_us: int, floor_us: int, ceil_us: int
) -> None:
    schedule = Schedule(every, offset)
    assert (schedule.floor_us(instant_us), schedule.ceil_us(instant_us)) == (floor_us, ceil_us)


@given(every_us=st.integers(1, 10 * DAY_US), share=st.integers(0, 10**6), instant_us=st.integers(-(10**17), 10**17))
def test_schedule_floor_and_ceil_are_the_nearest_ticks_on_both_sides(
    every_us: int, share: int, instant_us: int
) -> None:
    offset_us = share % every_us
    schedule = Schedule(timedelta(microseconds=every_us), timedelta(microseconds=offset_us))
    floor_us, ceil_us = schedule.floor_us(instant_us), schedule.ceil_us(instant_us)
    assert (floor_us - offset_us) % every_us == (ceil_us - offset_us) % every_us == 0
    assert instant_us - every_us < floor_us <= instant_us <= ceil_us < instant_us + every_us
    assert (floor_us == instant_us) == (ceil_us == instant_us)


def test_schedule_ticks_include_both_ends_and_cross_1970() -> None:
    schedule = Schedule(hours(12), hours(3))
    ticks = [-21 * HOUR_US, -9 * HOUR_US, 3 * HOUR_US, 15 * HOUR_US]
    assert list(schedule.ticks_us(-21 * HOUR_US, 15 * HOUR_US)) == ticks
    assert list(schedule.ticks_us(-21 * HOUR_US + 1, 15 * HOUR_US - 1)) == ticks[1:3]
    assert list(schedule.ticks_us(1, 0)) == []
    assert list(schedule.ticks_us(3 * HOUR_US, 3 * HOUR_US)) == [3 * HOUR_US]


@pytest.mark.parametrize("every", [timedelta(0), -days(1)])
def test_schedule_that_never_ticks_is_refused(every: timedelta) -> None:
    with pytest.raises(DefinitionError, match="never ticks"):
        Schedule(every)


@pytest.mark.parametrize("offset", [-hours(1), days(1), days(2)])
def test_schedule_offset_outside_its_period_is_refused(offset: timedelta) -> None:
    with pytest.raises(DefinitionError, match="at least 0 and less than the period"):
        Schedule(days(1), offset)


def test_duration_in_microseconds_is_exact_where_seconds_as_a_float_are_not() -> None:
    assert duration_us(timedelta(days=10**6, microseconds=1)) == 10**6 * DAY_US + 1


def test_manual_clock_stands_until_moved_and_never_goes_back() -> None:
    clock = ManualClock(5)
    clock.wait_until(3)
    assert clock.now_us() == 5
    clock.wait_until(9)
    assert clock.now_us() == 9


def test_system_clock_waits_until_the_instant_has_come() -> None:
    clock = SystemClock()
    instant_us = clock.now_us() + 20_000
    clock.wait_until(instant_us)
    assert instant_us <= clock.now_us() < instant_us + 5_000_000
