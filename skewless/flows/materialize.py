"""materialize: bring a view's history up to a tick, as one invisible generation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from skewless.core.failpoints import Failpoint, reached
from skewless.core.generation import Generation, GenerationState, next_number
from skewless.core.names import EVENT_TIMESTAMP, STATE
from skewless.core.resolver import ABSENT
from skewless.core.time import duration_us, format_instant, from_us
from skewless.core.view import FeatureView
from skewless.errors import UpstreamNotReady
from skewless.flows.situation import Situation
from skewless.flows.workshop import Workshop
from skewless.spark.changes import BARE, CHANGE, NEWEST, compared, newly_served
from skewless.spark.evaluate import Evaluation, earliest_change_us, evaluate
from skewless.spark.quarantine import set_aside
from skewless.spark.read import PinnedSource, pin
from skewless.spark.value_tables import (
    as_served,
    current,
    later_than,
    newest_served,
    of_generations,
    standing,
)

#: Count of a generation: the earliest event that lay in its future.
NEXT_EVENT = "next_event_us"


@dataclass(frozen=True, slots=True)
class Work:
    """What one view needs.

    Attributes:
        situation: The view, and where it stands.
        pins: Source name → pinned source.
        after_us: Ticks up to this one need no new evaluation; None evaluates everything.
        through_us: The last tick to evaluate.
    """

    situation: Situation
    pins: Mapping[str, PinnedSource]
    after_us: int | None
    through_us: int

    @property
    def view(self) -> FeatureView:
        """The view."""
        return self.situation.view

    def is_that_of(self, generation: Generation) -> bool:
        """True when a generation was planned as this work is: over the same source versions, up to the same tick."""
        versions = {name: pinned.version for name, pinned in self.pins.items()}
        is_same_tick = not self.view.has_ticks or generation.through_us == self.through_us
        return generation.kind == "materialize" and is_same_tick and dict(generation.sources) == versions


def pinned_sources(shop: Workshop, views: Iterable[FeatureView]) -> dict[str, PinnedSource]:
    """Fix the version of every source that views read: one version per source and run.

    Raises:
        SourceMissing: A source has no table.
    """
    sources = {source.name: source for view in views for source in view.sources}
    return {name: pin(shop.session, source, shop.source_path(source)) for name, source in sources.items()}


def due(
    shop: Workshop,
    situation: Situation,
    pinned: Mapping[str, PinnedSource],
    *,
    now_us: int,
    through_us: int | None,
    ready_us: Mapping[str, int | None],
) -> Work | None:
    """Decide from source versions and the clock what a view needs.

    Args:
        shop: The workshop.
        situation: The view.
        pinned: Source name → pinned source.
        now_us: The clock.
        through_us: Upper bound of the ticks; None is now.
        ready_us: Source name → instant through which ticks over it are ready; None when not one is.

    Returns:
        None when no source changed and no tick came due.

    Raises:
        UpstreamNotReady: A tick's time has come, but not its sources; and nothing else is to be done.
    """
    view = situation.view
    pins = {source.name: pinned[source.name] for source in view.sources}
    limit = now_us if through_us is None else min(now_us, through_us)
    wanted = view.schedule.floor_us(limit) if view.has_ticks else now_us
    reached = [_ready(view, wanted, ready_us), situation.pointer.through_us if situation.pointer else None]
    through = max((one for one in reached if one is not None), default=None)
    work = None if through is None else _changed(shop, situation, pins, through=through, now_us=now_us)
    if through is None or through < wanted:
        # a late upstream must not publish low counts as truth, but what it corrected of older ticks may go out
        if work is None or work.after_us == work.through_us:
            raise UpstreamNotReady(_waits(view, wanted, ready_us))
        shop.say(_waits(view, wanted, ready_us))
    return work


def _changed(
    shop: Workshop, situation: Situation, pins: Mapping[str, PinnedSource], *, through: int, now_us: int
) -> Work | None:
    view, seen = situation.view, situation.seen
    if situation.pointer is None or seen is None:
        return Work(situation, pins, None, through)
    before_us = situation.pointer.through_us
    moved = [name for name, pinned in pins.items() if pinned.version != seen.sources.get(name)]
    has_new_tick = view.has_ticks and through > before_us
    # an event of the future lies after the last tick: only a RowView may have to look again for it
    has_come = not view.has_ticks and seen.counts.get(NEXT_EVENT, now_us + 1) <= now_us
    if not moved and not has_new_tick and not has_come:
        return None
    if not view.has_ticks:
        return Work(situation, pins, None, through)
    touched = [earliest_change_us(shop.session, pins[name], since=seen.sources[name]) for name in moved]
    if None in touched:
        return Work(situation, pins, None, through)
    return Work(situation, pins, min([before_us, *(one for one in touched if one is not None)]), through)


def _ready(view: FeatureView, wanted_us: int, ready_us: Mapping[str, int | None]) -> int | None:
    """The last tick up to a wanted one for which all sources are ready; None when there is none."""
    if not view.has_ticks:
        return wanted_us
    found = [ready_us[source.name] for source in view.sources]
    known = [one for one in found if one is not None]
    return None if len(known) < len(found) else view.schedule.floor_us(min(wanted_us, *known))


def _waits(view: FeatureView, wanted_us: int, ready_us: Mapping[str, int | None]) -> str:
    late = []
    for source in view.sources:
        until_us = ready_us[source.name]
        if until_us is None or until_us < wanted_us:
            until = "no tick" if until_us is None else f"ticks up to {format_instant(from_us(until_us))}"
            late.append(f"'{source.name}' is ready for {until} ({source.ready})")
    tick = format_instant(from_us(wanted_us))
    return f"{view.name} waits before tick {tick}: source {'; '.join(late)}. Run it again when more has arrived."


def number_works(
    shop: Workshop, works: Iterable[Work], *, previous: int, now_us: int, run_id: str
) -> dict[str, Generation]:
    """Number the generations of a run and record them before anything else is written.

    A number that was not recorded could be given out twice, and rows of a killed attempt would count as the next's.

    Args:
        shop: The workshop.
        works: What is due.
        previous: The greatest number so far.
        now_us: The clock.
        run_id: The run.
    """
    skew_us = duration_us(shop.settings.clock.max_skew)
    generations = {}
    for work in works:
        previous = next_number(previous, now_us=now_us, skew_us=skew_us)
        view = work.view
        generations[view.name] = Generation(
            number=previous,
            view=view.name,
            version=view.version,
            table=work.situation.served.table,
            state=GenerationState.PLANNED,
            through_us=work.through_us if view.has_ticks else previous,
            fingerprint=work.situation.served.fingerprint,
            sources={name: pinned.version for name, pinned in work.pins.items()},
            run_id=run_id,
        )
    shop.ledger.record(generations.values())
    reached(Failpoint.MATERIALIZE_PLANNED)
    return generations


def materialize(shop: Workshop, work: Work, generation: Generation) -> Generation:
    """Compute what changed and append it to history and served; nothing becomes visible.

    Returns:
        The generation as MATERIALIZED, with its counts; or as UNCHANGED, then no value was written.
    """
    situation, view = work.situation, work.view
    tables = situation.tables
    tables.create()
    reach = "everything" if work.after_us is None else f"ticks after {format_instant(from_us(work.after_us))}"
    shop.say(f"{view.name}: evaluating {reach}…")
    evaluation = evaluate(
        shop.session,
        view,
        work.pins,
        start_us=generation.number,
        after_us=work.after_us,
        through_us=generation.through_us,
    )
    made = (_later if situation.counting else _first)(shop, work, evaluation, generation)
    # counted on the way: only now are the numbers there
    return replace(made, counts={**made.counts, **_read_counts(shop, work, evaluation, generation)})


def _later(shop: Workshop, work: Work, evaluation: Evaluation, generation: Generation) -> Generation:
    """Compare with what is known; only what differs is written."""
    situation, view, tables = work.situation, work.view, work.situation.tables
    near = of_generations(tables.read(tables.history), situation.counting).filter(later_than(work.after_us))
    changes = compared(view, evaluation.statements, near).persist()
    try:
        tally = changes.groupBy(CHANGE, BARE).agg(F.count("*"), F.count_if(NEWEST)).collect()
        kinds = {kind: sum(row[2] for row in tally if row[0] == kind) for kind in ("new", "corrected", "retracted")}
        if not any(kinds.values()):
            return replace(generation, state=GenerationState.UNCHANGED, counts=kinds)
        has_bare = any(row[1] for row in tally)
        statements = changes.filter(F.col(CHANGE).isNotNull()).drop(CHANGE, NEWEST, BARE)
        served = partial(_served_rows, work, generation.number, changes, has_bare=has_bare)
        return append_generation(shop, situation, statements, served, replace(generation, counts=kinds))
    finally:
        changes.unpersist()


def _first(shop: Workshop, work: Work, evaluation: Evaluation, generation: Generation) -> Generation:
    """Nothing is known yet: all of it is new, and the newest of it is what readers get."""
    view, tables = work.view, work.situation.tables

    def served() -> DataFrame:
        return as_served(view, current(view, of_generations(tables.read(tables.history), [generation.number])))

    counts = {"new": 0, "corrected": 0, "retracted": 0}
    made = append_generation(shop, work.situation, evaluation.statements, served, replace(generation, counts=counts))
    return made if made.counts["new"] else replace(generation, state=GenerationState.UNCHANGED, counts=counts)


def append_generation(
    shop: Workshop,
    situation: Situation,
    statements: DataFrame,
    served: Callable[[], DataFrame],
    generation: Generation,
) -> Generation:
    """Write statements to history, then what follows for the entities to served; a repeat is a no-op.

    Args:
        shop: The workshop, holding the lease.
        situation: The view.
        statements: What is said.
        served: Gives the entities whose current value that changes; asked when history has the statements.
        generation: With the counts that are known.

    Returns:
        The generation as MATERIALIZED.
    """
    tables, number, run_id = situation.tables, generation.number, generation.run_id
    _still_leased(shop)
    history = tables.append(tables.history, statements, generation=number, run_id=run_id)
    reached(Failpoint.MATERIALIZE_HISTORY)
    _still_leased(shop)
    pushed = tables.append(tables.served, served(), generation=number, run_id=run_id)
    reached(Failpoint.MATERIALIZE_SERVED)
    known = generation.counts
    new = history.rows - known["corrected"] - known["retracted"]
    return replace(
        generation,
        state=GenerationState.MATERIALIZED,
        history_version=history.version,
        served_version=pushed.version,
        counts={**known, "new": new, "served": pushed.rows},
    )


def _served_rows(work: Work, number: int, changes: DataFrame, *, has_bare: bool) -> DataFrame:
    """The entities whose current value the generation changes.

    What was evaluated again is the newest part of time: an entity has its current value there, unless nothing is left
    of it there; only then an older statement may win again.
    """
    situation, view, tables = work.situation, work.view, work.situation.tables
    after = as_served(view, changes.filter(NEWEST))
    if has_bare:
        bare = changes.filter(BARE).select(*view.entity.key_names).distinct()
        after = after.unionByName(served_now(situation, {*situation.counting, number}, bare))
    sent = of_generations(tables.read(tables.served), situation.counting)
    return newly_served(view, after, sent)


def served_now(situation: Situation, generations: Collection[int], entities: DataFrame) -> DataFrame:
    """What entities are worth by all of history, `absent` when nothing holds of them.

    Args:
        situation: The view.
        generations: Those that count.
        entities: Keys, each once.
    """
    view, tables, keys = situation.view, situation.tables, list(situation.view.entity.key_names)
    counted = of_generations(tables.read(tables.history), generations)
    values = as_served(view, current(view, standing(view, counted.join(entities, keys, "left_semi"))))
    state = F.coalesce(STATE, F.lit(ABSENT)).alias(STATE)
    return entities.join(values, keys, "left").select(*keys, EVENT_TIMESTAMP, *view.feature_names, state)


def current_values(situation: Situation, number: int | None) -> DataFrame:
    """Every entity as it would be served with a generation: what distributions and counts are judged on."""
    view, tables = situation.view, situation.tables
    counting = situation.counting if number is None else {*situation.counting, number}
    newest = newest_served(view, of_generations(tables.read(tables.served), counting))
    return newest.filter(F.col(STATE) == "").drop(STATE)


def _read_counts(shop: Workshop, work: Work, evaluation: Evaluation, generation: Generation) -> dict[str, int]:
    tally = evaluation.judged.count()
    if tally.bad:
        shop.say(f"{work.view.name}: {tally.bad} of {tally.read} rows go to quarantine.")
        _still_leased(shop)
        versions = {name: pinned.version for name, pinned in work.pins.items()}
        set_aside(evaluation.judged.quarantined, work.situation.tables, generation, versions)
        reached(Failpoint.MATERIALIZE_QUARANTINED)
    later = {} if tally.next_us is None else {NEXT_EVENT: tally.next_us}
    return {"read": tally.read, "quarantined": tally.bad, "used": tally.read - tally.bad, **later}


def _still_leased(shop: Workshop) -> None:
    """Right before a durable effect: a paused process that lost its lease must not write."""
    if shop.lease is not None:
        shop.lease.check()
