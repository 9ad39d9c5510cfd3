"""run: materialize → validate → push → publish, all views of a run in one revision; and the single stages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from skewless.core.generation import Generation, GenerationState
from skewless.core.run_record import RunRecord
from skewless.core.view import FeatureView
from skewless.errors import NothingToDo, UpstreamNotReady
from skewless.flows.attempt import Attempt, leased
from skewless.flows.backfill import without_backfills
from skewless.flows.due import Work
from skewless.flows.recover import left_behind
from skewless.flows.situation import waiting
from skewless.flows.stages import (
    TAKEN_UP,
    compute,
    given_up_on_error,
    onwards,
    planned,
    publish,
    push,
    validate,
    works_due,
)
from skewless.flows.workshop import Workshop

_State = GenerationState


def run(
    shop: Workshop,
    names: Iterable[str],
    *,
    through: datetime | None = None,
    accept: Mapping[str, str] | None = None,
) -> RunRecord:
    """Bring views up to now and publish them in one revision, if the gate accepts all of them.

    What a killed run left is finished first, under the numbers and on the source versions that it had, in a revision
    of its own. When it left views unevaluated and their sources have moved on since, it is given up instead.

    Args:
        shop: The workshop.
        names: The views; all when none is named.
        through: Upper bound of the ticks; now when None.
        accept: Check → reason for publishing in spite of its failure.

    Raises:
        NothingToDo: No source changed and no tick came due.
        UpstreamNotReady: No view has anything to do but ticks whose sources are not ready yet.
        RefusedByValidation: The gate refused a view; none of them was published.
        LeaseHeld: Somebody else runs.
    """
    names = tuple(names)
    views = shop.chosen_views(names)
    with leased(shop, "run"):
        attempt, finished = Attempt.begin(shop, "run", accept), None
        views = without_backfills(attempt, views, named=bool(names))
        for view in views:
            attempt.look_up(view).refuse_when_rolled_back()
        left = left_behind(shop, attempt.known, views)
        if left or attempt.echoes():
            finished = _finish(attempt, left, through)
            attempt = Attempt.begin(shop, "run", accept)
        try:
            with given_up_on_error(attempt):
                works = works_due(attempt, views, through)
                compute(attempt, works, planned(attempt, works))
            return onwards(attempt)
        except (NothingToDo, UpstreamNotReady) as nothing:
            if finished is None:
                raise
            shop.say(str(nothing))
            return finished


def run_stage(
    shop: Workshop,
    stage: str,
    names: Iterable[str],
    *,
    through: datetime | None = None,
    accept: Mapping[str, str] | None = None,
) -> RunRecord:
    """Run one stage: materialize, validate, push or publish; each takes up what the one before left.

    Raises:
        NothingToDo: No view waits for this stage.
        RefusedByValidation: The gate refused a view.
    """
    names = tuple(names)
    views = shop.chosen_views(names)
    with leased(shop, stage):
        attempt = Attempt.begin(shop, stage, accept)
        views = without_backfills(attempt, views, named=bool(names))
        if stage == "materialize":
            with given_up_on_error(attempt):
                _materialize_again(attempt, views, through)
        else:
            _take_up(attempt, views, stage)
        if stage == "validate":
            with given_up_on_error(attempt):
                validate(attempt)
            attempt.moved(tuple(attempt.generations.values()))
        elif stage == "push":
            push(attempt)
        elif stage == "publish":
            return publish(attempt)
        done = attempt.named(sorted(attempt.generations)) or "no view"
        return attempt.record(stage, message=f"{stage} of {done} is done; nothing became visible.")


def _finish(attempt: Attempt, left: Iterable[Generation], through: datetime | None) -> RunRecord | None:
    """Finish what a killed run, or single stages, left; None when it was given up instead."""
    attempt.take_up(left)
    begun = attempt.those_in(_State.PLANNED)
    works = _as_planned(attempt, begun, through) if begun else []
    if works is None:
        attempt.give_up()
        return None
    for echo in attempt.echoes():
        attempt.point_further(echo)
    attempt.shop.say(
        f"Finishing what an earlier run left of {attempt.named({**attempt.generations, **attempt.pointers})}…"
    )
    with given_up_on_error(attempt):
        compute(attempt, works, {one.reference: one for one in begun})
    return onwards(attempt)


def _as_planned(attempt: Attempt, begun: tuple[Generation, ...], through: datetime | None) -> list[Work] | None:
    """The works of generations that were planned only; None when one of them would be planned otherwise by now."""
    views = tuple(attempt.shop.definitions.view(one.reference) for one in begun)
    try:
        works = works_due(attempt, views, through)
    except (NothingToDo, UpstreamNotReady):
        return None
    same = [work for work in works if work.is_that_of(attempt.generations[work.view.reference])]
    return same if len(same) == len(begun) else None


def _materialize_again(attempt: Attempt, views: tuple[FeatureView, ...], through: datetime | None) -> None:
    """Materialize what is due. What an earlier process left stands while it is what would be computed now.

    Raises:
        NothingToDo: No source changed and no tick came due since.
    """
    works, kept, waits = [], {}, []
    for work in works_due(attempt, views, through):
        left = waiting(attempt.known, work.view, *_State)
        if left is None or not work.is_that_of(left):
            works.append(work)
        elif left.state is _State.PLANNED:
            works.append(work)
            kept[work.view.reference] = left
        else:
            waits.append(work.view.reference)
    if not works:
        raise NothingToDo(
            f"What is due of {attempt.named(waits)} is materialized. Run `skewless validate`, or go on there."
        )
    attempt.take_up(
        one
        for view in views
        if view.reference not in {*kept, *waits} and (one := waiting(attempt.known, view, *_State))
    )
    attempt.give_up()
    fresh = planned(attempt, [work for work in works if work.view.reference not in kept])
    compute(attempt, works, {**kept, **fresh})


def _take_up(attempt: Attempt, views: Iterable[FeatureView], stage: str) -> None:
    """Find the generations that wait for a stage.

    Raises:
        NothingToDo: There is none.
    """
    found = (waiting(attempt.known, view, *TAKEN_UP[stage]) for view in views)
    attempt.take_up(one for one in found if one is not None)
    if stage == "publish":
        for view in views:
            attempt.look_up(view)
        for echo in attempt.echoes():
            attempt.point_further(echo)
    if not attempt.generations and not attempt.pointers:
        needs = {"validate": "materialize", "push": "validate", "publish": "push"}[stage]
        raise NothingToDo(f"No generation waits to {stage}. Run `skewless {needs}` first, or `skewless run` for all.")
