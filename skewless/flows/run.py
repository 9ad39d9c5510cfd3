"""run: materialize → validate → push → publish, all views of a run in one revision; and the single stages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import perf_counter

from skewless.core.generation import Generation, GenerationState
from skewless.core.run_record import RunRecord, ViewOutcome
from skewless.core.time import to_us
from skewless.core.timeline import Pointer, Revision, Timeline
from skewless.core.view import FeatureView
from skewless.errors import NothingToDo, RefusedByValidation, UpstreamNotReady
from skewless.flows import push as pushing
from skewless.flows.materialize import Work, due, materialize, pinned_sources, planned
from skewless.flows.publish import publish
from skewless.flows.records import keep, new_run_id
from skewless.flows.recover import give_up, settle, synced_timeline
from skewless.flows.side_by_side import side_by_side
from skewless.flows.situation import Situation, situation, waiting
from skewless.flows.validate import validate
from skewless.flows.workshop import Workshop
from skewless.registry.compiled import AppliedProject
from skewless.spark.readiness import ready_through_us
from skewless.validation.verdict import Verdict


@dataclass
class Attempt:
    """A run while it goes on.

    Attributes:
        shop: The workshop, holding the lease.
        command: The command that began it.
        timeline: The synced timeline.
        applied: What is applied.
        run_id: Its name.
        known: Every generation of the ledger, as it was at the start.
        generations: View → its generation, in its newest state.
        pointers: View → what the run's revision will say of it.
        verdicts: View → what the gate said.
        seconds: View → stage → time that it took.
        pushed: View → rows sent.
    """

    shop: Workshop
    command: str
    timeline: Timeline
    applied: AppliedProject
    run_id: str
    started_us: int
    known: tuple[Generation, ...]
    begun: float = field(default_factory=perf_counter)
    situations: dict[str, Situation] = field(default_factory=dict)
    generations: dict[str, Generation] = field(default_factory=dict)
    pointers: dict[str, Pointer] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    pushed: dict[str, int] = field(default_factory=dict)

    def look_up(self, view: FeatureView) -> Situation:
        """The situation of a view, looked up once."""
        if view.name not in self.situations:
            self.situations[view.name] = situation(
                self.shop, view, timeline=self.timeline, applied=self.applied, generations=self.known
            )
        return self.situations[view.name]

    def moved(self, generations: Iterable[Generation]) -> None:
        """Record new states of generations, in one commit."""
        newer = tuple(generations)
        self.shop.ledger.record(newer)
        self.generations.update({one.view: one for one in newer})

    @contextmanager
    def timed(self, view: str, stage: str) -> Iterator[None]:
        """Measure a stage of a view."""
        begun = perf_counter()
        yield
        self.seconds.setdefault(view, {})[stage] = round(perf_counter() - begun, 3)

    def record(self, outcome: str, *, message: str, revision: Revision | None = None) -> RunRecord:
        """The run's record, kept."""
        found = RunRecord(
            run_id=self.run_id,
            command=self.command,
            started_us=self.started_us,
            finished_us=self.shop.clock.now_us(),
            seconds=round(perf_counter() - self.begun, 3),
            outcome=outcome,
            revision=revision.number if revision else None,
            visible_from_us=revision.visible_from_us if revision else None,
            views=tuple(self._outcome(view) for view in self.situations),
            message=message,
        )
        keep(self.shop, found)
        return found

    def _outcome(self, view: str) -> ViewOutcome:
        generation, verdict = self.generations.get(view), self.verdicts.get(view)
        pointer = self.pointers.get(view) or self.situations[view].pointer
        found = ViewOutcome(view, "unchanged", through_us=pointer.through_us if pointer else None)
        if generation is not None:
            found = ViewOutcome.of(generation)
        return replace(
            found,
            seconds=self.seconds.get(view, {}),
            pushed=self.pushed.get(view, 0),
            verdict=verdict.to_json() if verdict else None,
        )


