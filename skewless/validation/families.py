"""Families of types: whether a rule makes sense for its columns, asked before Spark can abort on it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from difflib import get_close_matches

from skewless.core.dtypes import DType
from skewless.core.rules import Rule

NUMBER, TEXT, TIME, BOOL, OTHER = "number", "text", "time", "bool", "other"

_COLUMN_ARGUMENTS = ("column", "column_A", "column_B")
_NUMERIC_KINDS = frozenset(
    f"ExpectColumn{kind}"
    for kind in (
        "MeanToBeBetween",
        "MedianToBeBetween",
        "QuantileValuesToBeBetween",
        "StdevToBeBetween",
        "SumToBeBetween",
        "ValueZScoresToBeLessThan",
        "ValuesToNotBeOutliers",
    )
) | {"ExpectMulticolumnSumToEqual"}
_TEXT_WORDS = ("ValueLengths", "MatchRegex", "JsonParseable", "JsonSchema", "StrftimeFormat")
_BOUNDED_KINDS = frozenset(
    {"ExpectColumnValuesToBeBetween", "ExpectColumnMinToBeBetween", "ExpectColumnMaxToBeBetween"}
)
_COMPARING_KINDS = frozenset(
    {
        "ExpectColumnPairValuesAToBeGreaterThanB",
        "ExpectColumnPairValuesToBeEqual",
        "ExpectMulticolumnValuesToBeEqual",
        "ExpectSelectColumnValuesToBeUniqueWithinRecord",
    }
)
_SPARK = {
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint", "float", "double"), NUMBER),
    **dict.fromkeys(("date", "timestamp", "timestamp_ntz"), TIME),
    "string": TEXT,
    "boolean": BOOL,
}


def family(dtype: DType | str) -> str:
    """The family of one of our types, or of Spark's spelling of a type."""
    if isinstance(dtype, DType):
        if dtype.is_numeric:
            return NUMBER
        return {"string": TEXT, "date": TIME, "timestamp": TIME, "bool": BOOL}.get(dtype.kind, OTHER)
    return NUMBER if dtype.startswith("decimal") else _SPARK.get(dtype, OTHER)


def rule_columns(rule: Rule) -> tuple[str, ...]:
    """Every column that a rule looks at, in order."""
    given = dict(rule.arguments)
    several = given.get("column_list")
    listed = several if isinstance(several, (list, tuple)) and "Table" not in rule.expectation else ()
    return tuple(str(given[name]) for name in _COLUMN_ARGUMENTS if name in given) + tuple(map(str, listed))


def misfit(rule: Rule, columns: Mapping[str, str]) -> str | None:
    """Why a rule cannot be judged on these columns; None when it can.

    Args:
        rule: The rule.
        columns: Column → family.
    """
    for column in rule_columns(rule):
        if column not in columns:
            near = get_close_matches(column, columns, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else f"; there are {', '.join(columns)}"
            return f"there is no column '{column}'{hint}"
        problem = _kind_problem(rule, column, columns[column]) or _value_problem(rule, column, columns[column])
        if problem is not None:
            return problem
    return _pair_problem(rule, columns)


def _pair_problem(rule: Rule, columns: Mapping[str, str]) -> str | None:
    looked_at = rule_columns(rule)
    found = {columns[column] for column in looked_at}
    if rule.expectation in _COMPARING_KINDS and len(found) > 1:
        kinds = ", ".join(f"'{column}' holds {columns[column]} values" for column in looked_at)
        return f"its columns cannot be compared with each other: {kinds}"
    return None


def _kind_problem(rule: Rule, column: str, found: str) -> str | None:
    if rule.expectation in _NUMERIC_KINDS and found != NUMBER:
        return f"{rule.expectation} needs numbers, and '{column}' holds {found} values"
    if any(word in rule.expectation for word in _TEXT_WORDS) and found != TEXT:
        return f"{rule.expectation} needs text, and '{column}' holds {found} values"
    if rule.expectation == "ExpectColumnValuesToBeBetween" and found not in {NUMBER, TIME}:
        return f"{rule.expectation} needs numbers or times, and '{column}' holds {found} values"
    return None


def _value_problem(rule: Rule, column: str, found: str) -> str | None:
    given = dict(rule.arguments)
    values = [given.get("min_value"), given.get("max_value")] if rule.expectation in _BOUNDED_KINDS else []
    listed = given.get("value_set")
    values += list(listed) if isinstance(listed, (list, tuple, set, frozenset)) and "column" in given else []
    for value in values:
        if value is not None and not _fits(value, found):
            return f"{value!r} cannot be compared with '{column}', which holds {found} values"
    return None


def _fits(value: object, found: str) -> bool:
    if isinstance(value, bool):
        return found == BOOL
    if isinstance(value, (int, float, Decimal)):
        return found == NUMBER
    if isinstance(value, str):
        return found in {TEXT, TIME}
    return found == TIME if isinstance(value, (date, datetime, time)) else True
