"""Rules become expectations of Great Expectations, or are refused with one line before anything runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from skewless.core.dtypes import DType
from skewless.core.rules import Rule
from skewless.errors import DefinitionError
from skewless.validation.engine import library, quiet
from skewless.validation.families import family, misfit

#: Arguments that belong to the gate.
_OURS = frozenset(
    {"batch_id", "catch_exceptions", "id", "meta", "rendered_content", "result_format", "severity", "windows"}
)
_NO_ENGINE = "Great Expectations does not implement it on Spark"
_NO_ORDER = "rows of a generation have no order"
_ONE_FRAME = "the gate looks at one frame only"
_IMPOSSIBLE = {
    "ExpectColumnValuesToBeDateutilParseable": _NO_ENGINE,
    "ExpectColumnValuesToMatchLikePattern": _NO_ENGINE,
    "ExpectColumnValuesToMatchLikePatternList": _NO_ENGINE,
    "ExpectColumnValuesToNotMatchLikePattern": _NO_ENGINE,
    "ExpectColumnValuesToNotMatchLikePatternList": _NO_ENGINE,
    "ExpectMulticolumnValuesToBeUnique": _NO_ENGINE,
    "ExpectColumnValuesToBeDecreasing": _NO_ORDER,
    "ExpectColumnValuesToBeIncreasing": _NO_ORDER,
    "ExpectQueryResultsToMatchComparison": _ONE_FRAME,
    "ExpectTableRowCountToEqualOtherTable": _ONE_FRAME,
}


def rule_names(rules: Sequence[Rule]) -> tuple[str, ...]:
    """A short, stable name per rule, by which `--accept` refers to it: `spend_7d.values_to_be_between`.

    Rules of one kind on one column are told apart by `#2`, `#3`, … in the order of declaration.
    """
    seen: dict[str, int] = {}
    names = []
    for rule in rules:
        name = _name(rule)
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return tuple(names)


def check_rules(rules: Iterable[Rule], columns: Mapping[str, DType]) -> None:
    """Refuse rules that no run could judge.

    Args:
        rules: The rules of one view.
        columns: Column → type of the rows that they will look at: keys, `event_timestamp` and features.

    Raises:
        DefinitionError: The kind or an argument is unknown or invalid, or a column is unknown or of another family.
    """
    families = {column: family(dtype) for column, dtype in columns.items()}
    for rule in rules:
        build(rule, check="check")
        problem = misfit(rule, families)
        if problem is not None:
            raise DefinitionError(f"Quality rule {rule.title}: {problem}. Correct the rule.")


def build(rule: Rule, *, check: str) -> Any:
    """Make the real expectation of a rule.

    Args:
        rule: The record.
        check: Name under which its result is found again; GX gives results back in another order.

    Raises:
        DefinitionError: The kind or an argument is unknown or invalid.
    """
    kind = _expectation_class(rule)
    arguments = dict(rule.arguments)
    _refuse_arguments(rule, arguments, kind)
    if arguments.get("row_condition") is not None:
        arguments["condition_parser"] = "spark"
    try:
        with quiet():
            return kind(**arguments, meta={"check": check}, severity=rule.severity.value)
    except (ValueError, TypeError) as refused:
        raise DefinitionError(f"Quality rule {rule.title}: {_first_complaint(refused)}.") from None


def _expectation_class(rule: Rule) -> Any:
    offered = {name: kind for name, kind in vars(library().expectations).items() if name.startswith("Expect")}
    offered.pop("Expectation", None)
    possible = [name for name in offered if name not in _IMPOSSIBLE]
    if rule.expectation in offered and rule.expectation in _IMPOSSIBLE:
        reason = _IMPOSSIBLE[rule.expectation]
        raise DefinitionError(f"Quality rule {rule.title} cannot be judged: {reason}. Use another expectation.")
    if rule.expectation not in offered:
        near = get_close_matches(rule.expectation, possible, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]}?" if near else "See greatexpectations.io/expectations for what there is."
        raise DefinitionError(f"Great Expectations has no expectation '{rule.expectation}'. {hint}")
    return offered[rule.expectation]


def _refuse_arguments(rule: Rule, arguments: Mapping[str, object], kind: Any) -> None:
    legal = sorted(set(kind.__fields__) - _OURS)
    for name in arguments:
        if name in _OURS:
            raise DefinitionError(f"Quality rule {rule.title}: '{name}' is set by the gate. Leave it out.")
        if name not in legal:
            near = get_close_matches(name, legal, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"It takes {', '.join(legal)}."
            raise DefinitionError(f"{rule.expectation} has no argument '{name}'. {hint}")
    if not isinstance(arguments.get("row_condition", ""), (str, type(None))):
        raise DefinitionError(f'Quality rule {rule.title}: row_condition must be SQL text, such as "visits > 0".')
    if arguments.get("condition_parser", "spark") != "spark":
        raise DefinitionError(f"Quality rule {rule.title}: row_condition is SQL here. Leave condition_parser out.")
    if arguments.get("allow_relative_error", False) not in (False, 0):
        message = f"Quality rule {rule.title}: quantiles are exact on Spark. Leave allow_relative_error out."
        raise DefinitionError(message)


def _first_complaint(refused: Exception) -> str:
    errors = getattr(refused, "errors", None)
    if errors is None:
        return str(refused).splitlines()[0].rstrip(".")
    first = errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part != "__root__")
    complaint = " ".join(str(first["msg"]).split()).rstrip(".")
    return f"{place}: {complaint}" if place else complaint


def _name(rule: Rule) -> str:
    short = re.sub(r"^Expect(ColumnPair|CompoundColumns|Multicolumn|SelectColumn|Column|Table)?", "", rule.expectation)
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", short).lower()
    given = dict(rule.arguments)
    several = given.get("column_list") or [given.get("column_A"), given.get("column_B")]
    if rule.column is not None:
        return f"{rule.column}.{words}"
    if "Table" in rule.expectation or not isinstance(several, (list, tuple)):
        return f"table.{words}"
    return f"{'+'.join(str(column) for column in several)}.{words}"
