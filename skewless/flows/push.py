"""push: exactly the served rows of a generation into the online store, then read back and compared."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from skewless.core.generation import Generation, GenerationState
from skewless.core.serving import ServedView
from skewless.core.view import FeatureView
from skewless.errors import ConfigError, ContractBroken
from skewless.flows.situation import Situation
from skewless.flows.workshop import Workshop
from skewless.online.verify import verify_rows
from skewless.online.writer import purge_rows, write_rows
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
    written = sum(result["written"] for result in results)
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


def purge(shop: Workshop, view: FeatureView, served: ServedView, generation: Generation) -> None:
    """Take the rows of an abandoned generation out of the online store: they would count in later revisions."""
    if shop.online is None:
        return
    tables = shop.tables(view)
    rows = of_generations(tables.read(tables.served), [generation.number])
    spread(for_the_wire(view, rows), _worker(purge_rows, shop, served, generation))


def _rows(situation: Situation, generation: Generation) -> DataFrame:
    tables = situation.tables
    rows = of_generations(tables.read(tables.served, generation.served_version), [generation.number])
    tasks = max(1, min(64, generation.counts.get("served", 0) // _ROWS_PER_TASK))
    return for_the_wire(situation.view, rows).repartition(max(2, tasks))


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
