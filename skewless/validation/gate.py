"""The gate: every rule of a generation judged on exactly the rows that would become visible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from skewless.core.rules import Rule, Scope
from skewless.errors import SkewlessError
from skewless.validation.breakers import Limits, Measurements, trip
from skewless.validation.engine import Batch, Outcome
from skewless.validation.families import family, misfit, rule_columns
from skewless.validation.findings import attach, clean_error, unjudged
from skewless.validation.probe import Probe, probe
from skewless.validation.suite import build, rule_names
from skewless.validation.verdict import CheckResult, Verdict

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: Up to this many rows one task is faster than an exchange between two: GX runs several small jobs per suite.
_ONE_TASK_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class _Bench:
    """One scope's rows and what is known of them."""

    scope: Scope
    frame: DataFrame
    counted: int
    private: frozenset[str]
    may_be_empty: bool


def judge(
    rules: Sequence[Rule],
    *,
    changed: DataFrame,
    current: DataFrame,
    measurements: Measurements,
    limits: Limits | None = None,
    accept: Mapping[str, str] | None = None,
) -> Verdict:
    """Judge a generation.

    An empty `changed` leaves its rules unjudged when the measurements say that nothing changed, and fails them when
    they say otherwise; an empty `current` fails its rules unless `limits.allow_empty`.

    Args:
        rules: The view's rules.
        changed: The rows of the generation.
        current: The state of every entity as it would be served.
        measurements: What was counted while the generation was made.
        limits: How far the measurements may go; the defaults when None.
        accept: Check name → reason for publishing in spite of its failure.

    Raises:
        DefinitionError: A rule cannot be turned into an expectation.
        UsageError: `accept` names no check, or gives no reason.
        SkewlessError: The rows themselves cannot be read.
    """
    bounds = limits or Limits()
    named = dict(zip(rule_names(rules), rules, strict=True))
    benches = (
        _Bench(Scope.CHANGED, changed, measurements.changed_rows, bounds.private_columns, may_be_empty=True),
        _Bench(
            Scope.CURRENT,
            current,
            measurements.current_entities,
            bounds.private_columns,
            may_be_empty=bounds.allow_empty,
        ),
    )
    found: dict[str, CheckResult] = {}
    for bench in benches:
        mine = {name: rule for name, rule in named.items() if rule.effective_scope is bench.scope}
        if mine:
            found |= _judge_bench(bench, mine)
    return Verdict.of((*trip(measurements, bounds), *(found[name] for name in named)), accept)


def _judge_bench(bench: _Bench, rules: Mapping[str, Rule]) -> dict[str, CheckResult]:
    expectations = {name: build(rule, check=name) for name, rule in rules.items()}
    families = {column: family(kind) for column, kind in bench.frame.dtypes}
    problems = {name: _problem(bench.frame, rule, families) for name, rule in rules.items()}
    found = {
        name: unjudged(name, rules[name], error=clean_error(problem, rules[name], bench.private))
        for name, problem in problems.items()
        if problem is not None
    }
    fit = {name: rule for name, rule in rules.items() if name not in found}
    if not fit:
        return found
    with _held(bench, fit) as rows:
        counts = _probe(bench, rows, fit)
        if counts.rows == 0:
            idle = {name: rule for name, rule in fit.items() if not _judges_emptiness(rule)}
            found |= {name: _idle(bench, name, rule) for name, rule in idle.items()}
            fit = {name: rule for name, rule in fit.items() if name not in idle}
        if fit:
            found |= _run(rows, fit, expectations, counts, private=bench.private)
    return found


def _run(
    rows: DataFrame,
    rules: Mapping[str, Rule],
    expectations: Mapping[str, object],
    counts: Probe,
    *,
    private: frozenset[str],
) -> dict[str, CheckResult]:
    batch = Batch(rows)
    outcomes = batch.validate({name: expectations[name] for name in rules})
    failed = {name: expectations[name] for name, one in outcomes.items() if not one.passed and one.error is None}
    if failed:
        outcomes |= batch.validate(failed, with_details=True)
    return {name: _result(name, rules[name], outcomes[name], counts, private=private) for name in rules}


def _result(name: str, rule: Rule, outcome: Outcome, counts: Probe, *, private: frozenset[str]) -> CheckResult:
    if outcome.error is not None:
        return unjudged(name, rule, error=clean_error(outcome.error, rule, private))
    result = attach(unjudged(name, rule, error=None), outcome, rule, private=private)
    if not counts.fails(name, rule):
        return result
    nan = counts.nan[name]
    seen_by_gx = (result.unexpected_count or 0) if "Pair" in rule.expectation else 0
    count = nan.bad + seen_by_gx
    share = count / nan.base if nan.base else None
    samples = result.samples or ("nan",)
    return replace(result, passed=False, unexpected_count=count, unexpected_share=share, samples=samples)


def _problem(frame: DataFrame, rule: Rule, families: Mapping[str, str]) -> str | None:
    if rule.expectation == "ExpectColumnToExist":
        return None
    condition = dict(rule.arguments).get("row_condition")
    problem = misfit(rule, families)
    if problem is None and condition:
        try:
            frame.filter(str(condition)).schema  # noqa: B018 - asking for the schema makes Spark resolve the condition
        except Exception as refused:  # any engine's refusal means the same here
            return f"row_condition {condition!r} is refused: {refused}"
    return problem


def _probe(bench: _Bench, rows: DataFrame, rules: Mapping[str, Rule]) -> Probe:
    try:
        return probe(rows, rules)
    except Exception as broken:
        reason = clean_error(str(broken), None, frozenset())
        message = f"The {bench.scope.value} rows cannot be read, so they cannot be judged: {reason}. See the run's log."
        raise SkewlessError(message) from broken


def _judges_emptiness(rule: Rule) -> bool:
    return rule.expectation.startswith("ExpectTable") or rule.expectation == "ExpectColumnToExist"


def _idle(bench: _Bench, name: str, rule: Rule) -> CheckResult:
    is_fault = bench.counted > 0 or not bench.may_be_empty
    counted = f", although {bench.counted:,} were counted" if bench.counted else ""
    result = unjudged(name, rule, error=f"there are no {bench.scope.value} rows to look at{counted}")
    return replace(result, judged=is_fault)


@contextmanager
def _held(bench: _Bench, rules: Mapping[str, Rule]) -> Iterator[DataFrame]:
    """The columns that rules look at, kept in memory: GX asks for the same rows in several jobs."""
    columns = list(dict.fromkeys(column for rule in rules.values() for column in rule_columns(rule)))
    conditions = [str(dict(rule.arguments).get("row_condition") or "") for rule in rules.values()]
    is_whole = any(rule.expectation.startswith("ExpectTableColumn") for rule in rules.values()) or any(conditions)
    rows = bench.frame if is_whole or not columns else bench.frame.select(*columns)
    if bench.counted <= _ONE_TASK_ROWS:
        rows = rows.coalesce(1)
    rows = rows.persist()
    try:
        yield rows
    finally:
        rows.unpersist()
