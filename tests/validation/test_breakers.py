from __future__ import annotations

from typing import Any

import pytest

from skewless.core.rules import Severity
from skewless.errors import UsageError
from skewless.validation import CheckResult, Limits, Measurements, Verdict
from skewless.validation.breakers import trip

LIMITS = Limits()


def failed(limits: Limits = LIMITS, **measured: Any) -> list[str]:
    found = trip(Measurements(**{"changed_rows": 10, "current_entities": 100} | measured), limits)
    return [one.name for one in found if not one.passed]


def test_breakers_quiet_numbers_trip_nothing() -> None:
    assert failed(published_entities=100, read_rows=1000, quarantined=10) == []


@pytest.mark.parametrize(("quarantined", "trips"), [(50, False), (51, True)])
def test_quarantine_share_at_its_limit_holds_and_above_it_trips(quarantined: int, trips: bool) -> None:
    found = failed(read_rows=1000, quarantined=quarantined)
    assert found == (["breaker.quarantine_share"] if trips else [])


def test_quarantine_share_without_rows_read_is_zero() -> None:
    assert failed(read_rows=0, quarantined=0) == []


@pytest.mark.parametrize(("now", "trips"), [(80, False), (79, True), (120, False), (121, True)])
def test_entity_count_may_change_by_a_fifth_either_way(now: int, trips: bool) -> None:
    assert failed(published_entities=100, current_entities=now) == (["breaker.entity_count"] if trips else [])


def test_entity_count_of_a_first_generation_is_not_compared() -> None:
    assert failed(published_entities=None, current_entities=5_000) == []
    assert failed(published_entities=0, current_entities=5_000) == []


def test_entity_count_of_a_backfill_that_says_so_is_not_compared() -> None:
    assert failed(Limits(allow_entity_change=True), published_entities=100, current_entities=900) == []


def test_empty_publish_is_refused_unless_it_is_asked_for() -> None:
    assert failed(current_entities=0) == ["breaker.empty_publish"]
    assert failed(Limits(allow_empty=True), current_entities=0) == []


def test_duplicate_keys_trip() -> None:
    assert failed(duplicates=1) == ["breaker.duplicate_keys"]


@pytest.mark.parametrize(("now", "trips"), [(0.3, False), (0.31, True), (0.0, False), (float("nan"), True)])
def test_null_rate_may_rise_by_twenty_points(now: float, trips: bool) -> None:
    found = failed(null_rates={"spend": now, "fresh": 1.0}, published_null_rates={"spend": 0.1, "gone": 0.0})
    assert found == (["breaker.null_rate.spend"] if trips else [])


def result(name: str, severity: Severity, *, passed: bool, **more: Any) -> CheckResult:
    return CheckResult(
        name=name, title=name, severity=severity, scope=None, column=None, passed=passed, expected=name, **more
    )


def test_verdict_only_a_critical_failure_refuses() -> None:
    good = result("a", Severity.CRITICAL, passed=True)
    assert Verdict.of([good, result("b", Severity.WARNING, passed=False)]).accepted
    assert not Verdict.of([good, result("b", Severity.CRITICAL, passed=False)]).accepted


def test_verdict_summary_names_the_failure_that_stops_it_first() -> None:
    verdict = Verdict.of(
        [
            result("x must be 1", Severity.WARNING, passed=False),
            result("y must be 2", Severity.CRITICAL, passed=False, observed=3),
            result("z", Severity.INFO, passed=True),
        ]
    )
    assert verdict.summary() == "2 of 3 checks failed, 1 of them critical: y must be 2 (seen: 3)"


def test_verdict_acceptance_without_a_reason_is_refused() -> None:
    with pytest.raises(UsageError, match="without a reason"):
        Verdict.of([result("a", Severity.CRITICAL, passed=False)], {"a": " "})


def test_verdict_acceptance_of_a_check_that_passed_is_not_recorded() -> None:
    verdict = Verdict.of([result("a", Severity.CRITICAL, passed=True)], {"a": "why not"})
    assert verdict.results[0].accepted_because is None
