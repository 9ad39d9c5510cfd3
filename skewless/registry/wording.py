"""Parts of definitions in the words that plan, catalog and search show."""

from __future__ import annotations

from skewless.core.aggregate import Aggregate
from skewless.core.time import duration_us
from skewless.plan.definition_plan import duration_words


def aggregate_words(aggregate: Aggregate) -> str:
    """`sum of sales_value over 7 d where quantity > 0`."""
    over = "" if aggregate.over is None else f" over {duration_words(duration_us(aggregate.over))}"
    return f"{_plain_words(aggregate)}{over}{_shared_condition(aggregate)}"


def _plain_words(aggregate: Aggregate) -> str:
    if not aggregate.parts:
        return {
            "count": f"count of {aggregate.column or 'rows'}",
            "count_distinct": f"count of different {aggregate.column}",
            "sum": f"sum of {aggregate.column}",
            "stddev": f"standard deviation of {aggregate.column}",
            "min": f"least {aggregate.column}",
            "max": f"greatest {aggregate.column}",
            "quantile": f"{aggregate.q} quantile of {aggregate.column}",
            "last_n": f"latest {aggregate.n} of {aggregate.column}",
            "top_k": f"{aggregate.n} most frequent of {aggregate.column}",
        }.get(aggregate.kind, f"{aggregate.kind} of {aggregate.column}")
    top, bottom = aggregate.parts
    if (top.kind, bottom.kind) == ("sum", "count") and (top.column, top.where) == (bottom.column, bottom.where):
        return f"mean of {top.column}"
    if top.where == bottom.where:
        return f"{_plain_words(top)} / {_plain_words(bottom)}"
    return " / ".join(f"({_plain_words(part)}{_condition(part)})" for part in aggregate.parts)


def _shared_condition(aggregate: Aggregate) -> str:
    conditions = {part.where for part in aggregate.windows()}
    return _condition(aggregate.windows()[0]) if len(conditions) == 1 else ""


def _condition(aggregate: Aggregate) -> str:
    return f" where {aggregate.where}" if aggregate.where else ""
