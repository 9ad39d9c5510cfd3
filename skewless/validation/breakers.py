"""Circuit breakers: checks of numbers that are on for every view without a rule being written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite

from skewless.core.rules import Severity
from skewless.validation.verdict import CheckResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """What was counted while a generation was made.

    Attributes:
        changed_rows: Rows of the generation.
        current_entities: Entities that would be served.
        published_entities: Entities served now; None when nothing is published yet.
        quarantined: Source rows that were set aside.
        read_rows: Source rows that were read, those set aside included.
        duplicates: Rows of the generation beyond the first of their (keys, event time).
        null_rates: Feature → share of null values in what would be served.
        published_null_rates: The same of what is served now; None when it is not known.
    """

    changed_rows: int
    current_entities: int
    published_entities: int | None = None
    quarantined: int = 0
    read_rows: int = 0
    duplicates: int = 0
    null_rates: Mapping[str, float] = field(default_factory=dict, hash=False)
    published_null_rates: Mapping[str, float] | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far the measurements may go; each bound itself is still allowed.

    Attributes:
        max_quarantine_share: Set-aside rows as a share of the rows read.
        max_entity_change: Change of the number of entities, either way, as a share of the published number.
        max_null_rise: Rise of a feature's null rate, in absolute terms (0.20 is 20 points).
        allow_empty: True lets a generation serve no entity at all.
        allow_entity_change: True for a backfill that is meant to change the number of entities.
        private_columns: Columns whose values no report may show.
    """

    max_quarantine_share: float = 0.05
    max_entity_change: float = 0.20
    max_null_rise: float = 0.20
    allow_empty: bool = False
    allow_entity_change: bool = False
    private_columns: frozenset[str] = frozenset()


def trip(measured: Measurements, limits: Limits) -> tuple[CheckResult, ...]:
    """Hold the measurements against the limits; pure numbers, one result per breaker."""
    return (
        _emptiness(measured, limits),
        _quarantine(measured, limits),
        _duplicates(measured),
        *_entities(measured, limits),
        *_null_rates(measured, limits),
    )


def _breaker(name: str, *, passed: bool, expected: str, observed: str, column: str | None = None) -> CheckResult:
    return CheckResult(
        name=f"breaker.{name}",
        title=f"circuit breaker: {name}",
        severity=Severity.CRITICAL,
        scope=None,
        column=column,
        passed=passed,
        observed=observed,
        expected=expected,
    )


def _emptiness(measured: Measurements, limits: Limits) -> CheckResult:
    return _breaker(
        "empty_publish",
        passed=limits.allow_empty or measured.current_entities > 0,
        expected="at least 1 entity must be served, unless an empty view is asked for",
        observed=f"{measured.current_entities:,} entities would be served",
    )


def _quarantine(measured: Measurements, limits: Limits) -> CheckResult:
    share = measured.quarantined / measured.read_rows if measured.read_rows else float(measured.quarantined > 0)
    return _breaker(
        "quarantine_share",
        passed=share <= limits.max_quarantine_share,
        expected=f"at most {limits.max_quarantine_share:.1%} of the rows read may be set aside",
        observed=f"{share:.1%}: {measured.quarantined:,} of {measured.read_rows:,} rows",
    )


def _duplicates(measured: Measurements) -> CheckResult:
    return _breaker(
        "duplicate_keys",
        passed=measured.duplicates == 0,
        expected="keys and event time must be unique within the generation",
        observed=f"{measured.duplicates:,} rows too many",
    )


def _entities(measured: Measurements, limits: Limits) -> Iterator[CheckResult]:
    before, now = measured.published_entities, measured.current_entities
    if before is None or limits.allow_entity_change:
        return
    change = (now - before) / before if before else float(now > 0)
    # Nothing served before is a start, not a jump: growth out of 0 entities has no share.
    yield _breaker(
        "entity_count",
        passed=before == 0 or abs(now - before) <= limits.max_entity_change * before * (1 + 1e-12),
        expected=f"the number of entities may change by at most ± {limits.max_entity_change:.0%}",
        observed=f"{change:+.1%}: {now:,} after {before:,} entities",
    )


def _null_rates(measured: Measurements, limits: Limits) -> Iterator[CheckResult]:
    for feature, before in sorted((measured.published_null_rates or {}).items()):
        now = measured.null_rates.get(feature)
        if now is None:
            continue
        rise = now - before
        yield _breaker(
            f"null_rate.{feature}",
            passed=isfinite(rise) and rise <= limits.max_null_rise + 1e-12,
            expected=f"the null rate of {feature} may rise by at most {limits.max_null_rise * 100:.0f} points",
            observed=f"{now:.1%} after {before:.1%}",
            column=feature,
        )
