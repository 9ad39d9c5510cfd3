"""The gate: Great Expectations judges, circuit breakers watch, a verdict says what became of each check."""

from skewless.validation.breakers import Limits, Measurements
from skewless.validation.gate import judge
from skewless.validation.suite import check_rules, rule_names
from skewless.validation.verdict import CheckResult, Verdict

__all__ = ["CheckResult", "Limits", "Measurements", "Verdict", "check_rules", "judge", "rule_names"]
