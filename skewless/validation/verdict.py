"""What the gate found: one result per check, and whether the generation may become visible."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any

from skewless.core.rules import Scope, Severity
from skewless.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What one check saw.

    Attributes:
        name: By which `--accept` refers to it: `spend_7d.values_to_be_between`, `breaker.entity_count`.
        title: The check as it was written down.
        severity: What its failure does.
        scope: The rows that it looked at; None for circuit breakers, which look at numbers.
        column: The column that it judges, when it judges one.
        passed: True when what was expected was seen; False also when nothing could be judged.
        observed: What was seen, as plain JSON; numbers that JSON lacks are text, personal data is masked.
        expected: What should have been seen, as a phrase.
        unexpected_count: Rows that broke the rule; None when that is not known or means nothing.
        unexpected_share: Those rows as a share of the rows judged.
        samples: Up to 20 values that broke the rule, as text; masked for personal data.
        error: Why the check could not be carried out: a fault of rule or surroundings, not of the data.
        judged: False when there was no row to judge and that is no fault: such a check counts neither way.
        accepted_because: The reason given for publishing in spite of this failure.
    """

    name: str
    title: str
    severity: Severity
    scope: Scope | None
    column: str | None
    passed: bool
    observed: Any = None
    expected: str = ""
    unexpected_count: int | None = None
    unexpected_share: float | None = None
    samples: tuple[str, ...] = ()
    error: str | None = None
    judged: bool = True
    accepted_because: str | None = None

    @property
    def has_failed(self) -> bool:
        """True when it was judged and did not pass, accepted or not."""
        return self.judged and not self.passed

    @property
    def phrase(self) -> str:
        """`spend_7d must be >= 0 (12 rows)`."""
        if self.error is not None:
            return f"{self.expected} (not judged: {self.error})"
        if self.unexpected_count:
            rows = "row" if self.unexpected_count == 1 else "rows"
            return f"{self.expected} ({self.unexpected_count:,} {rows} {self._side}".rstrip() + ")"
        seen = "" if self.observed is None else f" (seen: {self.observed})"
        return f"{self.expected}{seen}"

    @property
    def _side(self) -> str:
        below, above = " must be >" in self.expected, " must be <" in self.expected
        return "below" if below else "above" if above else ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, read back by `from_json`."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        found["severity"] = self.severity.value
        found["scope"] = self.scope.value if self.scope is not None else None
        found["samples"] = list(self.samples)
        return found

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> CheckResult:
        """Read what `to_json` wrote; unknown names are left out, so that old readers can read new records."""
        known = {field.name: stored[field.name] for field in fields(cls) if field.name in stored}
        known["severity"] = Severity(known["severity"])
        known["scope"] = Scope(known["scope"]) if known["scope"] is not None else None
        known["samples"] = tuple(known.get("samples", ()))
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's word on one generation.

    Attributes:
        accepted: True when no critical check failed, or each failure was accepted with a reason.
        results: Every check in the order of the rules, circuit breakers first.
    """

    accepted: bool
    results: tuple[CheckResult, ...]

    @classmethod
    def of(cls, results: Iterable[CheckResult], accept: Mapping[str, str] | None = None) -> Verdict:
        """Reach a verdict.

        Args:
            results: What each check saw.
            accept: Check name → why its failure shall not stop the generation; recorded with the result.

        Raises:
            UsageError: No check has that name, or no reason is given.
        """
        found = tuple(results)
        reasons = dict(accept or {})
        _refuse_unknown(reasons, [one.name for one in found])
        marked = tuple(
            replace(one, accepted_because=reasons[one.name]) if one.has_failed and one.name in reasons else one
            for one in found
        )
        return cls(not any(_stops(one) for one in marked), marked)

    def failed(self, severity: Severity | None = None) -> tuple[CheckResult, ...]:
        """The checks that failed, of one severity or of all; accepted failures are among them."""
        return tuple(one for one in self.results if one.has_failed and (severity is None or one.severity is severity))

    @property
    def worst(self) -> CheckResult | None:
        """The failure to speak of first: one that stops the generation if there is one."""
        order = list(Severity)
        return min(self.failed(), key=lambda one: (not _stops(one), order.index(one.severity)), default=None)

    def summary(self) -> str:
        """One sentence: `3 of 14 checks failed, 1 of them critical: spend_7d must be >= 0 (12 rows below)`."""
        judged = [one for one in self.results if one.judged]
        idle = len(self.results) - len(judged)
        tail = f"; {idle} had no rows to judge" if idle else ""
        worst = self.worst
        if worst is None:
            return f"All {len(judged)} checks passed{tail}" if judged else f"Nothing was judged{tail}"
        failures = self.failed()
        accepted = sum(one.accepted_because is not None for one in failures)
        critical = len(self.failed(Severity.CRITICAL))
        notes = f", {critical} of them critical" if critical else ", none of them critical"
        notes += f", {accepted} accepted" if accepted else ""
        return f"{len(failures)} of {len(judged)} checks failed{notes}: {worst.phrase}{tail}"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, read back by `from_json`."""
        return {"accepted": self.accepted, "results": [one.to_json() for one in self.results]}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Verdict:
        """Read what `to_json` wrote."""
        return cls(bool(stored["accepted"]), tuple(CheckResult.from_json(one) for one in stored["results"]))


def _stops(result: CheckResult) -> bool:
    return result.has_failed and result.severity is Severity.CRITICAL and result.accepted_because is None


def _refuse_unknown(reasons: Mapping[str, str], names: list[str]) -> None:
    for name, reason in reasons.items():
        if name not in names:
            near = get_close_matches(name, names, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(names)}."
            raise UsageError(f"No check is named '{name}', so its failure cannot be accepted. {hint}")
        if not reason.strip():
            raise UsageError(f"Check '{name}' cannot be accepted without a reason. Say why it is safe to publish.")
