"""The brute-force window oracle by hand-computed tables; times in µs unless a test says otherwise."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.bits import same_bits
from tests.support.oracle_windows import Agg, exact_sum, mean, window_values

KEY = ("a",)
HOUR = 3_600_000_000


def values(events: list[tuple[int, Any]], aggregate: Agg, **how: Any) -> dict[int, Any]:
    """Tick → value of one aggregate over events (time, amount) of one key; ticks every 10 through 100."""
    how = {"every_us": 10, "through_us": 100, **how}
    rows = window_values([(KEY, event_us, {"amount": amount}) for event_us, amount in events], {"f": aggregate}, **how)
    return {tick: row["f"] for _, tick, row in rows}


def test_window_start_counts_and_its_end_does_not() -> None:
    assert values([(20, 1)], Agg("count", 10)) == {30: 1, 40: 0}


def test_window_end_less_one_microsecond_counts() -> None:
    assert values([(19, 1)], Agg("count", 10)) == {20: 1, 30: 0}


def test_rows_stand_only_where_the_value_changes() -> None:
    assert values([(5, 1), (41, 1)], Agg("count", 30)) == {10: 1, 40: 0, 50: 1, 80: 0}


def test_same_value_of_other_events_is_no_change() -> None:
    assert values([(5, 7), (15, 7)], Agg("sum", 10, "amount")) == {10: 7, 30: None}


def test_row_of_empties_has_count_zero_and_nulls() -> None:
    aggregates = {
        "count": Agg("count", 10),
        "distinct": Agg("count_distinct", 10, "amount"),
        "sum": Agg("sum", 10, "amount", scale=6),
        "mean": mean("amount", 10),
    }
    rows = window_values([(KEY, 5, {"amount": 2.0})], aggregates, every_us=10, through_us=50)
    assert rows == [
        (KEY, 10, {"count": 1, "distinct": 1, "sum": 2.0, "mean": 2.0}),
        (KEY, 20, {"count": 0, "distinct": 0, "sum": None, "mean": None}),
    ]


def test_event_that_changes_no_value_gives_no_row() -> None:
    assert values([(5, None)], Agg("sum", 10, "amount")) == {}


def test_event_that_fails_where_does_not_make_its_key_known() -> None:
    assert values([(5, 1)], Agg("count", 10, where=lambda event: event["amount"] > 5)) == {}


def test_where_that_is_null_does_not_count() -> None:
    assert values([(5, None), (6, 9)], Agg("count", 10, where=lambda event: event["amount"] and True)) == {10: 1, 20: 0}


def test_event_after_through_or_on_it_does_not_count() -> None:
    assert values([(5, 1), (20, 1), (21, 1)], Agg("count", 30), through_us=20) == {10: 1}


def test_start_skips_ticks_but_not_the_events_before_it() -> None:
    assert values([(5, 1), (12, 1)], Agg("count", 30), start_us=21) == {30: 2, 40: 1, 50: 0}


def test_start_after_all_windows_are_empty_writes_nothing() -> None:
    assert values([(5, 1)], Agg("count", 10), start_us=50) == {}


def test_offset_shifts_ticks_also_before_1970() -> None:
    assert values([(-8, 1)], Agg("count", 10), offset_us=3, through_us=30) == {-7: 1, 3: 0}


def test_window_shorter_than_the_period_misses_events_between() -> None:
    assert values([(5, 1), (17, 1)], Agg("count", 4)) == {20: 1, 30: 0}


def test_ratio_is_null_without_a_denominator_and_zero_without_a_numerator() -> None:
    parts = (Agg("count", 20, where=lambda event: event["amount"] == 1), Agg("count", 20))
    assert values([(5, 0), (15, 1)], Agg("ratio", 20, parts=parts)) == {10: 0.0, 20: 0.5, 30: 1.0, 40: None}


def test_ratio_with_a_sum_of_zero_below_is_null() -> None:
    parts = (Agg("count", 10), Agg("sum", 10, "amount", scale=6))
    assert values([(5, 0.0)], Agg("ratio", 10, parts=parts)) == {}


def test_count_of_a_column_leaves_nulls_out() -> None:
    assert values([(5, None), (6, 1)], Agg("count", 10, "amount")) == {10: 1, 20: 0}


def test_distinct_takes_nan_once_and_both_zeros_as_one() -> None:
    odd = [float("nan"), -float("nan"), 0.0, -0.0, None]
    assert values([(5, amount) for amount in odd], Agg("count_distinct", 10, "amount")) == {10: 2, 20: 0}


@pytest.mark.parametrize(
    ("amounts", "scale", "total"),
    [
        ([0.1] * 3, 6, 0.3),  # a double sum gives 0.30000000000000004
        ([1e15, 0.1, -1e15], 6, 0.1),
        ([0.5], 0, 1.0),
        ([-0.5], 0, -1.0),
        ([1.005], 2, 1.01),  # by its spelling; the double itself lies below
        ([0.0000004], 6, 0.0),
        ([-0.0], 6, 0.0),
        ([2**53 + 1, 0], None, 2**53 + 1),
    ],
)
def test_sum_is_exact_in_units_and_rounds_half_away_from_zero(amounts: list, scale: int | None, total: float) -> None:
    assert same_bits(exact_sum(amounts, scale), total)


def test_sum_of_nan_or_infinity_is_refused() -> None:
    for amount in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="no exact sum"):
            exact_sum([amount], 6)


def test_clock_change_does_not_shift_a_window() -> None:
    """Berlin skips an hour on 26 March 2017: the window stays 24 hours long, 23:00 local of the day before the last."""
    berlin = ZoneInfo("Europe/Berlin")

    def local(*parts: int) -> int:
        return int(datetime(*parts, tzinfo=berlin).timestamp()) * 1_000_000

    midnight_utc = local(2017, 3, 27, 2)
    first = local(2017, 3, 26, 1)  # 00:00 UTC in winter time
    events = [(KEY, first - 1, {}), (KEY, first, {}), (KEY, midnight_utc - 1, {})]
    rows = window_values(events, {"f": Agg("count", 24 * HOUR)}, every_us=24 * HOUR, through_us=midnight_utc)
    assert midnight_utc - first == 24 * HOUR
    assert [(tick, row["f"]) for _, tick, row in rows] == [(first, 1), (midnight_utc, 2)]


def test_keys_do_not_share_events_and_two_windows_change_on_their_own() -> None:
    events = [(("a",), 5, {}), (("b",), 25, {})]
    aggregates = {"short": Agg("count", 10), "long": Agg("count", 20)}
    assert window_values(events, aggregates, every_us=10, through_us=60) == [
        (("a",), 10, {"short": 1, "long": 1}),
        (("a",), 20, {"short": 0, "long": 1}),
        (("a",), 30, {"short": 0, "long": 0}),
        (("b",), 30, {"short": 1, "long": 1}),
        (("b",), 40, {"short": 0, "long": 1}),
        (("b",), 50, {"short": 0, "long": 0}),
    ]
