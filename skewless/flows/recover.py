"""Recovery: what an earlier process left half-way is finished, or given up for good."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from skewless.core.failpoints import Failpoint, reached
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
        reached(Failpoint.REVISION_COPIED)
    return Timeline((*timeline.revisions, *missing))


def settle(
    shop: Workshop, known: tuple[Generation, ...], *, timeline: Timeline, applied: AppliedProject
) -> tuple[Generation, ...]:
    """Write down what is certain already: it was published, or it is being given up.

    A generation that a revision points at was published, whatever the ledger says. One whose rows were being taken
    out of the online store is past saving: the rest of them is taken out too. One that a later one was begun after
    was given up then.

    Args:
        shop: The workshop, holding the lease.
        known: Every generation of the ledger.
        timeline: The synced timeline.
        applied: What is applied.

    Returns:
        The generations in their newest states.
    """
    published: list[Generation] = []
    lost: list[Generation] = []
    for view in shop.definitions.views:
        mine = unfinished(known, view)
        for one in mine:
            if one.number in timeline.published(view.reference, one.table):
                published.append(replace(one, state=GenerationState.PUBLISHED))
            elif one.state is GenerationState.ABORTING or one is not mine[-1]:
                lost.append(one)
    if published:
        shop.ledger.record(published)
        reached(Failpoint.PUBLISH_RECORDED)
    settled = published + (give_up(shop, lost, applied=applied) if lost else [])
    return newest_states((*known, *settled))


def left_behind(shop: Workshop, known: tuple[Generation, ...], views: Iterable[FeatureView]) -> tuple[Generation, ...]:
    """The unfinished generations of some views, and of the views that were in the same runs.

    Readers never see half of a run, so that a run which died is finished as a whole.

    Args:
        shop: The workshop.
        known: Every generation, settled.
        views: The views in question.
    """
    left = [one for view in shop.definitions.views for one in unfinished(known, view)]
    chosen = {view.reference for view in views}
    runs = {one.run_id for one in left if one.reference in chosen}
    return tuple(one for one in left if one.run_id in runs)


def give_up(
    shop: Workshop, generations: Iterable[Generation], *, applied: AppliedProject, refused: Iterable[Generation] = ()
) -> list[Generation]:
    """Abandon generations for good; their rows stay in history and served, where they never count.

    Args:
        shop: The workshop, holding the lease.
        generations: Those to be abandoned, none of them at an end.
        applied: What is applied.
        refused: Those that the gate refused: all of a run ends in one commit, or a run that dies here would be
            finished without them.

    Returns:
        The abandoned generations, as PURGED.
    """
    ended = [_ended(one, shop) for one in generations]
    shop.ledger.record([*refused, *ended])
    pushed = [one for one in ended if one.state is GenerationState.ABORTING]
    if pushed:
        reached(Failpoint.PURGE_STARTED)
        for one in pushed:
            view = shop.definitions.view(one.reference)
            purge(shop, view, shop.served(view, applied), one)
        reached(Failpoint.PURGE_DONE)
        shop.ledger.record([replace(one, state=GenerationState.PURGED) for one in pushed])
    return [replace(one, state=GenerationState.PURGED) for one in ended]


def _ended(one: Generation, shop: Workshop) -> Generation:
    shop.say(f"{shop.short(one)}: giving up generation {one.number} ({one.state.value.lower()}).")
    is_online = one.state in _PUSHED and shop.online is not None
    return replace(one, state=GenerationState.ABORTING if is_online else GenerationState.PURGED)
