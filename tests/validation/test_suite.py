from __future__ import annotations

import pytest

from skewless.core.dtypes import Date, Float64, Int64, String
from skewless.core.rules import Rule, gxe
from skewless.errors import DefinitionError
from skewless.validation import check_rules, rule_names
from skewless.validation.engine import exception_text
from skewless.validation.wording import describe

COLUMNS = {"household_id": Int64, "spend_7d": Float64, "segment": String, "day": Date}


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        (gxe.ExpectColumnValuesToBeBetwen(column="spend_7d"), "Did you mean ExpectColumnValuesToBeBetween?"),
        (gxe.ExpectationX(), "has no expectation 'ExpectationX'"),
        (gxe.ExpectColumnValuesToBeBetween(column="spend_7d", min_val=0), "Did you mean 'min_value'?"),
        (gxe.ExpectColumnValuesToBeBetween(column="spend", min_value=0), "did you mean 'spend_7d'?"),
        (gxe.ExpectColumnValuesToBeBetween(column="spend_7d", min_value=0, mostly=2), "mostly"),
        (gxe.ExpectColumnValuesToBeInSet(column="segment"), "value_set"),
        (gxe.ExpectColumnValuesToBeBetween(column="segment", min_value=0), "needs numbers or times"),
        (gxe.ExpectColumnValuesToBeInSet(column="segment", value_set=[1]), "1 cannot be compared with 'segment'"),
        (gxe.ExpectColumnMeanToBeBetween(column="segment", min_value=0), "needs numbers"),
        (gxe.ExpectColumnValuesToMatchRegex(column="spend_7d", regex="a"), "needs text"),
        (gxe.ExpectColumnValuesToBeBetween(column="spend_7d", min_value=0, result_format="X"), "set by the gate"),
        (gxe.ExpectColumnValuesToBeIncreasing(column="spend_7d"), "no order"),
        (
            gxe.ExpectColumnValuesToMatchLikePattern(column="segment", like_pattern="a%"),
            "does not implement it on Spark",
        ),
        (gxe.ExpectColumnPairValuesToBeEqual(column_A="segment", column_B="day"), "cannot be compared with each other"),
        (gxe.ExpectCompoundColumnsToBeUnique(column_list=["segment", "sgment"]), "did you mean 'segment'?"),
    ],
)
def test_check_rules_impossible_rule_is_refused_in_one_line(rule: Rule, complaint: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        check_rules([rule], COLUMNS)
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_check_rules_relative_quantile_error_is_refused() -> None:
    ranges = {"quantiles": [0.5], "value_ranges": [[0, 1]]}
    rule = gxe.ExpectColumnQuantileValuesToBeBetween(
        column="spend_7d", quantile_ranges=ranges, allow_relative_error=0.01
    )
    with pytest.raises(DefinitionError, match="exact on Spark"):
        check_rules([rule], COLUMNS)


def test_check_rules_sound_rules_are_let_through() -> None:
    check_rules(
        [
            gxe.ExpectColumnValuesToBeBetween(column="spend_7d", min_value=0, severity="critical"),
            gxe.ExpectColumnValuesToBeBetween(column="day", min_value="2017-01-01"),
            gxe.ExpectColumnValuesToNotBeNull(column="household_id", row_condition="spend_7d > 0"),
            gxe.ExpectTableRowCountToBeBetween(min_value=1),
        ],
        COLUMNS,
    )


def test_rule_names_are_short_and_tell_equal_kinds_apart() -> None:
    between = gxe.ExpectColumnValuesToBeBetween(column="spend_7d", min_value=0)
    rules = [
        between,
        between,
        gxe.ExpectTableRowCountToBeBetween(min_value=1),
        gxe.ExpectCompoundColumnsToBeUnique(column_list=["a", "b"]),
        gxe.ExpectColumnPairValuesToBeEqual(column_A="a", column_B="b"),
    ]
    assert rule_names(rules) == (
        "spend_7d.values_to_be_between",
        "spend_7d.values_to_be_between#2",
        "table.row_count_to_be_between",
        "a+b.to_be_unique",
        "a+b.values_to_be_equal",
    )


@pytest.mark.parametrize(
    "info",
    [
        {"raised_exception": True, "exception_message": "boom", "exception_traceback": ""},
        {"metric one": {"raised_exception": True, "exception_message": "boom", "exception_traceback": ""}},
    ],
)
def test_exception_text_reads_both_shapes(info: dict) -> None:
    assert exception_text(info) == "boom"


def test_exception_text_of_a_judged_rule_is_none() -> None:
    assert exception_text({"raised_exception": False, "exception_message": None}) is None


@pytest.mark.parametrize(
    ("rule", "phrase"),
    [
        (gxe.ExpectColumnValuesToBeBetween(column="x", min_value=0), "x must be >= 0"),
        (gxe.ExpectColumnValuesToBeBetween(column="x", max_value=1, strict_max=True), "x must be < 1"),
        (
            gxe.ExpectColumnMeanToBeBetween(column="x", min_value=0, max_value=1),
            "the mean of x must be between 0 and 1",
        ),
        (gxe.ExpectColumnValuesToNotBeNull(column="x", mostly=0.95), "x must not be null in at least 95 % of the rows"),
        (gxe.ExpectTableRowCountToBeBetween(min_value=1), "the number of rows must be >= 1"),
        (
            gxe.ExpectColumnValuesToBeBetween(column="x", min_value=0, row_condition="y = 1"),
            "x must be >= 0 where y = 1",
        ),
        (gxe.ExpectColumnValueZScoresToBeLessThan(column="x"), "ExpectColumnValueZScoresToBeLessThan(column='x')"),
    ],
)
def test_describe_rule_gives_a_phrase(rule: Rule, phrase: str) -> None:
    assert describe(rule) == phrase
