"""Each kind of rule that `check_rules` lets through can pass, and can fail."""

from __future__ import annotations

from typing import Any

import pytest

from skewless.core.rules import Rule, gxe
from skewless.validation import Measurements, check_rules, judge, rule_names
from skewless.validation.engine import library
from skewless.validation.suite import _IMPOSSIBLE

pytestmark = [pytest.mark.spark, pytest.mark.slow]

SCHEMA = "id long, t string, x double, y long, d string, j string, c string"
FRAME = [(number, "abc"[number % 3], float(number), number, f"2017-01-0{number}", "{}", "k") for number in range(1, 7)]
QUANTILES = {"quantiles": [0.5], "value_ranges": [[0, 10]]}
NO_QUANTILES = {"quantiles": [0.5], "value_ranges": [[50, 60]]}
EVEN = {"values": ["a", "b", "c"], "weights": [1 / 3, 1 / 3, 1 / 3]}
SKEWED = {"values": ["a", "b", "c"], "weights": [0.9, 0.05, 0.05]}
ALL = ["id", "t", "x", "y", "d", "j", "c"]

#: Kind → (arguments, change that makes it pass, change that makes it fail).
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "ColumnDistinctValuesToBeInSet": ({"column": "t"}, {"value_set": ["a", "b", "c"]}, {"value_set": ["a"]}),
    "ColumnDistinctValuesToContainSet": ({"column": "t"}, {"value_set": ["a"]}, {"value_set": ["z"]}),
    "ColumnDistinctValuesToEqualSet": ({"column": "t"}, {"value_set": ["a", "b", "c"]}, {"value_set": ["a"]}),
    "ColumnKLDivergenceToBeLessThan": (
        {"column": "t", "threshold": 0.1},
        {"partition_object": EVEN},
        {"partition_object": SKEWED},
    ),
    "ColumnMaxToBeBetween": ({"column": "x"}, {"max_value": 6}, {"max_value": 5}),
    "ColumnMinToBeBetween": ({"column": "x"}, {"min_value": 1}, {"min_value": 2}),
    "ColumnMeanToBeBetween": ({"column": "x"}, {"max_value": 4}, {"max_value": 3}),
    "ColumnMedianToBeBetween": ({"column": "x"}, {"max_value": 4}, {"max_value": 3}),
    "ColumnStdevToBeBetween": ({"column": "x"}, {"max_value": 2}, {"max_value": 1}),
    "ColumnSumToBeBetween": ({"column": "x"}, {"max_value": 21}, {"max_value": 20}),
    "ColumnMostCommonValueToBeInSet": ({"column": "c"}, {"value_set": ["k"]}, {"value_set": ["z"]}),
    "ColumnPairValuesAToBeGreaterThanB": (
        {},
        {"column_A": "x", "column_B": "y", "or_equal": True},
        {"column_A": "x", "column_B": "y"},
    ),
    "ColumnPairValuesToBeEqual": ({"column_A": "id"}, {"column_B": "y"}, {"column_B": "minus"}),
    "ColumnPairValuesToBeInSet": (
        {"column_A": "j", "column_B": "c"},
        {"value_pairs_set": [("{}", "k")]},
        {"value_pairs_set": [("{}", "z")]},
    ),
    "ColumnProportionOfNonNullValuesToBeBetween": ({"column": "x"}, {"min_value": 1}, {"max_value": 0.5}),
    "ColumnProportionOfUniqueValuesToBeBetween": ({"column": "t"}, {"max_value": 0.5}, {"min_value": 0.6}),
    "ColumnQuantileValuesToBeBetween": (
        {"column": "x"},
        {"quantile_ranges": QUANTILES},
        {"quantile_ranges": NO_QUANTILES},
    ),
    "ColumnToExist": ({}, {"column": "x"}, {"column": "nope"}),
    "ColumnTypeToBe": ({"column": "x"}, {"type_": "DoubleType"}, {"type_": "LongType"}),
    "ColumnUniqueValueCountToBeBetween": ({"column": "t"}, {"max_value": 3}, {"max_value": 2}),
    "ColumnValueLengthsToBeBetween": ({"column": "t"}, {"max_value": 1}, {"min_value": 2}),
    "ColumnValueLengthsToEqual": ({"column": "t"}, {"value": 1}, {"value": 2}),
    "ColumnValueZScoresToBeLessThan": ({"column": "x", "double_sided": True}, {"threshold": 2}, {"threshold": 1}),
    "ColumnValuesToBeBetween": ({"column": "x"}, {"min_value": 1}, {"min_value": 2}),
    "ColumnValuesToBeInSet": ({"column": "t"}, {"value_set": ["a", "b", "c"]}, {"value_set": ["a"]}),
    "ColumnValuesToBeInTypeList": ({"column": "t"}, {"type_list": ["StringType"]}, {"type_list": ["LongType"]}),
    "ColumnValuesToBeJsonParseable": ({}, {"column": "j"}, {"column": "c"}),
    "ColumnValuesToBeNull": ({}, {"column": "c", "row_condition": "id > 6"}, {"column": "c"}),
    "ColumnValuesToBeOfType": ({"column": "t"}, {"type_": "StringType"}, {"type_": "LongType"}),
    "ColumnValuesToBeUnique": ({}, {"column": "d"}, {"column": "t"}),
    "ColumnValuesToMatchJsonSchema": (
        {"column": "j"},
        {"json_schema": {"type": "object"}},
        {"json_schema": {"type": "array"}},
    ),
    "ColumnValuesToMatchRegex": ({"column": "t"}, {"regex": "^[abc]$"}, {"regex": "^a$"}),
    "ColumnValuesToMatchRegexList": ({"column": "t"}, {"regex_list": ["^[abc]$"]}, {"regex_list": ["^a$"]}),
    "ColumnValuesToMatchStrftimeFormat": (
        {"column": "d"},
        {"strftime_format": "%Y-%m-%d"},
        {"strftime_format": "%Y"},
    ),
    "ColumnValuesToNotBeInSet": ({"column": "t"}, {"value_set": ["z"]}, {"value_set": ["a"]}),
    "ColumnValuesToNotBeNull": ({}, {"column": "x"}, {"column": "nullable"}),
    "ColumnValuesToNotBeOutliers": ({"column": "x", "method": "std"}, {"multiplier": 3}, {"multiplier": 0.5}),
    "ColumnValuesToNotMatchRegex": ({"column": "t"}, {"regex": "z"}, {"regex": "a"}),
    "ColumnValuesToNotMatchRegexList": ({"column": "t"}, {"regex_list": ["z"]}, {"regex_list": ["a"]}),
    "CompoundColumnsToBeUnique": ({}, {"column_list": ["id", "c"]}, {"column_list": ["t", "c"]}),
    "MulticolumnSumToEqual": (
        {},
        {"column_list": ["id", "minus"], "sum_total": 0},
        {"column_list": ["id", "y"], "sum_total": 0},
    ),
    "MulticolumnValuesToBeEqual": ({}, {"column_list": ["id", "y"]}, {"column_list": ["id", "minus"]}),
    "SelectColumnValuesToBeUniqueWithinRecord": ({}, {"column_list": ["id", "minus"]}, {"column_list": ["id", "y"]}),
    "TableColumnCountToBeBetween": ({}, {"min_value": 9}, {"min_value": 10}),
    "TableColumnCountToEqual": ({}, {"value": 9}, {"value": 10}),
    "TableColumnsToMatchOrderedList": (
        {},
        {"column_list": [*ALL, "minus", "nullable"]},
        {"column_list": [*ALL, "nullable", "minus"]},
    ),
    "TableColumnsToMatchSet": ({}, {"column_set": [*ALL, "minus", "nullable"]}, {"column_set": ALL}),
    "TableRowCountToBeBetween": ({}, {"min_value": 6}, {"min_value": 7}),
    "TableRowCountToEqual": ({}, {"value": 6}, {"value": 7}),
}


