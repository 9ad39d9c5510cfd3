"""backfill: evaluate a range of a view's past, chunk by chunk, as one generation that is published at its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pyspark.sql import functions as F

from skewless.core.failpoints import Failpoint, reached
from skewless.core.generation import Chunks, Generation, GenerationState
from skewless.core.names import GENERATION
from skewless.core.run_record import RunRecord
from skewless.core.time import days, duration_us, format_instant, from_us, to_us
from skewless.core.view import FeatureView, SnapshotView
from skewless.errors import NothingToDo, UsageError
from skewless.flows.attempt import Attempt, leased
from skewless.flows.due import NEXT_EVENT
from skewless.flows.materialize import append_served, counted, plan, served_now, still_leased
from skewless.flows.situation import Situation, unfinished, waiting
from skewless.flows.soundness import refuse_strange
from skewless.flows.stages import onwards, works_due
from skewless.flows.unapplied import refuse_changed
from skewless.flows.workshop import Workshop
from skewless.spark.changes import BARE, CHANGE, NEWEST, compared, newly_served
from skewless.spark.evaluate_range import Range, evaluate_range, first_us
from skewless.spark.read import PinnedSource, pin
from skewless.spark.value_tables import of_generations

#: Of a chunk; of a SnapshotView at most so many ticks, for they are evaluated in one plan.
LENGTH, _SNAPSHOTS = days(90), 60


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for.

    Attributes:
        start: The first tick or event time, included; None is where the view's history may begin.
        end: The last one, included; None is where it ends, for a view without one: now.
        length: Of a chunk.
    """

    start: datetime | None = None
    end: datetime | None = None
    length: timedelta = LENGTH


def backfill(
    shop: Workshop, name: str, wanted: Wanted, *, accept: Mapping[str, str] | None = None, give_up: bool = False
) -> RunRecord:
    """Evaluate a range of a view again, write what differs from its history, and publish that in one revision.

    A view without history is filled. One whose `start` was moved back is extended: of what was known nothing changes.
    The sources are read as they were at the view's last evaluation, so that the next run goes on from there. A killed
    backfill is resumed where it was, by the same command; until then the view takes part in no run.

    Args:
        shop: The workshop.
        name: The view.
        wanted: The range.
        accept: Check → reason for publishing in spite of its failure.
        give_up: Abandon a backfill that has not ended.

    Raises:
        UsageError: The range does not fit what is known, or the view is rolled back or left unfinished by a run.
        NothingToDo: No value of the range differs from history, or there is nothing to give up.
        UpstreamNotReady: The view has no history, and its sources are not ready for a single tick.
        RefusedByValidation: The gate refused it.
    """
    view = shop.definitions.view(name)
    with leased(shop, "backfill"):
        attempt = Attempt.begin(shop, "backfill", accept)
        situation = attempt.look_up(view)
        situation.refuse_when_rolled_back()
        begun = begun_backfill(attempt.known, view)
        if give_up:
            return _given_up(attempt, view, begun)
        if begun is None:
            begun = _planned(attempt, situation, wanted)
        else:
            _refuse_other_range(begun, wanted)
        attempt.take_up([begun])
        _fill(attempt, situation, begun)
        return onwards(attempt)


def without_backfills(attempt: Attempt, views: tuple[FeatureView, ...], *, named: bool) -> tuple[FeatureView, ...]:
    """The views of a run without those whose backfill has not ended: a later generation would cut it off.

    Args:
        attempt: The attempt.
        views: Those that would run.
        named: They were asked for by name.

    Raises:
        UsageError: A named view has such a backfill, or every view has.
    """
    found = {view: begun_backfill(attempt.known, view) for view in views}
    words = [
        f"View '{attempt.shop.short(view)}' waits for its backfill ({_words(begun.chunks)}): finish it "
        f"(skewless backfill {attempt.shop.short(view)}) or give it up (--give-up)."
        for view, begun in found.items()
        if begun is not None and begun.chunks is not None
    ]
    if words and (named or len(words) == len(views)):
        raise UsageError(" ".join(words))
    for one in words:
        attempt.shop.say(one)
    return tuple(view for view, begun in found.items() if begun is None)


def begun_backfill(known: tuple[Generation, ...], view: FeatureView) -> Generation | None:
    """The backfill of a view that has chunks to do yet."""
    left = waiting(known, view, GenerationState.PLANNED)
    return left if left is not None and left.chunks is not None else None


