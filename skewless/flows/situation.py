"""Where a view stands before a run: what is published, what was left unfinished."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from skewless.core.generation import Generation, GenerationState
from skewless.core.serving import ServedView
from skewless.core.timeline import Pointer, Timeline
from skewless.core.view import FeatureView
from skewless.errors import UsageError
from skewless.flows.workshop import Workshop
from skewless.registry.compiled import AppliedProject
from skewless.spark.value_tables import Heads, ValueTables

_GIVEN_UP = {GenerationState.REFUSED, GenerationState.ABORTING, GenerationState.PURGED}


@dataclass(frozen=True, slots=True)
class Situation:
    """One view, and what is known of it.

    Attributes:
        view: The definition.
        served: How it is read online.
        tables: Where its values lie.
        pointer: What the newest revision says of it; None before its first publish.
        published: Every generation of its table that some revision pointed at.
        last: The generation that the pointer names.
        seen: The newest evaluation: `last`, or a later one that changed nothing.
        known: Every generation of it that the ledger knows, whatever became of it.
        entities: So many have values, or more: the most that one of its generations sent.
        looked: The versions of its tables up to which they are known to be what generations made them.
        is_suspect: True when they are not, and somebody took that upon himself: everything is to be evaluated.
    """

    view: FeatureView
    served: ServedView
    tables: ValueTables
    pointer: Pointer | None
    published: frozenset[int]
    last: Generation | None
    seen: Generation | None
    known: frozenset[int]
    entities: int
    looked: Heads
    is_suspect: bool = False

    @property
    def counting(self) -> frozenset[int]:
        """The published generations that count at the pointer."""
        limit = self.pointer.generation if self.pointer else -1
        return frozenset(number for number in self.published if number <= limit)

    def refuse_when_rolled_back(self) -> None:
        """New values on top of a rollback would silently bring back what was rolled back.

        Raises:
            UsageError: The view is rolled back.
        """
        if self.pointer is not None and self.pointer.generation < max(self.published):
            message = (
                f"View '{self.view.name}' v{self.view.version} is rolled back to generation {self.pointer.generation}. "
                "Roll it forward (skewless rollback --to REVISION) before it runs again."
            )
            raise UsageError(message)


def situation(
    shop: Workshop,
    view: FeatureView,
    *,
    timeline: Timeline,
    applied: AppliedProject,
    generations: Iterable[Generation],
) -> Situation:
    """Look up one view.

    Args:
        shop: The workshop.
        view: The definition.
        timeline: The synced timeline.
        applied: What is applied.
        generations: All of the ledger.

    Raises:
        DefinitionConflict: Its version was not applied.
    """
    served = shop.served(view, applied)
    head = timeline.head
    pointer = head.views.get(view.reference) if head is not None else None
    if pointer is not None and pointer.table != served.table:
        pointer = None
    mine = {one.number: one for one in generations if one.reference == view.reference}
    last = mine.get(pointer.generation) if pointer is not None else None
    return Situation(
        view=view,
        served=served,
        tables=shop.tables(view),
        pointer=pointer,
        published=timeline.published(view.reference, served.table),
        last=last,
        seen=last if last is None else max([last, *(one for one in mine.values() if _is_echo(one, last))], key=_number),
        known=frozenset(mine),
        entities=max((one.counts.get("served", 0) for one in mine.values() if one.table == served.table), default=0),
        looked=_looked([one for one in mine.values() if one.table == served.table and one.state not in _GIVEN_UP]),
    )


def _looked(standing: Iterable[Generation]) -> Heads:
    """What a generation was planned on had been looked at, and so had what it wrote itself."""
    found = [(one.history_version, one.served_version) for one in standing]
    return Heads(max((history for history, _ in found), default=-1), max((served for _, served in found), default=-1))


def _is_echo(one: Generation, last: Generation) -> bool:
    return one.table == last.table and one.number > last.number and one.state is GenerationState.UNCHANGED


def _number(one: Generation) -> int:
    return one.number


def unfinished(generations: Iterable[Generation], view: FeatureView) -> tuple[Generation, ...]:
    """The generations of a view version that are neither published nor given up."""
    return tuple(one for one in generations if one.reference == view.reference and not one.state.is_end)


def waiting(generations: Iterable[Generation], view: FeatureView, *states: GenerationState) -> Generation | None:
    """The newest unfinished generation of a view, when it is in one of the states."""
    found = unfinished(generations, view)
    return found[-1] if found and found[-1].state in states else None