def run(
    shop: Workshop,
    names: Iterable[str],
    *,
    through: datetime | None = None,
    accept: Mapping[str, str] | None = None,
) -> RunRecord:
    """Bring views up to now and publish them in one revision, if the gate accepts all of them.

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
    with _attempt(shop, "run", names) as attempt:
        _materialize(attempt, shop.chosen_views(names), through)
        _validate(attempt, accept)
        _push(attempt)
        return _publish(attempt)


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
    with _attempt(shop, stage, names, settled=stage == "materialize") as attempt:
        views = shop.chosen_views(names)
        if stage == "materialize":
            _materialize(attempt, views, through)
        else:
            _take_up(attempt, views, stage)
        if stage == "validate":
            _validate(attempt, accept)
            attempt.moved(tuple(attempt.generations.values()))
        elif stage == "push":
            _push(attempt)
        elif stage == "publish":
            return _publish(attempt)
        done = ", ".join(sorted(attempt.generations)) or "no view"
        return attempt.record(stage, message=f"{stage} of {done} is done; nothing became visible.")


@contextmanager
def _attempt(shop: Workshop, command: str, names: Iterable[str], *, settled: bool = True) -> Iterator[Attempt]:
    with shop.leased(command) as lease:
        shop.lease = lease
        if shop.online is not None and shop.settings.clock.kind == "system":
            shop.online.check_clock(shop.clock.now_us())
        applied, timeline = shop.applied(), synced_timeline(shop)
        known = shop.ledger.generations()
        if settled:
            known = settle(shop, shop.chosen_views(names), known, timeline=timeline, applied=applied)
        yield Attempt(shop, command, timeline, applied, new_run_id(shop), shop.clock.now_us(), known)


def _works(attempt: Attempt, views: tuple[FeatureView, ...], through: datetime | None) -> list[Work]:
    """What is due of some views; those whose ticks wait for a source hold up no others.

    Raises:
        NothingToDo: No source changed and no tick came due.
        UpstreamNotReady: Nothing is due but ticks that wait for a source.
    """
    shop, now_us = attempt.shop, attempt.shop.clock.now_us()
    limit = None if through is None else to_us(through)
    works: list[Work] = []
    for view in views:
        attempt.look_up(view).refuse_when_rolled_back()
    sources = pinned_sources(shop, views)
    ready = {
        name: ready_through_us(shop.session, pinned, located=shop.located, now_us=now_us)
        for name, pinned in sources.items()
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
    return works


def _materialize(attempt: Attempt, views: tuple[FeatureView, ...], through: datetime | None) -> None:
    """Decide what is due, number it, compute it; views whose ticks moved on without a change get a new pointer."""
    shop, now_us = attempt.shop, attempt.shop.clock.now_us()
    works = _works(attempt, views, through)
    previous = max((one.number for one in attempt.known), default=0)
    generations = planned(shop, works, previous=previous, now_us=now_us, run_id=attempt.run_id)

    def computed(work: Work) -> Generation:
        with attempt.timed(work.view.name, "materialize"):
            return materialize(shop, work, generations[work.view.name])

    made = side_by_side(computed, works)
    written = [one for one in made if one.state is GenerationState.MATERIALIZED]
    empty = [one for one in made if one.state is GenerationState.PLANNED]
    shop.ledger.record([*written, *(replace(one, state=GenerationState.PURGED) for one in empty)])
    attempt.generations = {one.view: one for one in written}
    _refuse_what_was_all_set_aside(attempt, empty)
    for one in empty:
        pointer = attempt.look_up(shop.definitions.view(one.view)).pointer
        if pointer is not None and one.through_us > pointer.through_us:
            attempt.pointers[one.view] = replace(pointer, through_us=one.through_us)


def _refuse_what_was_all_set_aside(attempt: Attempt, empty: list[Generation]) -> None:
    """A generation without a change has nothing for the gate to judge, but what it set aside may be why.

    Raises:
        RefusedByValidation: Too much of a source went to quarantine.
    """
    limit = attempt.shop.settings.quality.max_quarantine_share
    bad = [one for one in empty if one.counts["quarantined"] > limit * one.counts["read"]]
    if bad:
        told = "; ".join(f"{one.view}: {one.counts['quarantined']} of {one.counts['read']} rows" for one in bad)
        _refuse(attempt, f"More than {limit:.0%} of the rows went to quarantine: {told}.")


def _take_up(attempt: Attempt, views: Iterable[FeatureView], stage: str) -> None:
    """Find the generations that wait for a stage; a stage that was killed may be repeated."""
    before = {
        "validate": (GenerationState.MATERIALIZED,),
        "push": (GenerationState.VALIDATED, GenerationState.WRITING, GenerationState.WRITTEN),
        "publish": (GenerationState.VERIFIED,),
    }[stage]
    for view in views:
        found = waiting(attempt.known, view, *before)
        if found is not None:
            attempt.look_up(view)
            attempt.generations[view.name] = found
    if not attempt.generations:
        needs = {"validate": "materialize", "push": "validate", "publish": "push"}[stage]
        raise NothingToDo(f"No generation waits to {stage}. Run `skewless {needs}` first, or `skewless run` for all.")


def _validate(attempt: Attempt, accept: Mapping[str, str] | None) -> None:
    """Let the gate judge; that it accepted is for the next stage, or for the caller, to record."""

    def verdict(generation: Generation) -> Generation:
        name = generation.view
        with attempt.timed(name, "validate"):
            found, attempt.verdicts[name] = validate(attempt.shop, attempt.situations[name], generation, accept=accept)
        return found

    judged = side_by_side(verdict, tuple(attempt.generations.values()))
    attempt.generations = {one.view: one for one in judged}
    refused = [one for one in judged if one.state is GenerationState.REFUSED]
    if refused:
        attempt.moved(refused)
        _refuse(attempt, "; ".join(f"{one.view}: {attempt.verdicts[one.view].summary()}" for one in refused))


def _refuse(attempt: Attempt, reasons: str) -> None:
    """Give up the whole run: readers never see half of it."""
    for name, generation in attempt.generations.items():
        if generation.state is not GenerationState.REFUSED:
            view = attempt.shop.definitions.view(name)
            attempt.generations[name] = give_up(attempt.shop, view, generation, applied=attempt.applied)
    message = f"Refused, nothing became visible. {reasons}"
    attempt.record("refused", message=message)
    raise RefusedByValidation(f"{message} Run record: {attempt.run_id}.")


def _push(attempt: Attempt) -> None:
    shop = attempt.shop
    if not attempt.generations:
        return
    attempt.moved([replace(one, state=GenerationState.WRITING) for one in attempt.generations.values()])

    def sent(generation: Generation) -> Generation:
        situation = attempt.situations[generation.view]
        with attempt.timed(generation.view, "push"):
            written, attempt.pushed[generation.view] = pushing.write(shop, situation, generation)
        attempt.moved([written])
        with attempt.timed(generation.view, "verify"):
            return pushing.verify(shop, situation, written)

    attempt.moved(side_by_side(sent, tuple(attempt.generations.values())))


def _publish(attempt: Attempt) -> RunRecord:
    for name, one in attempt.generations.items():
        attempt.pointers[name] = Pointer(one.table, one.number, one.through_us)
    if not attempt.pointers:
        raise NothingToDo("The sources moved, but no value and no tick did. Nothing to publish.")
    revision = publish(
        attempt.shop,
        attempt.generations.values(),
        known=attempt.known,
        pointers=attempt.pointers,
        timeline=attempt.timeline,
        run_id=attempt.run_id,
    )
    published = {name: replace(one, state=GenerationState.PUBLISHED) for name, one in attempt.generations.items()}
    attempt.generations.update(published)
    message = f"Revision {revision.number} publishes {', '.join(sorted(attempt.pointers))}."
    return attempt.record("published", message=message, revision=revision)
