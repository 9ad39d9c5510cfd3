"""Rules in words: what must hold, as a phrase for summaries and reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skewless.core.rules import Rule

_RANGED = {
    "ExpectColumnValuesToBeBetween": "{column}",
    "ExpectColumnMinToBeBetween": "the minimum of {column}",
    "ExpectColumnMaxToBeBetween": "the maximum of {column}",
    "ExpectColumnMeanToBeBetween": "the mean of {column}",
    "ExpectColumnMedianToBeBetween": "the median of {column}",
    "ExpectColumnStdevToBeBetween": "the standard deviation of {column}",
    "ExpectColumnSumToBeBetween": "the sum of {column}",
    "ExpectColumnUniqueValueCountToBeBetween": "the number of different values of {column}",
    "ExpectColumnProportionOfUniqueValuesToBeBetween": "the share of different values of {column}",
    "ExpectColumnProportionOfNonNullValuesToBeBetween": "the share of non-null values of {column}",
    "ExpectColumnValueLengthsToBeBetween": "the length of {column}",
    "ExpectTableRowCountToBeBetween": "the number of rows",
    "ExpectTableColumnCountToBeBetween": "the number of columns",
}
_PHRASES = {
    "ExpectColumnValuesToNotBeNull": "{column} must not be null",
    "ExpectColumnValuesToBeNull": "{column} must be null",
    "ExpectColumnValuesToBeUnique": "{column} must be unique",
    "ExpectColumnValuesToBeInSet": "{column} must be one of {value_set}",
    "ExpectColumnValuesToNotBeInSet": "{column} must be none of {value_set}",
    "ExpectColumnDistinctValuesToBeInSet": "the values of {column} must be among {value_set}",
    "ExpectColumnDistinctValuesToContainSet": "the values of {column} must include {value_set}",
    "ExpectColumnDistinctValuesToEqualSet": "the values of {column} must be exactly {value_set}",
    "ExpectColumnValuesToMatchRegex": "{column} must match {regex}",
    "ExpectColumnValuesToNotMatchRegex": "{column} must not match {regex}",
    "ExpectColumnValueLengthsToEqual": "the length of {column} must be {value}",
    "ExpectColumnValuesToBeOfType": "{column} must have type {type_}",
    "ExpectColumnTypeToBe": "{column} must have type {type_}",
    "ExpectColumnToExist": "the column {column} must exist",
    "ExpectColumnPairValuesToBeEqual": "{column_A} must equal {column_B}",
    "ExpectColumnPairValuesAToBeGreaterThanB": "{column_A} must be greater than {column_B}",
    "ExpectCompoundColumnsToBeUnique": "{column_list} together must be unique",
    "ExpectTableRowCountToEqual": "the number of rows must be {value}",
    "ExpectTableColumnCountToEqual": "the number of columns must be {value}",
    "ExpectTableColumnsToMatchSet": "the columns must be {column_set}",
}


def describe(rule: Rule) -> str:
    """A phrase such as `spend_7d must be >= 0`; kinds without one of their own are shown as they were written."""
    given: dict[str, Any] = {name: _shown(value) for name, value in rule.arguments}
    try:
        if rule.expectation in _RANGED:
            phrase = f"{_RANGED[rule.expectation].format(**given)} must be {_bounds(dict(rule.arguments))}"
        else:
            phrase = _PHRASES[rule.expectation].format(**given)
    except KeyError:
        phrase = rule.title
    return phrase + _allowance(rule)


def _bounds(given: Mapping[str, Any]) -> str:
    low, high = given.get("min_value"), given.get("max_value")
    above = ">" if given.get("strict_min") else ">="
    below = "<" if given.get("strict_max") else "<="
    if low is None:
        return f"{below} {high}"
    if high is None:
        return f"{above} {low}"
    is_plain = (above, below) == (">=", "<=")
    return f"between {low} and {high}" if is_plain else f"{above} {low} and {below} {high}"


def _allowance(rule: Rule) -> str:
    given = dict(rule.arguments)
    mostly = given.get("mostly")
    text = f" in at least {mostly * 100:g} % of the rows" if isinstance(mostly, float) and mostly < 1 else ""
    return text + (f" where {given['row_condition']}" if given.get("row_condition") else "")


def _shown(value: object) -> str:
    if isinstance(value, (list, tuple, set, frozenset)):
        parts = [str(one) for one in value]
        return ", ".join(parts[:8]) + (f" and {len(parts) - 8} more" if len(parts) > 8 else "")
    return str(value)
