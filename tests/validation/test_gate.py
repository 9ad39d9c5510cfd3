from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from math import inf, nan
from typing import Any

import pytest

from skewless.core.rules import Rule, Severity, gxe
from skewless.errors import DefinitionError, SkewlessError, UsageError
from skewless.validation import Limits, Measurements, Verdict, judge

pytestmark = pytest.mark.spark
Rows = Callable[..., Any]

NOT_NEGATIVE = gxe.ExpectColumnValuesToBeBetween(column="spend_7d", min_value=0)
GOOD = ((1, 10.0, 2, "a"), (2, 0.0, 3, "b"), (3, None, 4, "a"))


def verdict_on(rules: Sequence[Rule], frame: Any, *, current: Any = None, counted: int = 3, **more: Any) -> Verdict:
    served = frame if current is None else current
    measured = Measurements(changed_rows=counted, current_entities=3)
    return judge(rules, changed=frame, current=served, measurements=measured, **more)


def result_of(verdict: Verdict, name: str) -> Any:
    return next(one for one in verdict.results if one.name == name)


def test_gate_sound_generation_is_accepted_and_says_so(rows: Rows) -> None:
    rules = [
        NOT_NEGATIVE,
        gxe.ExpectColumnValuesToNotBeNull(column="household_id"),
        gxe.ExpectColumnValuesToNotBeNull(column="spend_7d", mostly=0.5),
        gxe.ExpectTableRowCountToBeBetween(min_value=1),
        gxe.ExpectColumnMeanToBeBetween(column="spend_7d", min_value=0, max_value=100),
    ]
    verdict = verdict_on(rules, rows(*GOOD))
    assert verdict.accepted
    assert verdict.failed() == ()
    assert verdict.summary() == "All 8 checks passed"


def test_gate_poisoned_generation_is_refused_with_rows_and_samples(rows: Rows) -> None:
    poisoned = rows((1, -5.0, 2, "a"), (2, 1.0, 3, "b"), (3, -7.0, 4, "a"))
    verdict = verdict_on([NOT_NEGATIVE], poisoned)
    found = result_of(verdict, "spend_7d.values_to_be_between")
    assert not verdict.accepted
    assert (found.unexpected_count, round(found.unexpected_share, 3)) == (2, 0.667)
    assert sorted(found.samples) == ["-5.0", "-7.0"]
    assert found.error is None
    assert verdict.summary() == "1 of 4 checks failed, 1 of them critical: spend_7d must be >= 0 (2 rows below)"


def test_gate_many_bad_rows_keep_at_most_twenty_samples(rows: Rows) -> None:
    verdict = verdict_on([NOT_NEGATIVE], rows(*((number, -1.0 - number, 0, "a") for number in range(60))))
    found = result_of(verdict, "spend_7d.values_to_be_between")
    assert found.unexpected_count == 60
    assert len(found.samples) == 20


def test_gate_failed_warning_is_published_with_a_mark(rows: Rows) -> None:
    rule = gxe.ExpectColumnValuesToBeInSet(column="segment", value_set=["a"], severity="warning")
    verdict = verdict_on([rule], rows(*GOOD))
    assert verdict.accepted
    assert [one.name for one in verdict.failed(Severity.WARNING)] == ["segment.values_to_be_in_set"]


def test_gate_accepted_failure_is_published_and_recorded_with_its_reason(rows: Rows) -> None:
    name = "spend_7d.values_to_be_between"
    verdict = verdict_on([NOT_NEGATIVE], rows((1, -1.0, 0, "a")), accept={name: "refunds, checked by Ann"})
    assert verdict.accepted
    assert result_of(verdict, name).accepted_because == "refunds, checked by Ann"
    assert not result_of(verdict, name).passed
    assert Verdict.from_json(json.loads(json.dumps(verdict.to_json()))) == verdict


def test_gate_accept_of_an_unknown_check_is_refused(rows: Rows) -> None:
    with pytest.raises(UsageError, match=r"Did you mean 'spend_7d\.values_to_be_between'"):
        verdict_on([NOT_NEGATIVE], rows(*GOOD), accept={"spend_7d.values_to_be_betwen": "x"})


def test_gate_results_keep_the_order_of_the_rules(rows: Rows) -> None:
    rules = [
        gxe.ExpectTableRowCountToBeBetween(min_value=1),
        gxe.ExpectColumnValuesToBeInSet(column="segment", value_set=["a"]),
        gxe.ExpectColumnValuesToNotBeNull(column="household_id"),
        NOT_NEGATIVE,
        gxe.ExpectColumnValuesToBeBetween(column="spend_7d", min_value=5),
    ]
    verdict = verdict_on(rules, rows(*GOOD))
    assert [(one.name, one.passed) for one in verdict.results if not one.name.startswith("breaker.")] == [
        ("table.row_count_to_be_between", True),
        ("segment.values_to_be_in_set", False),
        ("household_id.values_to_not_be_null", True),
        ("spend_7d.values_to_be_between", True),
        ("spend_7d.values_to_be_between#2", False),
    ]


