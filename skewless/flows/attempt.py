"""One attempt at a run: what is known when it begins, and what becomes of its views."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter

from skewless.core.generation import Generation, GenerationState, newest_states, next_number
from skewless.core.run_record import RunRecord, ViewOutcome
from skewless.core.time import duration_us
from skewless.core.timeline import Pointer, Revision, Timeline
from skewless.core.view import FeatureView
from skewless.errors import ContractBroken
from skewless.flows.records import keep, new_run_id, note
from skewless.flows.recover import give_up, settle, synced_timeline
from skewless.flows.situation import Situation, situation
from skewless.flows.soundness import HISTORY, LEDGER, lost_generations, refuse_lost, refuse_strange
from skewless.flows.workshop import Workshop
from skewless.registry.compiled import AppliedProject
from skewless.spark.value_tables import Heads
from skewless.validation.verdict import Verdict


@contextmanager
def leased(shop: Workshop, command: str) -> Iterator[None]:
    """Hold the project while a command writes.

    Raises:
        LeaseHeld: Somebody else holds it.
        ConfigError: This machine's clock and the online store's differ too much to number generations by.
    """
    with shop.leased(command) as lease:
        shop.lease = lease
        if shop.online is not None and shop.settings.clock.kind == "system":
            shop.online.check_clock(shop.clock.now_us())
        yield


@dataclass
class Attempt:
    """A run while it goes on.

    Attributes:
        shop: The workshop, holding the lease.
        command: The command that began it.
        timeline: The synced timeline.
        applied: What is applied.
        known: Every generation of the ledger.
        run_id: Its name.
        started_us: When it began.
        accept: Check → reason for going on in spite of its failure.
        generations: `name@version` → its generation, in its newest state.
        pointers: `name@version` → what the run's revision will say of it.
        verdicts: `name@version` → what the gate said.
        seconds: `name@version` → stage → time that it took.
        pushed: `name@version` → rows sent.
    """

    shop: Workshop
    command: str
    timeline: Timeline
    applied: AppliedProject
    known: tuple[Generation, ...]
    run_id: str
    started_us: int
    accept: Mapping[str, str] = field(default_factory=dict)
    begun: float = field(default_factory=perf_counter)
    situations: dict[str, Situation] = field(default_factory=dict)
    generations: dict[str, Generation] = field(default_factory=dict)
    pointers: dict[str, Pointer] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    pushed: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def begin(shop: Workshop, command: str, accept: Mapping[str, str] | None = None) -> Attempt:
        """Look at where the project stands, after finishing what an earlier process did not get to write down.

        Raises:
            ContractBroken: The ledger does not know a generation that was published.
        """
        applied, ledger = shop.applied(), shop.ledger
        with ThreadPoolExecutor(1) as beside:
            generations = beside.submit(ledger.generations)
            timeline = synced_timeline(shop)
        known, reasons, run_id = generations.result(), dict(accept or {}), new_run_id(shop)
        lost = lost_generations(known, timeline, run_id=run_id)
        if LEDGER not in reasons:
            refuse_lost(lost, path=ledger.path("generations"))
        ledger.record(lost)
        known = settle(shop, newest_states((*known, *lost)), timeline=timeline, applied=applied)
        return Attempt(shop, command, timeline, applied, known, run_id, shop.clock.now_us(), reasons)

    def look_up(self, view: FeatureView) -> Situation:
        """The situation of a view, looked up once.

        Raises:
            ContractBroken: Its published values were changed from outside.
        """
        if view.reference not in self.situations:
            found = situation(self.shop, view, timeline=self.timeline, applied=self.applied, generations=self.known)
            heads = found.tables.heads()
            self.situations[view.reference] = replace(found, looked=heads, is_suspect=self._is_suspect(found, heads))
        return self.situations[view.reference]

    def _is_suspect(self, found: Situation, heads: Heads) -> bool:
        """True when published values were changed from outside, and somebody gave a reason to evaluate all of them."""
        if found.last is None:
            return False
        try:
            refuse_strange(found, heads)
        except ContractBroken as broken:
            # other commands would build on what they do not evaluate
            if self.command != "run" or HISTORY not in self.accept:
                raise
            self.shop.say(f"Accepted, for {self.accept[HISTORY]}: {broken}")
            return True
        return False

    @property
    def gate_accept(self) -> dict[str, str]:
        """What of `accept` is for the gate."""
        return {check: reason for check, reason in self.accept.items() if check not in {LEDGER, HISTORY}}

    def next_number(self) -> int:
        """The number of a generation that this attempt begins; it has to be recorded before anything is written."""
        skew_us = duration_us(self.shop.settings.clock.max_skew)
        greatest = max((one.number for one in self.known), default=0)
        return next_number(greatest, now_us=self.shop.clock.now_us(), skew_us=skew_us)

    def take_up(self, generations: Iterable[Generation]) -> None:
        """Go on with generations that an earlier process left."""
        for one in generations:
            self.look_up(self.shop.definitions.view(one.reference)).refuse_when_rolled_back()
            self.generations[one.reference] = one

    def those_in(self, *states: GenerationState) -> tuple[Generation, ...]:
        """The generations of some states."""
        return tuple(one for one in self.generations.values() if one.state in states)

    def echoes(self) -> tuple[Generation, ...]:
        """Evaluations that changed nothing, up to ticks that no revision tells readers of yet."""
        found = [(one.seen, one.pointer) for one in self.situations.values()]
        return tuple(seen for seen, pointer in found if seen and pointer and seen.through_us > pointer.through_us)

    def point_further(self, echo: Generation) -> None:
        """The values that readers have are known to hold until the tick of an evaluation that changed nothing."""
        pointer = self.situations[echo.reference].pointer
        if pointer is not None and echo.through_us > pointer.through_us:
            self.pointers[echo.reference] = replace(pointer, through_us=echo.through_us)

    def moved(self, generations: Iterable[Generation]) -> None:
        """Record new states of generations, in one commit."""
        newer = tuple(generations)
        self.shop.ledger.record(newer)
        self._learned(newer)

    def give_up(self) -> None:
        """Abandon every generation that has not come to an end yet; what the gate refused is recorded with them."""
        refused = self.those_in(GenerationState.REFUSED)
        going = [one for one in self.generations.values() if not one.state.is_end]
        if going or refused:
            self._learned(give_up(self.shop, going, applied=self.applied, refused=refused))

    def _learned(self, newer: Iterable[Generation]) -> None:
        states = tuple(newer)
        self.known = newest_states((*self.known, *states))
        self.generations.update({one.reference: one for one in states})

    @contextmanager
    def timed(self, view: str, stage: str) -> Iterator[None]:
        """Measure a stage of a view version (`name@version`)."""
        begun = perf_counter()
        yield
        self.seconds.setdefault(view, {})[stage] = round(perf_counter() - begun, 3)

    def named(self, views: Iterable[str]) -> str:
        """View versions as people read them, in one line."""
        return ", ".join(map(self.shop.definitions.short, views))

    def note(self) -> None:
        """Write down how far the run is, so that a run that dies has told what it did."""
        note(self.shop, self._record("running", f"{self.command} has not ended."))

    def record(self, outcome: str, *, message: str, revision: Revision | None = None) -> RunRecord:
        """The run's record, kept."""
        found = self._record(outcome, message, revision)
        keep(self.shop, found)
        return found

    def _record(self, outcome: str, message: str, revision: Revision | None = None) -> RunRecord:
        return RunRecord(
            run_id=self.run_id,
            command=self.command,
            started_us=self.started_us,
            finished_us=self.shop.clock.now_us(),
            seconds=round(perf_counter() - self.begun, 3),
            outcome=outcome,
            revision=revision.number if revision else None,
            visible_from_us=revision.visible_from_us if revision else None,
            views=tuple(self._outcome(view) for view in self.situations),
            message=" ".join([message, *(f"Accepted: {check} ({self.accept[check]})." for check in self._accepted)]),
        )

    @property
    def _accepted(self) -> list[str]:
        """The checks of the contract that this attempt had to go on in spite of."""
        has_lost = any(one.kind == "restored" and one.run_id == self.run_id for one in self.known)
        is_suspect = any(one.is_suspect for one in self.situations.values())
        return [check for check, failed in ((LEDGER, has_lost), (HISTORY, is_suspect)) if failed]

    def _outcome(self, view: str) -> ViewOutcome:
        generation, verdict = self.generations.get(view), self.verdicts.get(view)
        situation = self.situations[view]
        pointer = self.pointers.get(view) or situation.pointer
        found = ViewOutcome(
            situation.view.name, situation.view.version, "unchanged", through_us=pointer.through_us if pointer else None
        )
        if generation is not None and generation.state is not GenerationState.UNCHANGED:
            found = ViewOutcome.of(generation)
        return replace(
            found,
            seconds=self.seconds.get(view, {}),
            pushed=self.pushed.get(view, 0),
            verdict=verdict.to_json() if verdict else None,
        )
