"""How a plan puts values into words."""

from __future__ import annotations

from datetime import timedelta

import pytest

from skewless.core.time import days, hours
from skewless.plan.definition_plan import FieldChange, duration_words, schedule_words


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (days(30), "30 d"),
        (hours(36), "1 d 12 h"),
        (timedelta(0), "0 s"),
        (timedelta(milliseconds=500), "500000 µs"),
        (timedelta(days=1, hours=1, minutes=1), "90060000000 µs"),
        (-days(1), "-1 d"),
    ],
)
def test_duration_words_say_all_of_a_duration(duration: timedelta, words: str) -> None:
    assert duration_words(duration // timedelta(microseconds=1)) == words


@pytest.mark.parametrize(
    ("every", "offset", "words"),
    [(days(1), days(0), "daily"), (hours(6), hours(1), "every 6 h at +1 h"), (days(7), days(4), "weekly at +4 d")],
)
def test_schedule_words_name_usual_periods(every: timedelta, offset: timedelta, words: str) -> None:
    micro = timedelta(microseconds=1)
    assert schedule_words(every // micro, offset // micro) == words


def test_field_change_of_long_texts_shows_where_they_part_on_one_line() -> None:
    text = str(FieldChange("transform.plan", "a\n" * 100 + "old\nend", "a\n" * 100 + "new"))
    assert text == "transform.plan: …a a a a a a a a a a old end → …a a a a a a a a a a new"


def test_field_change_of_a_text_that_grew_shows_what_was_added() -> None:
    assert str(FieldChange("description", "x" * 80, "x" * 80 + " more")).endswith(f"{'x' * 20} → …{'x' * 20} more")
