"""What a transform means: its analysed plan on empty sources, and its code where the plan shows only a name."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from types import FunctionType
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless.core.time import from_us
from skewless.core.view import FeatureView, RowView, SnapshotView, WindowView
from skewless.errors import DefinitionError
from skewless.spark.read import empty_source
from skewless.spark.row_view import transformed
from skewless.spark.transform import promised_columns
from skewless.spark.window_view import read_events

#: The class of a Python function in a plan's JSON; its text shows a name only.
_PYTHON = re.compile(r'\.Python\w+"')
_SORTED = re.compile(r"(?:sort_array|array_sort)\(collect_(?:list|set)\(", re.I)
_UNORDERED = re.compile(
    r"(?<!\w)(collect_list|collect_set|listagg|first|last|first_value|last_value|any_value|mode)\(", re.I
)
_CHOICES = ("Limit", "Sample", "Offset", "Tail")
#: Nodes that take each row by itself, or only order and place rows, or drop what equals another row altogether.
_ROW_BY_ROW = frozenset({
    "Project", "Filter", "Generate", "Union", "SubqueryAlias", "Sort", "Repartition", "RepartitionByExpression",
    "Deduplicate", "Distinct", "ResolvedHint", "LogicalRDD", "LocalRelation",
})  # fmt: skip
_CLOCKS = re.compile(r"\b(current_timestamp|current_date|localtimestamp|now)\(", re.I)
_WIDTH = "spark.sql.debug.maxToStringFields"
_COUNTER = re.compile(r"(#|plan_id=|rdd_)(\d+)")
_VARIABLE = re.compile(r"lambda (\w+)#")
_SOME_TICK_US = 946_684_800_000_000


def describe_transform(session: SparkSession, view: FeatureView) -> dict[str, str]:
    """Plan, code and source text of a view's transform.

    Args:
        session: Spark; only empty frames are analysed, no job runs.
        view: The definition.

    Returns:
        `plan`: analysed plan without its running numbers; `code`: Python code that the plan does not show, "" when it
        shows all of it; `source`: the text for people.

    Raises:
        DefinitionError: The transform fails on its declared sources, promises what it does not return, or gives
            another answer each time.
    """
    function = view.events if isinstance(view, WindowView) else view.transform  # type: ignore[attr-defined]
    try:
        frame = _on_empty(session, view)
    except PySparkException as failure:
        reason = str(failure).splitlines()[0]
        message = f"The transform of view '{view.name}' does not run on its declared sources: {reason}"
        raise DefinitionError(message) from failure
    analysed = frame._jdf.queryExecution().analyzed()
    plan = renumbered(_whole_text(session, analysed))
    _refuse_chance(view, deterministic=bool(analysed.deterministic()), plan=plan)
    _refuse_choice(view, analysed)
    if not isinstance(view, SnapshotView):
        _refuse_other_rows(view, analysed)
    return {
        "plan": plan,
        "code": _code(function) if _PYTHON.search(str(analysed.toJSON())) else "",
        "source": _text(function),
    }


def _whole_text(session: SparkSession, analysed: Any) -> str:
    """The text of a plan, with every column of its widest node: the default leaves out all beyond the 25th."""
    before = session.conf.get(_WIDTH, "25")
    session.conf.set(_WIDTH, "100000")
    try:
        return str(analysed.toString())
    finally:
        session.conf.set(_WIDTH, str(before))


def renumbered(plan: str) -> str:
    """A plan's text with its running numbers replaced by the order in which they first occur.

    Spark's own canonical form sorts the operands of `a + b + c` by a hash that differs between processes, so that one
    transform would have several fingerprints; the text as it was analysed has only its counters to be freed of.
    """
    found: dict[str, str] = {}

    def by_order(match: re.Match[str]) -> str:
        number = found.setdefault(match.group(2), str(len(found)))
        return f"{match.group(1)}{number}"

    variables = {name: f"variable_{n}" for n, name in enumerate(dict.fromkeys(_VARIABLE.findall(plan)))}
    for name, new in variables.items():
        plan = re.sub(rf"\b{name}#", f"{new}#", plan)
    return _COUNTER.sub(by_order, plan)


def _on_empty(session: SparkSession, view: FeatureView) -> DataFrame:
    empties = {source.name: empty_source(session, source) for source in view.sources}
    if isinstance(view, SnapshotView):
        promised = {**view.entity.keys, **view.feature_types}
        returned = _frame(view, view.transform(empties, F.lit(from_us(_SOME_TICK_US))))
        promised_columns(view, returned, promised)
        return returned
    if isinstance(view, WindowView):
        rows = empties[view.source.name]
        returned = _frame(view, view.events(rows))
        read_events(view, rows, start_us=_SOME_TICK_US)
        return returned
    if isinstance(view, RowView):
        rows = empties[view.source.name]
        returned = _frame(view, view.transform(rows))
        transformed(view, rows, start_us=_SOME_TICK_US)
        return returned
    raise DefinitionError(f"View '{view.name}' is of no known kind. Use RowView, WindowView or SnapshotView.")


def _frame(view: FeatureView, returned: object) -> DataFrame:
    if not hasattr(returned, "_jdf"):
        raise DefinitionError(f"The transform of view '{view.name}' returned {type(returned).__name__}, no DataFrame.")
    return returned  # type: ignore[return-value]


def _refuse_chance(view: FeatureView, *, deterministic: bool, plan: str) -> None:
    # Spark 4.2 takes these for deterministic, but they answer in the order of the shuffle
    if not deterministic or _UNORDERED.search(_SORTED.sub("", plan)):
        message = (
            f"The transform of view '{view.name}' is not deterministic (rand, uuid, first, collect_list, a Python "
            "function?): two runs would give two values. Order what you collect, or use max_by / min_by."
        )
        raise DefinitionError(message)
    clock = _CLOCKS.search(plan)
    if clock:
        message = (
            f"The transform of view '{view.name}' calls {clock.group(1)}(), so that a rerun gives another value. "
            "Use the event timestamp, or as_of of a SnapshotView."
        )
        raise DefinitionError(message)


def _refuse_choice(view: FeatureView, node: Any) -> None:
    """Refuse what keeps some rows of many in the order of the shuffle; Spark takes it for deterministic."""
    name = str(node.nodeName())
    is_choice = any(kind in name for kind in _CHOICES)
    if name == "Deduplicate":
        is_choice = int(node.keys().size()) < int(node.child().output().size())
    if is_choice:
        message = (
            f"The transform of view '{view.name}' keeps some rows and drops others by chance ({name}: limit, sample, "
            "or dropDuplicates of some columns). Choose by max_by, min_by or row_number over a total order; or select "
            "what you need first and then call distinct()."
        )
        raise DefinitionError(message)
    children = node.children()
    for place in range(int(children.size())):
        _refuse_choice(view, children.apply(place))


def _refuse_other_rows(view: FeatureView, node: Any) -> None:
    """Refuse what makes a value row of several source rows: only the changed ones are evaluated again."""
    name = str(node.nodeName())
    if name not in _ROW_BY_ROW or node.subqueries().nonEmpty():
        message = (
            f"The transform of view '{view.name}' does not take its rows one by one ({name}), so that a changed row "
            "would change values of others unseen. Aggregate with a WindowView's aggregates, or write a SnapshotView."
        )
        raise DefinitionError(message)
    children = node.children()
    for place in range(int(children.size())):
        _refuse_other_rows(view, children.apply(place))


def _text(function: Callable[..., Any]) -> str:
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        return ""


def _code(function: Callable[..., Any]) -> str:
    """The syntax of a function and of those of its own module that it calls, without comments and layout."""
    found: dict[str, str] = {}
    waiting = [function]
    while waiting:
        one = waiting.pop()
        name = getattr(one, "__qualname__", repr(one))
        if name in found:
            continue
        found[name] = ast.dump(ast.parse(_text(one)))
        if isinstance(one, FunctionType):
            called = (one.__globals__.get(used) for used in one.__code__.co_names)
            waiting += [
                inner
                for inner in (getattr(each, "func", each) for each in called)
                if isinstance(inner, FunctionType) and inner.__module__ == one.__module__
            ]
    return "\n".join(f"{name}: {found[name]}" for name in sorted(found))