def _given_up(attempt: Attempt, view: FeatureView, begun: Generation | None) -> RunRecord:
    if begun is None:
        raise NothingToDo(f"View '{attempt.shop.short(view)}' has no backfill that could be given up.")
    attempt.take_up([begun])
    attempt.give_up()
    return attempt.record(
        "given up", message=f"The backfill of {attempt.shop.short(view)} is given up; nothing became visible."
    )


def _planned(attempt: Attempt, situation: Situation, wanted: Wanted) -> Generation:
    """Number a backfill and record its range and its pinned sources, before anything else is written."""
    shop, view = attempt.shop, situation.view
    if unfinished(attempt.known, view):
        name = shop.short(view)
        message = f"An earlier run left view '{name}' unfinished. `skewless run {name}` settles it."
        raise UsageError(message)
    refuse_changed(shop, [view], attempt.applied)
    number = attempt.next_number()
    if situation.pointer is None:
        if wanted.end is not None and not view.has_ticks:
            raise UsageError(f"View '{view.name}' has no history yet: it is filled up to now. Leave --end out.")
        work = works_due(attempt, (view,), wanted.end)[0]
        pins, through_us = work.pins, work.through_us if view.has_ticks else number
    else:
        pins, through_us = _seen_pins(shop, situation), situation.pointer.through_us
    generation = replace(
        plan(situation, pins, number=number, through_us=through_us, run_id=attempt.run_id),
        # without ticks too: as far as it was evaluated last, not up to this number
        through_us=through_us,
        kind="backfill",
        counts=_begun_counts(situation),
        chunks=_chunks(shop, situation, pins, wanted, through_us),
    )
    shop.ledger.record([generation])
    reached(Failpoint.MATERIALIZE_PLANNED)
    return generation


def _begun_counts(situation: Situation) -> dict[str, int]:
    counts = dict.fromkeys(("new", "corrected", "retracted", "read", "quarantined", "used"), 0)
    later = situation.seen.counts.get(NEXT_EVENT) if situation.seen is not None else None
    # what lay in the future then is still to come
    return counts if later is None else {**counts, NEXT_EVENT: later}


def _chunks(
    shop: Workshop, situation: Situation, pins: Mapping[str, PinnedSource], wanted: Wanted, through_us: int
) -> Chunks:
    view = situation.view
    earliest_us = first_us(shop.session, view, pins)
    if earliest_us is None:
        raise NothingToDo(f"The sources of view '{view.name}' have no events.")
    start_us = earliest_us if wanted.start is None else to_us(wanted.start)
    end_us = through_us if wanted.end is None else to_us(wanted.end)
    if view.has_ticks and view.start is not None and start_us < earliest_us:
        message = (
            f"View '{view.name}' starts at {format_instant(view.start)}. Move its `start` back and apply it, then "
            "backfill: so that a later evaluation of everything knows where it begins."
        )
        raise UsageError(message)
    if end_us > through_us:
        until = format_instant(from_us(through_us))
        raise UsageError(f"View '{view.name}' is known until {until}. Later ticks are for `skewless run`.")
    if start_us > end_us:
        raise UsageError("The range ends before it starts. Give --start an earlier time than --end.")
    length_us = max(duration_us(wanted.length), view.schedule.every_us if view.has_ticks else 1)
    if isinstance(view, SnapshotView):
        length_us = min(length_us, _SNAPSHOTS * view.schedule.every_us)
    return Chunks(start_us - 1, end_us, length_us)


def _seen_pins(shop: Workshop, situation: Situation) -> dict[str, PinnedSource]:
    """The sources as the last evaluation read them: with newer rows the next run would take them for evaluated."""
    seen = situation.seen
    if seen is None or seen.kind == "restored":
        name = shop.short(situation.view)
        raise UsageError(f"Nobody knows on what view '{name}' was evaluated last. `skewless run {name}` settles it.")
    return {name: _pinned(shop, situation.view, seen, name) for name in seen.sources}


def _pinned(shop: Workshop, view: FeatureView, generation: Generation, name: str) -> PinnedSource:
    source = next(one for one in view.sources if one.name == name)
    now = pin(shop.session, source, shop.source_path(source))
    if now.table_id != generation.source_ids[name]:
        message = f"Source '{name}' was replaced by another table. `skewless run {shop.short(view)}` evaluates all."
        raise UsageError(message)
    return replace(now, version=generation.sources[name])


def _refuse_other_range(begun: Generation, wanted: Wanted) -> None:
    chunks = begun.chunks
    asked = {to_us(one) - less for one, less in ((wanted.start, 1), (wanted.end, 0)) if one is not None}
    if chunks is not None and not asked <= {chunks.after_us, chunks.until_us}:
        message = (
            f"Another backfill of '{begun.reference}' has not ended ({_words(chunks)}). "
            f"Finish it (skewless backfill {begun.reference}) or give it up (--give-up)."
        )
        raise UsageError(message)


