"""What must be known beside Great Expectations: how many rows there are, and NaN where GX takes it for a good value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from skewless.core.rules import Rule

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_FLOATS = frozenset({"float", "double"})


@dataclass(frozen=True, slots=True)
class Bad:
    """Rows that break a rule, NaN counted, and the rows that the rule is about."""

    bad: int
    base: int

    @property
    def share(self) -> float:
        """Broken rows as a share of the rows that the rule is about."""
        return self.bad / self.base if self.base else 0.0


@dataclass(frozen=True, slots=True)
class Probe:
    """Rows of a frame, and per check what NaN does to it."""

    rows: int
    nan: Mapping[str, Bad] = field(default_factory=dict)

    def fails(self, check: str, rule: Rule) -> bool:
        """True when NaN makes a rule fail that GX may have passed."""
        found = self.nan.get(check)
        if found is None:
            return False
        given = dict(rule.arguments)
        if rule.expectation == "ExpectColumnProportionOfNonNullValuesToBeBetween":
            low = given.get("min_value")
            return isinstance(low, (int, float)) and 1 - found.share < low
        mostly = given.get("mostly", 1.0)
        return found.share > 1 - (float(mostly) if isinstance(mostly, (int, float)) else 1.0) + 1e-12


def probe(frame: DataFrame, rules: Mapping[str, Rule]) -> Probe:
    """Count in one aggregate.

    Args:
        frame: The rows that the rules look at.
        rules: Check name → rule; those that NaN slips through are counted on the side.
    """
    floats = {name for name, kind in frame.dtypes if kind in _FLOATS}
    watched = {check: pair for check, rule in rules.items() if (pair := _conditions(rule, floats)) is not None}
    counts = [f"count_if({condition})" for pair in watched.values() for condition in pair]
    row = frame.selectExpr("count(*)", *counts).collect()[0]
    nan = {check: Bad(int(row[at]), int(row[at + 1])) for at, check in zip(range(1, len(row), 2), watched, strict=True)}
    return Probe(int(row[0]), nan)


def _conditions(rule: Rule, floats: set[str]) -> tuple[str, str] | None:
    """SQL of (row is bad, row is looked at) for the kinds whose answer GX gets wrong in the presence of NaN."""
    given = dict(rule.arguments)
    where = f"({given['row_condition']})" if given.get("row_condition") else "true"
    one, other = given.get("column"), given.get("column_A")
    if one in floats:
        column = quoted(str(one))
        if rule.expectation in {"ExpectColumnValuesToNotBeNull", "ExpectColumnProportionOfNonNullValuesToBeBetween"}:
            return f"{where} and ({column} is null or isnan({column}))", where
        low = given.get("min_value")
        is_open = given.get("max_value") is None and isinstance(low, (int, float))
        if rule.expectation == "ExpectColumnValuesToBeBetween" and is_open:
            below = f"{column} {'<=' if given.get('strict_min') else '<'} double('{low!r}')"
            return f"{where} and (isnan({column}) or {below})", f"{where} and {column} is not null"
    if rule.expectation == "ExpectColumnPairValuesAToBeGreaterThanB" and other in floats:
        return f"{where} and isnan({quoted(str(other))})", where
    return None


def quoted(column: str) -> str:
    """A column's name as SQL."""
    return "`" + column.replace("`", "``") + "`"
