"""explain: why a view says what it says of one entity at one time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyspark.sql import functions as F

from skewless.core.names import EVENT_TIMESTAMP, FLAG, GENERATION
from skewless.core.resolver import RETRACTED
from skewless.core.service import FeatureService
from skewless.core.time import format_instant, from_us, to_us
from skewless.core.timeline import Timeline
from skewless.core.vector import FeatureVector
from skewless.core.view import FeatureView
from skewless.errors import UsageError
from skewless.flows.look_up import look_up
from skewless.flows.recover import synced_timeline
from skewless.flows.workshop import Workshop
from skewless.spark.exact import arrived, leaving

#: Statements that are looked at; those of later times than asked about are not among them.
_MOST = 500


@dataclass(frozen=True, slots=True)
class Considered:
    """One statement about the entity, and what became of it.

    Attributes:
        event_us: The time that it speaks for.
        generation: The generation that said it.
        flag: Empty, `deleted` or `retracted`.
        values: Feature → value.
        verdict: `winner`, or why it does not count.
    """

    event_us: int
    generation: int
    flag: str
    values: Mapping[str, Any]
    verdict: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an answer is what it is.

    Attributes:
        view: The view.
        keys: The entity.
        at: The observation time.
        era: served, simulated or unpublished, in words.
        generation: The generation whose state was asked.
        limit_us: Rows of later event times do not count.
        considered: What was said of times up to the limit, newest event time first, at most 500 statements.
        answer: The answer itself.
    """

    view: str
    keys: Mapping[str, object]
    at: datetime
    era: str
    generation: int | None
    limit_us: int
    considered: tuple[Considered, ...]
    answer: FeatureVector


def explain(shop: Workshop, view: FeatureView, keys: Mapping[str, object], *, at: datetime) -> Explanation:
    """Show the statements about an entity, which of them won at an instant, and why the others did not.

    Args:
        shop: The workshop.
        view: The view.
        keys: Key column → value.
        at: The observation time.

    Raises:
        UsageError: Wrong keys, or a time without a zone.
    """
    if set(keys) != set(view.entity.key_names):
        raise UsageError(f"View '{view.name}' is asked by {list(view.entity.key_names)}, not by {sorted(keys)}.")
    at_us, timeline = to_us(at), synced_timeline(shop)
    answer = look_up(shop, FeatureService("explain", features=[view]), keys, at=at)
    era, generation, limit_us = _era(view, timeline, at_us)
    rows = _statements(shop, view, keys, limit_us=limit_us) if generation is not None else []
    published = timeline.published(view.name, shop.served(view, shop.applied()).table)
    considered = _judged(rows, published=published, generation=generation or 0)
    return Explanation(view.name, dict(keys), from_us(at_us), era, generation, limit_us, considered, answer)


def _era(view: FeatureView, timeline: Timeline, at_us: int) -> tuple[str, int | None, int]:
    steps = timeline.steps(view.name)
    if not steps:
        return "unpublished: no revision knows the view", None, at_us
    told = [step for step in steps if step.from_us <= at_us]
    if told:
        step, since = told[-1], format_instant(from_us(told[-1].from_us))
        return f"served: revision {step.revision}, visible since {since}", step.pointer.generation, at_us
    newest = steps[-1]
    text = (
        f"simulated: before the first publish, so the newest generation less a delay of {view.delay_us // 1_000_000} s"
    )
    return text, newest.pointer.generation, at_us - view.delay_us


def _statements(
    shop: Workshop, view: FeatureView, keys: Mapping[str, object], *, limit_us: int
) -> list[dict[str, Any]]:
    tables = shop.tables(view)
    rows = tables.read(tables.history).filter(F.col(EVENT_TIMESTAMP) <= F.lit(from_us(limit_us)))
    for key, value in keys.items():
        rows = rows.filter(F.col(key) == F.lit(value))
    event_us = F.unix_micros(EVENT_TIMESTAMP).alias("event_us")
    features = {feature.name: feature.dtype for feature in view.features}
    values = leaving(features, F.struct(*view.feature_names)).alias("values")
    found = rows.select(event_us, GENERATION, FLAG, values)
    ordered = found.orderBy(F.desc("event_us"), F.desc(GENERATION)).limit(_MOST)
    told = [row.asDict(recursive=True) for row in ordered.collect()]
    return [{**row, "values": arrived(features, row["values"])} for row in told]


def _judged(rows: list[dict[str, Any]], *, published: frozenset[int], generation: int) -> tuple[Considered, ...]:
    """Walk from the newest event time down, newest statement first: the first that stands wins."""
    found: list[Considered] = []
    seen: set[int] = set()
    has_winner = False
    for row in rows:
        event_us, said = row["event_us"], row[GENERATION]
        if said not in published:
            verdict = "its generation was never published"
        elif said > generation:
            verdict = "said later than what readers were told to use"
        elif event_us in seen:
            verdict = "said again by a later generation"
        else:
            seen.add(event_us)
            is_out = row[FLAG] == RETRACTED
            verdict = "retracted" if is_out else "older than the winner" if has_winner else "winner"
            has_winner = has_winner or not is_out
        found.append(Considered(event_us, said, row[FLAG], row["values"], verdict))
    return tuple(found)
