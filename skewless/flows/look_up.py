"""look up: one entity's features offline at any time, from history, in the same shape as the online answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from skewless.core.resolver import DELETED, HistoryRow, fresh_us, row_status, state, value_status
from skewless.core.service import FeatureService
from skewless.core.time import duration_us, from_us, to_us
from skewless.core.timeline import Step, Timeline
from skewless.core.vector import FeatureVector, Status
from skewless.core.view import FeatureView
from skewless.errors import UsageError
from skewless.flows.recover import synced_timeline
from skewless.flows.side_by_side import side_by_side
from skewless.flows.statements import MOST, statements
from skewless.flows.workshop import Workshop


@dataclass(frozen=True, slots=True)
class Told:
    """What readers were told to use of a view at an instant.

    Attributes:
        step: Of the timeline; before the first publish the newest, as if it had been there.
        instant_us: Rows of later event times do not count.
        counting: The published generations up to that of the step.
        is_simulated: True before the first publish.
    """

    step: Step
    instant_us: int
    counting: frozenset[int]
    is_simulated: bool


def told(view: FeatureView, timeline: Timeline, at_us: int) -> Told | None:
    """What readers were told to use of a view at an instant; None when no revision knows it."""
    steps = timeline.steps(view.reference)
    if not steps:
        return None
    past = [step for step in steps if step.from_us <= at_us]
    step = past[-1] if past else steps[-1]
    published = timeline.published(view.reference, step.pointer.table)
    counting = frozenset(number for number in published if number <= step.pointer.generation)
    return Told(step, at_us if past else at_us - view.delay_us, counting, not past)


def look_up(shop: Workshop, service: FeatureService, keys: Mapping[str, object], *, at: datetime) -> FeatureVector:
    """Answer a service's features of one entity at an instant: the rule of the contract on the entity's history.

    Args:
        shop: The workshop.
        service: The service.
        keys: Key column → value.
        at: The observation time; a value at exactly that time counts.

    Raises:
        UsageError: A key is missing, unknown or of another type, or the time has no zone.
    """
    at_us, timeline = to_us(at), synced_timeline(shop)
    views = shop.definitions.views_of(service)
    wanted = {key for view in views for key in view.entity.key_names}
    if set(keys) != wanted:
        raise UsageError(f"Service '{service.name}' is asked by {sorted(wanted)}, not by {sorted(keys)}.")
    answers = side_by_side(lambda view: _answer(shop, view, keys, told(view, timeline, at_us), at_us), views)
    by_view = dict(zip((view.name for view in views), answers, strict=True))
    revision = None if all(one.is_simulated for one in answers) else timeline.at(at_us)
    return FeatureVector(
        values={str(ref): by_view[ref.view].values.get(ref.feature) for ref in service.features},
        status={str(ref): by_view[ref.view].status_of(ref.feature) for ref in service.features},
        event_time={name: None if one.event_us is None else from_us(one.event_us) for name, one in by_view.items()},
        age={name: None if one.age_us is None else timedelta(microseconds=one.age_us) for name, one in by_view.items()},
        generation={name: one.generation for name, one in by_view.items()},
        revision=None if revision is None else revision.number,
        at=from_us(at_us),
        simulated=any(one.is_simulated for one in answers),
    )


@dataclass(frozen=True, slots=True)
class _Answer:
    status: Status
    values: Mapping[str, object]
    event_us: int | None = None
    age_us: int | None = None
    generation: int | None = None
    is_simulated: bool = False

    def status_of(self, feature: str) -> Status:
        return value_status(self.status, self.values.get(feature))


def _answer(shop: Workshop, view: FeatureView, keys: Mapping[str, object], asked: Told | None, at_us: int) -> _Answer:
    if asked is None:
        has_null = None in (keys[name] for name in view.entity.key_names)
        return _Answer(Status.NOT_FOUND if has_null else Status.UNPUBLISHED, {})
    row = _standing(shop, view, keys, asked)
    pointer = asked.step.pointer
    if row is None:
        return _Answer(Status.NOT_FOUND, {}, generation=pointer.generation, is_simulated=asked.is_simulated)
    age_us = at_us - fresh_us(
        event_us=row.event_us,
        instant_us=asked.instant_us,
        through_us=pointer.through_us,
        schedule=view.schedule if view.has_ticks else None,
    )
    ttl_us = None if view.ttl is None else duration_us(view.ttl)
    status = row_status(is_known=True, is_deleted=row.flag == DELETED, age_us=age_us, ttl_us=ttl_us)
    values = row.values if status is Status.PRESENT else {}
    return _Answer(status, values, row.event_us, age_us, pointer.generation, asked.is_simulated)


def _standing(shop: Workshop, view: FeatureView, keys: Mapping[str, object], asked: Told) -> HistoryRow | None:
    for at_most in (MOST, None):
        rows = statements(shop, view, keys, limit_us=asked.instant_us, generations=asked.counting, at_most=at_most)
        found = state(rows, asked.step.pointer.generation, asked.instant_us)
        # only when all of the newest are retracted may an older one hold
        if found is not None or len(rows) < MOST:
            return found
    return None
