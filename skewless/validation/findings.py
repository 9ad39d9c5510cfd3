"""From what Great Expectations returns to what a verdict may hold: plain JSON, bounded, personal data masked."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from math import isfinite
from typing import Any

from skewless.core.rules import Rule
from skewless.validation.engine import SAMPLE_LIMIT, Outcome
from skewless.validation.families import rule_columns
from skewless.validation.verdict import CheckResult
from skewless.validation.wording import describe

MASK = "(masked)"
_TEXT_LIMIT = 80
_CONDITION = re.compile(r"\[([A-Z][A-Z0-9_.]+)\]")
#: Kinds whose observed value is a count or a share and gives nothing away.
_HARMLESS = ("UniqueValueCount", "Proportion", "TypeToBe", "InTypeList", "BeOfType")


def unjudged(name: str, rule: Rule, *, error: str | None) -> CheckResult:
    """The result of a rule before, or without, an answer."""
    return CheckResult(
        name=name,
        title=rule.title,
        severity=rule.severity,
        scope=rule.effective_scope,
        column=rule.column,
        passed=False,
        expected=describe(rule),
        error=error,
    )


def attach(result: CheckResult, outcome: Outcome, rule: Rule, *, private: Collection[str]) -> CheckResult:
    """Put an answer into a result."""
    details = outcome.details
    is_private = any(column in private for column in rule_columns(rule))
    observed = plain(details.get("observed_value"))
    if is_private and observed is not None and not any(word in rule.expectation for word in _HARMLESS):
        observed = MASK
    percent = details.get("unexpected_percent")
    count = details.get("unexpected_count")
    return replace(
        result,
        passed=outcome.passed,
        observed=observed,
        unexpected_count=int(count) if count is not None else None,
        unexpected_share=float(percent) / 100 if percent is not None else None,
        samples=_samples(details, is_private=is_private),
    )


def _samples(details: Mapping[str, Any], *, is_private: bool) -> tuple[str, ...]:
    found: Iterable[Any] = details.get("partial_unexpected_list") or details.get("partial_missing_list") or ()
    texts = tuple(_cut(str(plain(value))) for value in list(found)[:SAMPLE_LIMIT])
    return (MASK,) if is_private and texts else texts


def plain(value: Any) -> Any:
    """A value as plain JSON: numpy's scalars unwrapped, numbers that JSON lacks and everything else as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in list(value)[: SAMPLE_LIMIT * 5]]
    if hasattr(value, "item") and hasattr(value, "dtype"):
        return plain(value.item())
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    return value if value is None or isinstance(value, (bool, int)) else _cut(str(value))


def clean_error(text: str, rule: Rule | None, private: Collection[str]) -> str:
    """An engine's complaint in one line, without values of the data.

    Spark's texts quote the value that they stumbled on, so of those only the error condition is kept.
    """
    condition = _CONDITION.search(text)
    if condition is not None:
        return f"Spark refused it with {condition.group(1)}"
    if rule is not None and any(column in private for column in rule_columns(rule)):
        return "the engine raised an error (text masked)"
    lines = text.strip().splitlines() or ["no reason given"]
    return lines[0][:200].removeprefix("Error: ").rstrip(".")


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_LIMIT else text[: _TEXT_LIMIT - 1] + "…"
