"""What is due of a view: decided from the versions of its sources and from the clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession

from skewless.core.generation import Generation
from skewless.core.time import format_instant, from_us
from skewless.core.view import FeatureView, SnapshotView
from skewless.errors import UpstreamNotReady
from skewless.flows.situation import Situation
from skewless.flows.workshop import Workshop
from skewless.spark.evaluate import Since, earliest_change_us, reached_us
from skewless.spark.read import PinnedSource, pin
from skewless.spark.source_changes import changes_since

#: Count of a generation: the earliest event that lay in its future.
NEXT_EVENT = "next_event_us"


@dataclass(frozen=True, slots=True)
class Work:
    """What one view needs.

    Attributes:
        situation: The view, and where it stands.
        pins: Source name → pinned source.
        since: What is to be looked at again; None is everything.
        through_us: The last tick to evaluate.
    """

    situation: Situation
    pins: Mapping[str, PinnedSource]
    since: Since | None
    through_us: int

    @property
    def view(self) -> FeatureView:
        """The view."""
        return self.situation.view

    def is_that_of(self, generation: Generation) -> bool:
        """True when a generation was planned as this work is: over the same source versions, up to the same tick."""
        is_same_tick = not self.view.has_ticks or generation.through_us == self.through_us
        has_read = all(_has_read(generation, pinned) for pinned in self.pins.values())
        return generation.kind == "materialize" and is_same_tick and has_read


class PinnedSources:
    """The sources of a run, each at one version; what changed in them is read once, however many views ask.

    Attributes:
        pins: Source name → pinned source.
    """

    def __init__(self, session: SparkSession, pins: Mapping[str, PinnedSource]) -> None:
        self.pins = pins
        self._session = session
        self._changes: dict[tuple[str, int], DataFrame | None] = {}

    @staticmethod
    def of(shop: Workshop, views: Iterable[FeatureView]) -> PinnedSources:
        """Fix the version of every source that views read.

        Raises:
            SourceMissing: A source has no table.
        """
        sources = {source.name: source for view in views for source in view.sources}
        pins = {name: pin(shop.session, source, shop.source_path(source)) for name, source in sources.items()}
        return PinnedSources(shop.session, pins)

    def changes_since(self, name: str, version: int) -> DataFrame | None:
        """What changed in a source since a version of it; None when nobody can tell."""
        if (name, version) not in self._changes:
            self._changes[name, version] = changes_since(self._session, self.pins[name], version)
        return self._changes[name, version]


def due(
    shop: Workshop,
    situation: Situation,
    sources: PinnedSources,
    *,
    now_us: int,
    through_us: int | None,
    ready_us: Mapping[str, int | None],
) -> Work | None:
    """Decide from source versions and the clock what a view needs.

    Args:
        shop: The workshop.
        situation: The view.
        sources: The pinned sources.
        now_us: The clock.
        through_us: Upper bound of the ticks; None is now.
        ready_us: Source name → instant through which ticks over it are ready; None when not one is.

    Returns:
        None when no source changed and no tick came due.

    Raises:
        UpstreamNotReady: A tick's time has come, but not its sources; and nothing else is to be done.
    """
    view = situation.view
    limit = now_us if through_us is None else min(now_us, through_us)
    wanted = view.schedule.floor_us(limit) if view.has_ticks else now_us
    reached = [_ready(view, wanted, ready_us), situation.pointer.through_us if situation.pointer else None]
    through = max((one for one in reached if one is not None), default=None)
    work = None if through is None else _changed(shop, situation, sources, through=through, now_us=now_us)
    if through is None or through < wanted:
        # a late upstream must not publish low counts as truth, but what it corrected of older ticks may go out
        if work is None or (work.since is not None and work.since.after_us == work.through_us):
            raise UpstreamNotReady(_waits(view, wanted, ready_us))
        shop.say(_waits(view, wanted, ready_us))
    return work


def _changed(shop: Workshop, situation: Situation, sources: PinnedSources, *, through: int, now_us: int) -> Work | None:
    view, seen = situation.view, situation.seen
    pins = {source.name: sources.pins[source.name] for source in view.sources}
    if situation.pointer is None or seen is None or situation.is_suspect:
        return Work(situation, pins, None, through)
    before_us = situation.pointer.through_us
    moved = [name for name, pinned in pins.items() if not _has_read(seen, pinned)]
    # an event of the future lies after the last tick: only a RowView may have to look again for it
    set_aside = None if view.has_ticks else seen.counts.get(NEXT_EVENT)
    has_come = set_aside is not None and set_aside <= now_us
    if not moved and not has_come and not (view.has_ticks and through > before_us):
        return None
    changed = _changes(shop, situation, sources, moved)
    if changed is None:
        return Work(situation, pins, None, through)
    earliest_us = earliest_change_us(view, changed)
    if view.has_ticks:
        after_us = before_us if earliest_us is None else min(before_us, earliest_us)
        reach_us = reached_us(view, changed) if isinstance(view, SnapshotView) and after_us < before_us else None
        return Work(
            situation, pins, Since(changed, after_us, before_us, reach_us, entities=situation.entities), through
        )
    # what was set aside may be told now; and a statement at the earliest instant itself may change
    least_us = now_us if set_aside is None else seen.number
    after_us = least_us if earliest_us is None else min(least_us, earliest_us - 1)
    return Work(situation, pins, Since(changed, after_us, seen.number, has_set_aside=set_aside is not None), through)


def _changes(
    shop: Workshop, situation: Situation, sources: PinnedSources, moved: Iterable[str]
) -> dict[str, DataFrame] | None:
    """What changed in sources since the last evaluation; None when nobody can tell, so that all is to be evaluated."""
    seen = situation.seen
    if seen is None or seen.kind in {"revert", "restored"}:
        # what a revert took back is not what the sources changed since; of a restored one nobody knows what it read
        return None
    found = {}
    for name in moved:
        is_replaced = seen.source_ids[name] != sources.pins[name].table_id
        changed = None if is_replaced else sources.changes_since(name, seen.sources[name])
        if changed is None:
            what = "was replaced by another table" if is_replaced else "no longer tells what changed"
            shop.say(f"{situation.view.name}: source '{name}' {what} since version {seen.sources[name]}.")
            return None
        found[name] = changed
    return found


def _has_read(generation: Generation, pinned: PinnedSource) -> bool:
    name = pinned.source.name
    is_same_table = generation.source_ids.get(name) == pinned.table_id
    return is_same_table and generation.sources.get(name) == pinned.version


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
