"""materialize: bring a view's history up to a tick, as one invisible generation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from skewless.core.failpoints import Failpoint, reached
from skewless.core.generation import Generation, GenerationState, next_number
from skewless.core.names import EVENT_TIMESTAMP, STATE
from skewless.core.resolver import ABSENT
from skewless.core.time import duration_us, format_instant, from_us
from skewless.flows.due import NEXT_EVENT, Work
from skewless.flows.situation import Situation
from skewless.flows.soundness import refuse_strange
from skewless.flows.workshop import Workshop
from skewless.spark.changes import BARE, CHANGE, NEWEST, compared, newly_served, not_outdated
from skewless.spark.evaluate import Evaluation, evaluate
from skewless.spark.few import settled
from skewless.spark.quarantine import set_aside
from skewless.spark.read import PinnedSource
from skewless.spark.span import Span
from skewless.spark.transform import Judged
from skewless.spark.value_tables import (
    as_served,
    current,
    newest_served,
    of_generations,
    standing,
)


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
        planned = plan(work.situation, work.pins, number=previous, through_us=work.through_us, run_id=run_id)
        generations[work.view.reference] = planned
    shop.ledger.record(generations.values())
    reached(Failpoint.MATERIALIZE_PLANNED)
    return generations


def plan(
    situation: Situation, pins: Mapping[str, PinnedSource], *, number: int, through_us: int, run_id: str
) -> Generation:
    """A generation that is to be evaluated; nothing is recorded yet.

    Args:
        situation: The view.
        pins: Source name → pinned source.
        number: Its number.
        through_us: The last tick; a view without ticks is evaluated up to the number.
        run_id: The run.
    """
    view, served = situation.view, situation.served
    return Generation(
        number=number,
        view=view.name,
        version=view.version,
        table=served.table,
        state=GenerationState.PLANNED,
        through_us=through_us if view.has_ticks else number,
        fingerprint=served.fingerprint,
        sources={name: pinned.version for name, pinned in pins.items()},
        source_ids={name: pinned.table_id for name, pinned in pins.items()},
        history_version=situation.looked.history,
        served_version=situation.looked.served,
        run_id=run_id,
    )


def materialize(shop: Workshop, work: Work, generation: Generation) -> Generation:
    """Compute what changed and append it to history and served; nothing becomes visible.

    Returns:
        The generation as MATERIALIZED, with its counts; or as UNCHANGED, then no value was written.
    """
    situation, view = work.situation, work.view
    tables = situation.tables
    tables.create()
    shop.say(f"{shop.short(view)}: evaluating {_reach(work)}…")
    evaluation = evaluate(
        shop.session,
        view,
        work.pins,
        start_us=generation.number,
        through_us=generation.through_us,
        since=work.since,
    )
    made = (_later if situation.counting else _first)(shop, work, evaluation, generation)
    # counted on the way: only now are the numbers there
    read = counted(shop, situation, evaluation.judged, generation)
    later = [one for one in (read.get(NEXT_EVENT), evaluation.next_us) if one is not None]
    return replace(made, counts={**made.counts, **read, **({NEXT_EVENT: min(later)} if later else {})})


def _reach(work: Work) -> str:
    if work.since is None:
        return "everything"
    instant = format_instant(from_us(work.since.after_us))
    return f"ticks after {instant}" if work.view.has_ticks else f"what changed, all of it after {instant}"


def _later(shop: Workshop, work: Work, evaluation: Evaluation, generation: Generation) -> Generation:
    """Compare with what is known; only what differs is written."""
    situation, view, tables = work.situation, work.view, work.situation.tables
    span = evaluation.span
    known = span.of(of_generations(tables.read(tables.history), situation.counting))
    # not persisted: writing to history, which it reads, would make Spark forget it, and compute it once more for served
    changes = compared(view, evaluation.statements, known, is_scattered=span.is_scattered).localCheckpoint()
    tally = changes.groupBy(CHANGE, BARE).agg(F.count("*"), F.count_if(NEWEST)).collect()
    kinds = {kind: sum(row[2] for row in tally if row[0] == kind) for kind in ("new", "corrected", "retracted")}
    if not any(kinds.values()):
        return replace(generation, state=GenerationState.UNCHANGED, counts=kinds)
    has_bare = any(row[1] for row in tally)
    statements = changes.filter(F.col(CHANGE).isNotNull()).drop(CHANGE, NEWEST, BARE)
    served = partial(_served_rows, work, span, changes, with_bare=generation.number if has_bare else None)
    return append_generation(shop, situation, statements, served, replace(generation, counts=kinds))


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
    still_leased(shop)
    history = tables.append(tables.history, statements, generation=number, run_id=run_id)
    reached(Failpoint.MATERIALIZE_HISTORY)
    refuse_strange(situation, replace(situation.looked, history=history.version), also=[number])
    known = generation.counts
    counts = {**known, "new": history.rows - known["corrected"] - known["retracted"]}
    return append_served(shop, situation, served(), replace(generation, history_version=history.version, counts=counts))


def append_served(shop: Workshop, situation: Situation, rows: DataFrame, generation: Generation) -> Generation:
    """Write what a generation in history changes of current values; a repeat is a no-op.

    Returns:
        The generation as MATERIALIZED.
    """
    tables = situation.tables
    still_leased(shop)
    pushed = tables.append(tables.served, rows, generation=generation.number, run_id=generation.run_id)
    reached(Failpoint.MATERIALIZE_SERVED)
    refuse_strange(situation, replace(situation.looked, served=pushed.version), also=[generation.number])
    counts = {**generation.counts, "served": pushed.rows}
    return replace(generation, state=GenerationState.MATERIALIZED, served_version=pushed.version, counts=counts)


def _served_rows(work: Work, span: Span, changes: DataFrame, *, with_bare: int | None) -> DataFrame:
    """The entities whose current value the generation changes.

    Their newest statement that was evaluated is their current one, unless what is served already is newer; of bare ones
    all of history tells.
    """
    situation, view, tables = work.situation, work.view, work.situation.tables
    sent = of_generations(tables.read(tables.served), situation.counting)
    newest = as_served(view, changes.filter(F.col(NEWEST) & ~F.col(BARE)))
    after = not_outdated(view, newest, sent) if span.is_scattered else newest
    if with_bare is not None:
        bare = changes.filter(BARE).select(*view.entity.key_names).distinct()
        after = after.unionByName(served_now(situation, {*situation.counting, with_bare}, bare))
    return newly_served(view, after, sent)


def served_now(situation: Situation, generations: Collection[int], entities: DataFrame) -> DataFrame:
    """What entities are worth by all of history, `absent` when nothing holds of them.

    Args:
        situation: The view.
        generations: Those that count.
        entities: Keys, each once.
    """
    view, tables, keys = situation.view, situation.tables, list(situation.view.entity.key_names)
    asked, counted = settled(entities), of_generations(tables.read(tables.history), generations)
    values = as_served(view, current(view, standing(view, counted.join(asked, keys, "left_semi"))))
    state = F.coalesce(STATE, F.lit(ABSENT)).alias(STATE)
    return asked.join(values, keys, "left").select(*keys, EVENT_TIMESTAMP, *view.feature_names, state)


def current_values(situation: Situation, number: int | None) -> DataFrame:
    """Every entity as it would be served with a generation: what distributions and counts are judged on."""
    view, tables = situation.view, situation.tables
    counting = situation.counting if number is None else {*situation.counting, number}
    newest = newest_served(view, of_generations(tables.read(tables.served), counting))
    return newest.filter(F.col(STATE) == "").drop(STATE)


def counted(
    shop: Workshop, situation: Situation, rows: Judged, generation: Generation, *, writer: str = "quarantine"
) -> dict[str, int]:
    """Count the rows that an evaluation read; those that it could not use go to quarantine.

    Args:
        shop: The workshop, holding the lease.
        situation: The view.
        rows: Source rows, after the statements were used.
        generation: The generation.
        writer: Whose rows they are: those of a chunk are its own.

    Returns:
        `read`, `quarantined` and `used`, which is their difference; and when the earliest event of the future comes.
    """
    tally = rows.count()
    if tally.bad:
        shop.say(f"{shop.short(situation.view)}: {tally.bad:,} of {tally.read:,} rows go to quarantine.")
        still_leased(shop)
        set_aside(rows.quarantined, situation.tables, generation, writer=writer)
        reached(Failpoint.MATERIALIZE_QUARANTINED)
    next_event = {} if tally.next_us is None else {NEXT_EVENT: tally.next_us}
    return {"read": tally.read, "quarantined": tally.bad, "used": tally.read - tally.bad, **next_event}


def still_leased(shop: Workshop) -> None:
    """Right before a durable effect: a paused process that lost its lease must not write."""
    if shop.lease is not None:
        shop.lease.check()