def test_gate_unknown_column_is_an_error_and_not_bad_data(rows: Rows) -> None:
    verdict = verdict_on([gxe.ExpectColumnValuesToBeBetween(column="spend_7", min_value=0), NOT_NEGATIVE], rows(*GOOD))
    found = result_of(verdict, "spend_7.values_to_be_between")
    assert not verdict.accepted
    assert found.error == "there is no column 'spend_7'; did you mean 'spend_7d'?"
    assert (found.unexpected_count, found.samples) == (None, ())
    assert result_of(verdict, "spend_7d.values_to_be_between").passed


def test_gate_rule_on_another_type_is_an_error_and_spares_the_others(rows: Rows) -> None:
    rules = [gxe.ExpectColumnMeanToBeBetween(column="segment", min_value=0), NOT_NEGATIVE]
    verdict = verdict_on(rules, rows(*GOOD))
    assert "needs numbers" in result_of(verdict, "segment.mean_to_be_between").error
    assert result_of(verdict, "spend_7d.values_to_be_between").passed


def test_gate_condition_that_aborts_under_ansi_spares_the_other_rules_and_quotes_no_value(rows: Rows) -> None:
    aborting = gxe.ExpectColumnValuesToBeBetween(column="visits", min_value=0, row_condition="cast(segment as int) > 0")
    sound = gxe.ExpectColumnValuesToNotBeNull(column="household_id")
    verdict = verdict_on([aborting, sound], rows(*GOOD))
    found = result_of(verdict, "visits.values_to_be_between")
    assert found.error == "Spark refused it with CAST_INVALID_INPUT"
    assert result_of(verdict, "household_id.values_to_not_be_null").passed


def test_gate_condition_without_meaning_is_an_error(rows: Rows) -> None:
    rule = gxe.ExpectColumnValuesToBeBetween(column="visits", min_value=0, row_condition="nothing > 0")
    assert "UNRESOLVED_COLUMN" in result_of(verdict_on([rule], rows(*GOOD)), "visits.values_to_be_between").error


def test_gate_condition_limits_the_rows_that_are_judged(rows: Rows) -> None:
    frame = rows((1, -1.0, 0, "refund"), (2, 5.0, 1, "sale"))
    rule = gxe.ExpectColumnValuesToBeBetween(column="spend_7d", min_value=0, row_condition="segment = 'sale'")
    assert verdict_on([rule], frame).accepted
    assert not verdict_on([NOT_NEGATIVE], frame).accepted


def test_gate_unreadable_rows_raise_instead_of_passing_for_bad_data(rows: Rows) -> None:
    broken = rows(*GOOD).selectExpr("household_id", "cast(segment as double) as spend_7d")
    with pytest.raises(SkewlessError, match=r"cannot be read.*CAST_INVALID_INPUT"):
        verdict_on([NOT_NEGATIVE], broken)


def test_gate_nan_does_not_pass_for_a_value(rows: Rows) -> None:
    frame = rows((1, nan, 0, "a"), (2, 1.0, 0, "a"), (3, None, 0, "a"))
    rules = [NOT_NEGATIVE, gxe.ExpectColumnValuesToNotBeNull(column="spend_7d", mostly=0.5)]
    verdict = verdict_on(rules, frame)
    below, missing = verdict.results[-2:]
    assert (below.passed, below.unexpected_count, below.samples) == (False, 1, ("nan",))
    assert (missing.passed, missing.unexpected_count, missing.samples) == (False, 2, ("nan",))


def test_gate_nan_within_the_allowance_passes(rows: Rows) -> None:
    frame = rows((1, nan, 0, "a"), (2, 1.0, 0, "a"), (3, 2.0, 0, "a"))
    rules = [
        gxe.ExpectColumnValuesToBeBetween(column="spend_7d", min_value=0, mostly=0.6),
        gxe.ExpectColumnValuesToNotBeNull(column="spend_7d", mostly=0.6),
    ]
    assert verdict_on(rules, frame).accepted


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_gate_extreme_floats_fail_bounds_and_stay_json(rows: Rows, value: float) -> None:
    rules = [
        gxe.ExpectColumnValuesToBeBetween(column="spend_7d", min_value=0, max_value=100),
        gxe.ExpectColumnMeanToBeBetween(column="spend_7d", min_value=0, max_value=100),
        gxe.ExpectColumnMaxToBeBetween(column="spend_7d", min_value=0, max_value=100),
    ]
    verdict = verdict_on(rules, rows((1, value, 0, "a"), (2, 1.0, 0, "a")))
    assert not result_of(verdict, "spend_7d.values_to_be_between").passed
    assert not result_of(verdict, "spend_7d.mean_to_be_between").passed
    assert Verdict.from_json(json.loads(json.dumps(verdict.to_json(), allow_nan=False))) == verdict


