"""push --full: an online store that lost its rows gets back all that the retained revisions can see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from skewless.core.generation import Generation
from skewless.core.names import GENERATION
from skewless.core.timeline import Timeline
from skewless.errors import ConfigError, NothingToDo
from skewless.flows.apply import prepare_online
from skewless.flows.push import send_and_compare
from skewless.flows.recover import synced_timeline
from skewless.flows.situation import Situation, situation
from skewless.flows.workshop import Workshop
from skewless.spark.value_tables import newest_served, of_generations


@dataclass(frozen=True, slots=True)
class Refilled:
    """What was sent.

    Attributes:
        revision: The current one.
        oldest: The oldest one that can be rolled back to.
        is_restored: True when the store had no timeline, and got it back.
        rows: `name@version` → rows that were sent and read back.
        left_out: What the current revision names beside them: versions of views that are not defined any longer.
        seconds: Real time that it took.
    """

    revision: int
    oldest: int
    is_restored: bool
    rows: Mapping[str, int]
    left_out: tuple[str, ...]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Its JSON form."""
        return asdict(self)


def refill(shop: Workshop) -> Refilled:
    """Send the rows of the published generations again, read them back, then restore the timeline if it is lost.

    Each row goes under its own generation, so that every retained revision reads what it read; rows that are there
    already are written over by themselves. Until the timeline is back, readers of an emptied store see nothing.

    Args:
        shop: The workshop.

    Raises:
        ConfigError: The environment has no online store.
        NothingToDo: Nothing was ever published.
        ContractBroken: What was read back differs.
        LeaseHeld: Somebody else writes.
    """
    begun = perf_counter()
    with shop.leased("push --full") as lease:
        shop.lease = lease
        applied = shop.applied()
        if shop.online is None:
            raise ConfigError(f"Environment '{shop.settings.env}' has no online store to push to.")
        prepare_online(shop, applied)
        timeline = synced_timeline(shop)
        if timeline.head is None:
            raise NothingToDo("Nothing was ever published, so there is nothing to send.")
        kept, generations = timeline.last(shop.settings.online.retain_revisions), shop.ledger.generations()
        rows = {}
        for view in shop.definitions.views:
            of = situation(shop, view, timeline=timeline, applied=applied, generations=generations)
            if of.pointer is not None:
                known = {one.number: one for one in generations if one.reference == view.reference}
                rows[view.reference] = _refilled(shop, of, timeline, kept, known)
        lease.check()
        is_restored = shop.online.timeline.read() is None
        if is_restored:
            shop.online.timeline.restore(timeline.revisions)
    numbers, left_out = [one.number for one in kept.revisions], tuple(sorted({*timeline.head.views} - {*rows}))
    return Refilled(numbers[-1], numbers[0], is_restored, rows, left_out, round(perf_counter() - begun, 3))


def _refilled(
    shop: Workshop, of: Situation, timeline: Timeline, kept: Timeline, known: Mapping[int, Generation]
) -> int:
    """Send what the kept revisions can see of a view; how many rows that were."""
    reference, table = of.view.reference, of.served.table
    oldest, published = kept.oldest(reference, table), sorted(timeline.published(reference, table))
    if oldest is None:
        return 0
    served = of.tables.read(of.tables.served)
    visible = _visible(of, served, published, oldest).persist()
    counts = {row[0]: row[1] for row in visible.groupBy(GENERATION).agg(F.count(F.lit(1))).collect()}
    shop.say(f"{shop.short(of.view)}: sending {sum(counts.values()):,} rows of {len(counts)} generations…")
    for number in sorted(counts):
        rows = visible.filter(F.col(GENERATION) == number)
        send_and_compare(shop, of, known[number], rows, expected=counts[number])
    visible.unpersist()
    return sum(counts.values())


def _visible(of: Situation, served: DataFrame, published: list[int], oldest: int) -> DataFrame:
    """Per entity the newest row that the oldest generation can see, and all later ones."""
    past = newest_served(of.view, of_generations(served, [number for number in published if number <= oldest]))
    return past.unionByName(of_generations(served, [number for number in published if number > oldest]))
