from __future__ import annotations

from types import SimpleNamespace

import pytest

from skewless.online.speculation import MeasuredSpeculation, with_time_left


def second_attempt_s(speculation: MeasuredSpeculation, statement: object = None) -> float:
    plan = speculation.new_plan("keyspace", statement)
    first, after = plan.next_execution(None), plan.next_execution(None)
    assert after < 0, "there is one further attempt, not two"
    return first


def measured(*ms: float) -> MeasuredSpeculation:
    speculation = MeasuredSpeculation()
    for each in ms:
        speculation.record(each / 1000)
    return speculation


def test_second_attempt_comes_after_ten_milliseconds_until_enough_was_measured() -> None:
    assert second_attempt_s(measured(*[1.0] * 127)) == pytest.approx(0.010)


@pytest.mark.parametrize(("p99_ms", "delay_s"), [(6.0, 0.006), (1.0, 0.004), (500.0, 0.100)])
def test_second_attempt_comes_after_the_p99_within_bounds(p99_ms: float, delay_s: float) -> None:
    assert second_attempt_s(measured(*[0.5] * 124, *[p99_ms] * 4)) == pytest.approx(delay_s)


def test_second_attempt_comes_when_half_of_the_time_is_left_at_the_latest() -> None:
    slow = measured(*[80.0] * 128)
    assert second_attempt_s(slow) == pytest.approx(0.080)
    assert second_attempt_s(slow, with_time_left(SimpleNamespace(), 0.050)) == pytest.approx(0.025)
    assert second_attempt_s(slow, with_time_left(SimpleNamespace(), 5.0)) == pytest.approx(0.080)