def test_gate_quantiles_give_plain_json(rows: Rows) -> None:
    ranges = {"quantiles": [0.5], "value_ranges": [[100, 200]]}
    verdict = verdict_on(
        [gxe.ExpectColumnQuantileValuesToBeBetween(column="visits", quantile_ranges=ranges)], rows(*GOOD)
    )
    found = result_of(verdict, "visits.quantile_values_to_be_between")
    assert found.passed is False
    assert json.loads(json.dumps(found.observed)) == {"quantiles": [0.5], "values": [3.0]}


def test_gate_empty_served_state_does_not_pass_vacuously(rows: Rows) -> None:
    empty = rows(*GOOD).limit(0)
    rule = gxe.ExpectColumnValuesToBeBetween(column="spend_7d", min_value=0, scope="current")
    verdict = verdict_on([rule], rows(*GOOD), current=empty)
    assert not verdict.accepted
    assert "no current rows" in result_of(verdict, "spend_7d.values_to_be_between").error


def test_gate_empty_generation_against_its_count_does_not_pass_vacuously(rows: Rows) -> None:
    verdict = verdict_on([NOT_NEGATIVE], rows(*GOOD).limit(0), current=rows(*GOOD), counted=3)
    assert not verdict.accepted
    assert "although 3 were counted" in verdict.summary()


def test_gate_quiet_day_leaves_rules_unjudged_and_is_accepted(rows: Rows) -> None:
    verdict = verdict_on([NOT_NEGATIVE], rows(*GOOD).limit(0), current=rows(*GOOD), counted=0)
    assert verdict.accepted
    assert not result_of(verdict, "spend_7d.values_to_be_between").passed
    assert verdict.summary() == "All 3 checks passed; 1 had no rows to judge"


def test_gate_row_count_rule_judges_an_empty_frame(rows: Rows) -> None:
    rule = gxe.ExpectTableRowCountToBeBetween(min_value=1)
    found = verdict_on([rule], rows(*GOOD), current=rows(*GOOD).limit(0)).results[-1]
    assert (found.passed, found.error, found.observed) == (False, None, 0)


def test_gate_private_columns_show_no_value(rows: Rows) -> None:
    rules = [
        gxe.ExpectColumnValuesToBeInSet(column="segment", value_set=["none"]),
        gxe.ExpectColumnMaxToBeBetween(column="spend_7d", max_value=1),
    ]
    private = Limits(private_columns=frozenset({"segment", "spend_7d"}))
    text = json.dumps(verdict_on(rules, rows((1, 4242.5, 0, "secret-ann")), limits=private).to_json())
    assert "secret-ann" not in text
    assert "4242" not in text
    assert "(masked)" in text


def test_gate_rule_judges_only_its_scope(rows: Rows) -> None:
    bad, good = rows((1, -1.0, 0, "a")), rows(*GOOD)
    served = gxe.ExpectColumnValuesToBeBetween(column="spend_7d", min_value=0, scope="current")
    assert verdict_on([NOT_NEGATIVE], good, current=bad).accepted
    assert not verdict_on([served], good, current=bad).accepted
    assert verdict_on([served], bad, current=good).accepted


def test_gate_unknown_kind_is_refused_as_a_definition(rows: Rows) -> None:
    with pytest.raises(DefinitionError, match="Did you mean ExpectColumnValuesToNotBeNull"):
        verdict_on([gxe.ExpectColumnValuesToNotBeNul(column="spend_7d")], rows(*GOOD))


def test_gate_says_nothing_on_stdout_stderr_or_in_logs(rows: Rows, capfd: Any, caplog: Any) -> None:
    rules = [NOT_NEGATIVE, gxe.ExpectColumnMaxToBeBetween(column="visits", max_value=-1, scope="changed")]
    verdict_on([*rules, gxe.ExpectColumnValuesToNotBeNull(column="nope")], rows((1, -1.0, 0, "b")))
    told = capfd.readouterr()
    assert (told.out, told.err) == ("", "")
    assert caplog.records == []
