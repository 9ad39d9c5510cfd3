"""The stages of a run: each takes an attempt from one durable state to the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from skewless.core.failpoints import Failpoint, reached
from skewless.core.generation import Generation, GenerationState
from skewless.core.run_record import RunRecord
from skewless.core.time import to_us
from skewless.core.timeline import Pointer, Timeline
from skewless.core.view import FeatureView
from skewless.errors import ContractBroken, LeaseHeld, NothingToDo, RefusedByValidation, UpstreamNotReady
from skewless.flows import push as pushing
from skewless.flows.attempt import Attempt
from skewless.flows.due import PinnedSources, Work, due
from skewless.flows.materialize import materialize, number_works
from skewless.flows.publish import move, refuse_unsettled
from skewless.flows.side_by_side import side_by_side
from skewless.flows.unapplied import refuse_changed
from skewless.flows.validate import validate as judge
from skewless.spark.readiness import ready_through_us

_State = GenerationState
#: Stage → the states of generations that it takes up; a stage that was killed may be repeated.
TAKEN_UP = {
    "validate": (_State.MATERIALIZED,),
    "push": (_State.VALIDATED, _State.WRITING, _State.WRITTEN),
    "publish": (_State.VERIFIED,),
}


@contextmanager
def given_up_on_error(attempt: Attempt) -> Iterator[None]:
    """Give up an attempt whose inputs or rules cannot be worked with: repeated on the same, it would fail again.

    A process that was killed, or lost its lease, gives up nothing: the next one goes on.
    """
    try:
        yield
    except (LeaseHeld, RefusedByValidation):
        raise
    except Exception:
        attempt.give_up()
        raise


def works_due(attempt: Attempt, views: tuple[FeatureView, ...], through: datetime | None) -> list[Work]:
    """What is due of some views; those whose ticks wait for a source hold up no others.

    Raises:
        NothingToDo: No source changed and no tick came due.
        UpstreamNotReady: Nothing is due but ticks that wait for a source.
        DefinitionConflict: A view is not what was applied.
    """
    shop, now_us = attempt.shop, attempt.shop.clock.now_us()
    limit = None if through is None else to_us(through)
    works: list[Work] = []
    for view in views:
        attempt.look_up(view).refuse_when_rolled_back()
    sources = PinnedSources.of(shop, views)
    ready = {
        name: ready_through_us(shop.session, pinned, located=shop.located, now_us=now_us)
        for name, pinned in sources.pins.items()
    }
    late: list[str] = []
    for view in views:
        try:
            work = due(shop, attempt.look_up(view), sources, now_us=now_us, through_us=limit, ready_us=ready)
        except UpstreamNotReady as waits:
            late.append(str(waits))
            continue
        works += [work] if work is not None else []
    if late and not works:
        raise UpstreamNotReady(" ".join(late))
    for message in late:
        shop.say(message)
    if not works:
        raise NothingToDo("No source changed and no tick came due. Nothing to do.")
    refuse_changed(shop, (work.view for work in works), attempt.applied)
    return works


def planned(attempt: Attempt, works: list[Work]) -> dict[str, Generation]:
    """Number what is due, durably; `name@version` → its generation."""
    previous = max((one.number for one in attempt.known), default=0)
    shop = attempt.shop
    return number_works(shop, works, previous=previous, now_us=shop.clock.now_us(), run_id=attempt.run_id)


def compute(attempt: Attempt, works: list[Work], generations: Mapping[str, Generation]) -> None:
    """Compute what was planned; views whose ticks moved on without a change get a new pointer.

    Args:
        attempt: The attempt; it keeps the generations that wrote something, beside those that it has.
        works: What is due.
        generations: `name@version` → its planned generation.
    """
    shop = attempt.shop
    attempt.generations.update(generations)

    def computed(work: Work) -> Generation:
        with attempt.timed(work.view.reference, "materialize"):
            return materialize(shop, work, generations[work.view.reference])

    made = side_by_side(computed, works)
    attempt.moved(made)
    if made:
        reached(Failpoint.MATERIALIZE_RECORDED)
    echoes = [one for one in made if one.state is _State.UNCHANGED]
    _refuse_what_was_all_set_aside(attempt, echoes)
    for one in echoes:
        del attempt.generations[one.reference]
        attempt.point_further(one)


def _refuse_what_was_all_set_aside(attempt: Attempt, empty: list[Generation]) -> None:
    """A generation without a change has nothing for the gate to judge, but what it set aside may be why.

    Raises:
        RefusedByValidation: Too much of a source went to quarantine.
    """
    limit = attempt.shop.settings.quality.max_quarantine_share
    bad = [one for one in empty if one.counts["quarantined"] > limit * one.counts["read"]]
    if bad:
        told = "; ".join(
            f"{attempt.shop.short(one)}: {one.counts['quarantined']} of {one.counts['read']} rows" for one in bad
        )
        _refuse(attempt, f"More than {limit:.0%} of the rows went to quarantine: {told}.")


def validate(attempt: Attempt) -> None:
    """Let the gate judge; that it accepted is for the next stage, or for the caller, to record."""

    def verdict(generation: Generation) -> Generation:
        name = generation.reference
        with attempt.timed(name, "validate"):
            situation = attempt.situations[name]
            found, attempt.verdicts[name] = judge(attempt.shop, situation, generation, accept=attempt.gate_accept)
        return found

    judged = side_by_side(verdict, attempt.those_in(_State.MATERIALIZED))
    attempt.generations.update({one.reference: one for one in judged})
    refused = [one for one in judged if one.state is _State.REFUSED]
    if refused:
        _refuse(
            attempt,
            "; ".join(f"{attempt.shop.short(one)}: {attempt.verdicts[one.reference].summary()}" for one in refused),
        )


def _refuse(attempt: Attempt, reasons: str) -> None:
    """Give up the whole run: readers never see half of it."""
    attempt.give_up()
    message = f"Refused, nothing became visible. {reasons}"
    attempt.record("refused", message=message)
    raise RefusedByValidation(f"{message} Run record: {attempt.run_id}.")


def push(attempt: Attempt) -> None:
    """Send, and read back, what is not in the online store yet.

    Raises:
        ContractBroken: What was read back differs; the whole attempt is given up. Any other failure leaves all of it
            as it is, and the next run goes on.
    """
    shop = attempt.shop
    todo = attempt.those_in(*TAKEN_UP["push"])
    if not todo:
        return
    attempt.moved(replace(one, state=_State.WRITING) for one in todo if one.state is _State.VALIDATED)
    reached(Failpoint.PUSH_STARTED)

    def sent(generation: Generation) -> Generation:
        situation = attempt.situations[generation.reference]
        with attempt.timed(generation.reference, "push"):
            written, attempt.pushed[generation.reference] = pushing.write(shop, situation, generation)
        reached(Failpoint.PUSH_SENT)
        attempt.moved([written])
        reached(Failpoint.PUSH_WRITTEN)
        with attempt.timed(generation.reference, "verify"):
            return pushing.verify(shop, situation, written)

    try:
        attempt.moved(side_by_side(sent, [attempt.generations[one.reference] for one in todo]))
    except ContractBroken:
        attempt.give_up()
        raise
    reached(Failpoint.PUSH_VERIFIED)


def onwards(attempt: Attempt, *, kind: str = "publish") -> RunRecord:
    """Validate, push and publish what was materialized."""
    with given_up_on_error(attempt):
        validate(attempt)
    attempt.note()
    push(attempt)
    return publish(attempt, kind=kind)


def publish(attempt: Attempt, *, kind: str = "publish") -> RunRecord:
    """Make what was verified, and ticks that moved on without a change, visible in one revision.

    Raises:
        NothingToDo: There is neither.
    """
    for name, one in attempt.generations.items():
        attempt.pointers[name] = Pointer(one.table, one.number, one.through_us)
    if not attempt.pointers:
        raise NothingToDo("The sources moved, but no value and no tick did. Nothing to publish.")
    refuse_unsettled(attempt.known, attempt.generations.values())
    shop = attempt.shop
    revision = move(shop, attempt.pointers, timeline=attempt.timeline, kind=kind, run_id=attempt.run_id)
    attempt.moved([replace(one, state=_State.PUBLISHED) for one in attempt.generations.values()])
    reached(Failpoint.PUBLISH_RECORDED)
    shop.clock.wait_until(revision.visible_from_us)
    does = "reverts" if kind == "revert" else "publishes"
    message = f"Revision {revision.number} {does} {attempt.named(sorted(attempt.pointers))}."
    record = attempt.record("published", message=message, revision=revision)
    # last: values are out, and what is left of older ones does nobody harm
    timeline = Timeline((*attempt.timeline.revisions, revision))
    for name in sorted(attempt.pointers):
        pushing.sweep(shop, attempt.situations[name], timeline)
    return record
