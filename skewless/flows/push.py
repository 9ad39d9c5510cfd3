"""push: exactly the served rows of a generation into the online store, then read back and compared."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from skewless.core.generation import Generation, GenerationState
from skewless.core.names import GENERATION
from skewless.core.serving import ServedView
from skewless.core.timeline import Timeline
from skewless.core.view import FeatureView
from skewless.errors import ConfigError, ContractBroken
from skewless.flows.situation import Situation
from skewless.flows.workshop import Workshop
from skewless.online.rows import KEEP_GENERATION
from skewless.online.verify import verify_rows
from skewless.online.writer import purge_rows, sweep_rows, write_rows
from skewless.spark.spread import for_the_wire, spread
from skewless.spark.value_tables import of_generations

#: Changed keys that are all read back; beyond, a sample by key is.
VERIFY_BOUND = 100_000
_ROWS_PER_TASK = 10_000


def write(shop: Workshop, situation: Situation, generation: Generation) -> tuple[Generation, int]:
    """Send the served rows of a generation; a repeat writes the same rows again, which changes nothing.

    Returns:
        The generation as WRITTEN, and how many rows were sent.
    """
    view, expected = situation.view, generation.counts.get("served", 0)
    if shop.online is None or not expected:
        return replace(generation, state=GenerationState.WRITTEN), 0
    shop.say(f"{shop.short(view)}: pushing {expected:,} entities…")
    results = spread(_rows(situation, generation), _worker(write_rows, shop, situation.served, generation))
    written = _total(results)
    if written != expected:
        message = f"{view.name}: {written} rows were written, but generation {generation.number} has {expected}."
        raise ContractBroken(message)
    return replace(generation, state=GenerationState.WRITTEN), written


def verify(shop: Workshop, situation: Situation, generation: Generation) -> Generation:
    """Read the pushed rows back and compare them cell by cell, to the bit.

    Every changed key is read up to `VERIFY_BOUND`, a sample by the hash of the key beyond.

    Raises:
        ContractBroken: A cell differs; nothing was published.
    """
    expected = generation.counts.get("served", 0)
    if shop.online is not None and expected:
        rows = _sampled(_rows(situation, generation), situation.view, expected)
        results = spread(rows, _worker(verify_rows, shop, situation.served, generation))
        wrong = sum(result["mismatches"] for result in results)
        checked = sum(result["checked"] for result in results)
        if not wrong and not checked:
            raise ContractBroken(f"{situation.view.name}: not one of {expected} pushed rows could be read back.")
        if wrong:
            shown = [example for result in results for example in result["first"]][:3]
            message = f"{situation.view.name}: {wrong} pushed rows read back differently, e.g. {'; '.join(shown)}."
            raise ContractBroken(message)
    return replace(generation, state=GenerationState.VERIFIED)


def send_and_compare(
    shop: Workshop, situation: Situation, generation: Generation, rows: DataFrame, *, expected: int
) -> None:
    """Send some served rows of a published generation again, and read all of them back.

    Raises:
        ContractBroken: A cell differs, or there are fewer rows.
    """
    wired = _spread_out(for_the_wire(situation.view, rows), expected)
    spread(wired, _worker(write_rows, shop, situation.served, generation))
    results = spread(wired, _worker(verify_rows, shop, situation.served, generation))
    wrong, checked = (sum(result[name] for result in results) for name in ("mismatches", "checked"))
    if wrong or checked != expected:
        message = f"{situation.view.name}: of {expected} rows of generation {generation.number} {checked} were read"
        raise ContractBroken(f"{message} back, {wrong} of them differ.")


def purge(shop: Workshop, view: FeatureView, served: ServedView, generation: Generation) -> None:
    """Take the rows of an abandoned generation out of the online store: they would count in later revisions."""
    if shop.online is None:
        return
    tables = shop.tables(view)
    rows = of_generations(tables.read(tables.served), [generation.number])
    spread(for_the_wire(view, rows), _worker(purge_rows, shop, served, generation))


def sweep(shop: Workshop, situation: Situation, timeline: Timeline) -> int:
    """Remove the rows that no retained revision can see any longer: older than the newest one that the oldest can.

    Only entities that a generation changed which has just become the past of all retained revisions are looked at, so
    that it costs what changed. A mark in the registry says how far the last sweep came: one that was killed is made up
    for by the next.

    Args:
        shop: The workshop, holding the lease.
        situation: The view.
        timeline: With the revision that was published last.

    Returns:
        How many entities were swept.
    """
    table, keys = situation.served.table, situation.view.entity.key_names
    published = timeline.published(situation.view.reference, table)
    now = timeline.last(shop.settings.online.retain_revisions).oldest(situation.view.reference, table)
    swept = shop.marks.read(f"swept/{table}")
    if shop.online is None or now is None or now == min(published) or (swept is not None and now <= swept):
        return 0
    passed = [number for number in published if (swept is None or swept < number) and number <= now]
    rows = of_generations(situation.tables.read(situation.tables.served), passed)
    found = rows.groupBy(*keys).agg(F.max(GENERATION).alias(KEEP_GENERATION), F.count(F.lit(1)).alias("_rows"))
    # an entity of one row has nothing older when nothing was swept before; else nobody knows
    entities = (found if swept is not None else found.filter("_rows > 1")).drop("_rows")
    count = _total(spread(entities, partial(sweep_rows, shop.online.target, situation.served)))
    shop.marks.move(f"swept/{table}", now)
    return count


def _total(results: list[dict[str, Any]]) -> int:
    return sum(result["written"] for result in results)


def _rows(situation: Situation, generation: Generation) -> DataFrame:
    tables = situation.tables
    rows = of_generations(tables.read(tables.served, generation.served_version), [generation.number])
    return _spread_out(for_the_wire(situation.view, rows), generation.counts.get("served", 0))


def _spread_out(rows: DataFrame, expected: int) -> DataFrame:
    return rows.repartition(max(2, min(64, expected // _ROWS_PER_TASK)))


def _sampled(rows: DataFrame, view: FeatureView, expected: int) -> DataFrame:
    if expected <= VERIFY_BOUND:
        return rows
    share = -(-expected // VERIFY_BOUND)
    return rows.filter(F.pmod(F.xxhash64(*view.entity.key_names), F.lit(share)) == 0)


def _worker(function: Any, shop: Workshop, served: ServedView, generation: Generation) -> Any:
    """A worker that pickles by reference, so that the target's password is never part of a plan's text."""
    if shop.online is None:
        raise ConfigError(f"Environment '{shop.settings.env}' has no online store to push to.")
    return partial(function, shop.online.target, served, generation.number)
