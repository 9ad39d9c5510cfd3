"""revert: a new generation that takes bad ones back; nothing is removed, and past answers stay what they were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from skewless.core.failpoints import Failpoint, reached
from skewless.core.generation import Generation, GenerationState
from skewless.core.names import FLAG
from skewless.core.resolver import RETRACTED
from skewless.core.run_record import RunRecord
from skewless.core.timeline import Timeline
from skewless.errors import NothingToDo, UsageError
from skewless.flows.attempt import Attempt, leased
from skewless.flows.materialize import append_generation, served_now
from skewless.flows.recover import left_behind
from skewless.flows.situation import Situation
from skewless.flows.stages import given_up_on_error, onwards
from skewless.flows.workshop import Workshop
from skewless.spark.changes import newly_served, restated
from skewless.spark.value_tables import of_generations


def revert(shop: Workshop, name: str, bad: Iterable[int] = (), *, accept: Mapping[str, str] | None = None) -> RunRecord:
    """Restate, for every key and event time that bad generations touched, what was known before them.

    What good generations said later stays. The sources count as read up to where they were before the first of the
    bad ones, so that the next run looks at everything since again: correct the source first, where it is at fault.

    Args:
        shop: The workshop.
        name: The view, `name@version`; its newest version when only the name is said.
        bad: The generations to take back; without any, those that the view is rolled back from.
        accept: Check → reason for publishing in spite of its failure.

    Raises:
        UsageError: There is no such published generation, or none is named and the view is not rolled back.
        NothingToDo: Later generations have replaced all that the bad ones said.
        RefusedByValidation: The gate refused what would be restated.
    """
    view = shop.definitions.view(name)
    with leased(shop, "revert"):
        attempt = Attempt.begin(shop, "revert", accept)
        situation = attempt.look_up(view)
        taken = _taken_back(situation, frozenset(bad))
        before = _last_before(attempt.known, situation, min(taken))
        attempt.generations = {one.reference: one for one in left_behind(shop, attempt.known, [view])}
        attempt.give_up()
        attempt.generations = {view.reference: _numbered(attempt, situation, before)}
        with given_up_on_error(attempt), attempt.timed(view.reference, "materialize"):
            attempt.moved([_restate(shop, situation, attempt.generations[view.reference], taken)])
        return onwards(attempt, kind="revert")


def _taken_back(situation: Situation, bad: frozenset[int]) -> frozenset[int]:
    name, published, pointer = situation.view.reference, situation.published, situation.pointer
    if pointer is None:
        raise UsageError(f"View '{name}' was never published, so there is nothing to revert.")
    unknown = sorted(bad - published)
    if unknown:
        raise UsageError(f"View '{name}' has no published generations {unknown}. See `skewless show {name}`.")
    above = frozenset(number for number in published if number > pointer.generation)
    if not bad and not above:
        newest = sorted(published)[-5:]
        raise UsageError(f"Say which generation of '{name}' is bad: --generation N. The newest are {newest}.")
    if bad and not above <= bad:
        message = f"View '{name}' is rolled back: {sorted(above - bad)} would be seen again. Name them too, or none."
        raise UsageError(message)
    return bad or above


def _last_before(known: Iterable[Generation], situation: Situation, first: int) -> Generation:
    """The newest published generation before the first bad one: where the next run goes on from."""
    before = [one for one in known if one.number in situation.published and one.number < first]
    if not before:
        message = (
            f"Generation {first} is the first of view '{situation.view.reference}': nothing was known before it. "
            "Correct the source and run again, or raise the view's version."
        )
        raise UsageError(message)
    return before[-1]


def _numbered(attempt: Attempt, situation: Situation, before: Generation) -> Generation:
    """A generation that counts as evaluated where another one left off."""
    shop = attempt.shop
    generation = replace(
        before,
        number=attempt.next_number(),
        state=GenerationState.PLANNED,
        through_us=_held_until(attempt.timeline, before),
        history_version=situation.looked.history,
        served_version=situation.looked.served,
        run_id=attempt.run_id,
        kind="revert",
        counts={},
    )
    shop.ledger.record([generation])
    reached(Failpoint.MATERIALIZE_PLANNED)
    return generation


def _held_until(timeline: Timeline, generation: Generation) -> int:
    """The last tick through which readers were told that a generation's values hold."""
    pointers = [step.pointer for step in timeline.steps(generation.reference)]
    return max(one.through_us for one in pointers if one.generation == generation.number)


def _restate(shop: Workshop, situation: Situation, generation: Generation, taken: frozenset[int]) -> Generation:
    view, tables, published = situation.view, situation.tables, situation.published
    keys = list(view.entity.key_names)
    statements = restated(view, of_generations(tables.read(tables.history), published), taken)
    # not persisted: writing to history, which it reads, would make Spark forget it
    statements = statements.localCheckpoint()
    counted = statements.agg(F.count("*"), F.count_if(F.col(FLAG) == RETRACTED)).first()
    said, retracted = (int(counted[0]), int(counted[1])) if counted is not None else (0, 0)
    if not said:
        raise NothingToDo(f"Later generations have replaced all that {sorted(taken)} said of '{view.name}'.")
    shop.say(f"{shop.short(view)}: restating {said:,} values as they were before, {retracted:,} of them as unknown.")

    def served() -> DataFrame:
        after = served_now(situation, {*published, generation.number}, statements.select(*keys).distinct())
        return newly_served(view, after, of_generations(tables.read(tables.served), published))

    counts = {"new": 0, "corrected": said - retracted, "retracted": retracted, "read": 0, "quarantined": 0}
    return append_generation(shop, situation, statements, served, replace(generation, counts=counts))