@pytest.fixture(scope="module")
def frame(spark: Any) -> Any:
    made = spark.createDataFrame(FRAME, SCHEMA).repartition(2)
    return made.selectExpr("*", "-id as minus", "if(id = 3, null, id) as nullable")


def rules(outcome: int) -> list[Rule]:
    made = []
    for kind, case in CASES.items():
        made.append(getattr(gxe, f"Expect{kind}")(**case[0], **case[outcome], scope="changed"))
    return made


def test_rule_kinds_tested_are_all_that_can_be_used() -> None:
    offered = {name for name in vars(library().expectations) if name.startswith("Expect")} - {"Expectation"}
    assert {f"Expect{kind}" for kind in CASES} == offered - set(_IMPOSSIBLE)


@pytest.mark.parametrize(("outcome", "passes"), [(1, True), (2, False)])
def test_rule_kind_meets_its_data_gives_the_right_answer(frame: Any, outcome: int, passes: bool) -> None:
    chosen = rules(outcome)
    measured = Measurements(changed_rows=6, current_entities=6)
    verdict = judge(chosen, changed=frame, current=frame, measurements=measured)
    wrong = [
        (one.name, one.observed, one.error)
        for one in verdict.results
        if one.name in rule_names(chosen) and (one.passed is not passes or one.error is not None)
    ]
    assert wrong == []


def test_rule_kinds_that_pass_are_let_through_by_the_plan() -> None:
    from skewless.core.dtypes import Float64, Int64, String

    columns = dict.fromkeys(("t", "d", "j", "c"), String) | dict.fromkeys(("id", "y", "minus", "nullable"), Int64)
    check_rules(rules(1), columns | {"x": Float64})
