"""Recovery: before anything new is written, what an earlier process left half-way is settled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from skewless.core.generation import Generation, GenerationState, newest_states
from skewless.core.timeline import Timeline
from skewless.core.view import FeatureView
from skewless.flows.push import purge
from skewless.flows.situation import unfinished
from skewless.flows.workshop import Workshop
from skewless.registry.compiled import AppliedProject

_PUSHED = {GenerationState.WRITING, GenerationState.WRITTEN, GenerationState.VERIFIED, GenerationState.ABORTING}


def synced_timeline(shop: Workshop) -> Timeline:
    """The timeline, after copying what the online store knows and the ledger does not: the store is the truth."""
    timeline = shop.ledger.timeline()
    if shop.online is None:
        return timeline
    known = timeline.head.number if timeline.head else 0
    missing = shop.online.timeline.log(since=known)
    for revision in missing:
        shop.ledger.add_revision(revision)
    return Timeline((*timeline.revisions, *missing))


def settle(
    shop: Workshop,
    views: Iterable[FeatureView],
    known: tuple[Generation, ...],
    *,
    timeline: Timeline,
    applied: AppliedProject,
) -> tuple[Generation, ...]:
    """Finish or give up what was left unfinished.

    A generation that a revision points at was published, whatever the ledger says. Any other is given up: its rows
    are taken out of the online store before the next generation may publish, for they would count there.

    Args:
        shop: The workshop, holding the lease.
        views: The views in question.
        known: Every generation of the ledger.
        timeline: The synced timeline.
        applied: What is applied.

    Returns:
        The generations in their newest states.
    """
    settled: list[Generation] = []
    for view in views:
        for one in unfinished(known, view):
            if one.number in timeline.published(view.name, one.table):
                settled.append(replace(one, state=GenerationState.PUBLISHED))
                shop.ledger.record(settled[-1:])
            else:
                shop.say(f"{view.name}: giving up generation {one.number}, left {one.state.value} by an earlier run.")
                settled.append(give_up(shop, view, one, applied=applied))
    return newest_states((*known, *settled))


def give_up(shop: Workshop, view: FeatureView, generation: Generation, *, applied: AppliedProject) -> Generation:
    """Abandon a generation for good; its rows stay in history and served, where they never count."""
    if generation.state in _PUSHED and shop.online is not None:
        generation = replace(generation, state=GenerationState.ABORTING)
        shop.ledger.record([generation])
        purge(shop, view, shop.served(view, applied), generation)
    purged = replace(generation, state=GenerationState.PURGED)
    shop.ledger.record([purged])
    return purged