def _words(chunks: Chunks) -> str:
    first, last = (format_instant(from_us(one)) for one in (chunks.after_us + 1, chunks.until_us))
    return f"{first} to {last}, {chunks.done} of {chunks.count} chunks done"


def _fill(attempt: Attempt, situation: Situation, begun: Generation) -> None:
    shop, view, generation = attempt.shop, situation.view, begun
    pins = {name: _pinned(shop, view, begun, name) for name in begun.sources}
    situation.tables.create()
    # an error gives nothing up: what is done is done, and the next attempt goes on from there
    with attempt.timed(view.reference, "materialize"):
        while generation.chunks is not None and generation.chunks.done < generation.chunks.count:
            generation = _chunk(shop, situation, pins, generation, generation.chunks)
            attempt.moved([generation])
            reached(Failpoint.BACKFILL_RECORDED)
            attempt.note()
        counts = generation.counts
        if not (counts["new"] or counts["corrected"] or counts["retracted"]):
            attempt.moved([replace(generation, state=GenerationState.UNCHANGED)])
            raise NothingToDo(f"No value of view '{view.name}' in that range differs from its history.")
        attempt.moved([_served(shop, situation, generation)])
        reached(Failpoint.MATERIALIZE_RECORDED)


def _chunk(
    shop: Workshop, situation: Situation, pins: Mapping[str, PinnedSource], generation: Generation, chunks: Chunks
) -> Generation:
    """Evaluate one chunk and append what differs from history."""
    view, tables = situation.view, situation.tables
    number, is_filled = chunks.done, situation.pointer is None
    after_us, until_us = chunks.range_us(number)
    is_last = number == chunks.count - 1
    part = Range(after_us, until_us, is_first=is_filled and number == 0, is_last=is_filled and is_last)
    evaluation = evaluate_range(shop.session, view, pins, part, start_us=generation.number)
    known = evaluation.span.of(of_generations(tables.read(tables.history), situation.counting))
    changes = compared(view, evaluation.statements, known).localCheckpoint()
    tally = {row[0]: row[1] for row in changes.groupBy(CHANGE).count().collect()}
    version = generation.history_version
    if any(kind is not None for kind in tally):
        still_leased(shop)
        statements = changes.filter(F.col(CHANGE).isNotNull()).drop(CHANGE, NEWEST, BARE)
        version = tables.append_chunk(statements, generation=generation.number, chunk=number, run_id=generation.run_id)
        reached(Failpoint.BACKFILL_HISTORY)
        refuse_strange(situation, replace(situation.looked, history=version), also=[generation.number])
    told = {kind: tally.get(kind, 0) for kind in ("new", "corrected", "retracted")}
    told |= counted(shop, situation, evaluation.judged, generation, writer=f"quarantine chunk {number}")
    until = format_instant(from_us(until_us))
    shop.say(f"{shop.short(view)}: chunk {number + 1} of {chunks.count}, until {until}: {_changes(told)}.")
    return replace(
        generation,
        history_version=version,
        counts=_added(generation.counts, told),
        chunks=replace(chunks, done=number + 1),
    )


def _added(before: Mapping[str, int], told: Mapping[str, int]) -> dict[str, int]:
    """Counts add up; of the events of the future the earliest counts."""
    found = {name: before.get(name, 0) + count for name, count in told.items()}
    later = [counts[NEXT_EVENT] for counts in (before, told) if NEXT_EVENT in counts]
    return {**before, **found, **({NEXT_EVENT: min(later)} if later else {})}


def _changes(told: Mapping[str, int]) -> str:
    kinds = [f"{told[kind]:,} {kind}" for kind in ("new", "corrected", "retracted") if told[kind]]
    return ", ".join(kinds) or "nothing differs"


def _served(shop: Workshop, situation: Situation, generation: Generation) -> Generation:
    """What all of the chunks change of current values goes to served, at once."""
    view, tables, number = situation.view, situation.tables, generation.number
    said = tables.read(tables.history, generation.history_version).filter(F.col(GENERATION) == number)
    entities = said.select(*view.entity.key_names).distinct()
    after = served_now(situation, {*situation.counting, number}, entities)
    sent = of_generations(tables.read(tables.served), situation.counting)
    return append_served(shop, situation, newly_served(view, after, sent), generation)
