"""explain: why a view says what it says of one entity at one time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from skewless.core.resolver import RETRACTED, HistoryRow
from skewless.core.service import FeatureService
from skewless.core.time import format_instant, from_us, to_us
from skewless.core.timeline import Timeline
from skewless.core.vector import FeatureVector
from skewless.core.view import FeatureView
from skewless.errors import UsageError
from skewless.flows.look_up import Told, look_up, told
from skewless.flows.recover import synced_timeline
from skewless.flows.statements import statements
from skewless.flows.workshop import Workshop


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
    asked = told(view, timeline, at_us)
    if asked is None:
        text = "unpublished: no revision knows the view"
        return Explanation(shop.short(view), dict(keys), from_us(at_us), text, None, at_us, (), answer)
    considered = _judged(view, statements(shop, view, keys, limit_us=asked.instant_us), asked, timeline)
    generation = asked.step.pointer.generation
    return Explanation(
        shop.short(view),
        dict(keys),
        from_us(at_us),
        _era(view, asked),
        generation,
        asked.instant_us,
        considered,
        answer,
    )


def _era(view: FeatureView, asked: Told) -> str:
    if asked.is_simulated:
        delay = view.delay_us // 1_000_000
        return f"simulated: before the first publish, so the newest generation less a delay of {delay} s"
    return f"served: revision {asked.step.revision}, visible since {format_instant(from_us(asked.step.from_us))}"


def _judged(view: FeatureView, rows: Iterable[HistoryRow], asked: Told, timeline: Timeline) -> tuple[Considered, ...]:
    """Walk from the newest event time down, newest statement first: the first that stands wins."""
    pointer = asked.step.pointer
    published = timeline.published(view.reference, pointer.table)
    found: list[Considered] = []
    seen: set[int] = set()
    has_winner = False
    for row in rows:
        if row.generation not in published:
            verdict = "its generation was never published"
        elif row.generation > pointer.generation:
            verdict = "said later than what readers were told to use"
        elif row.event_us in seen:
            verdict = "said again by a later generation"
        else:
            seen.add(row.event_us)
            is_out = row.flag == RETRACTED
            verdict = "retracted" if is_out else "older than the winner" if has_winner else "winner"
            has_winner = has_winner or not is_out
        found.append(Considered(row.event_us, row.generation, row.flag, row.values, verdict))
    return tuple(found)
