"""The timeline: which generation of each view version readers were told to use, and since when."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a revision says of one view version.

    Attributes:
        table: Name of its Cassandra table, which fixes the schema.
        generation: Readers see rows of published generations up to this one.
        through_us: Tick through which the values are known to hold; the generation's start for a RowView.
    """

    table: str
    generation: int
    through_us: int


@dataclass(frozen=True, slots=True)
class Revision:
    """One published map view version → pointer.

    Attributes:
        number: 1, 2, 3, … per project.
        visible_from_us: Instant at which every reader switches to it, itself included.
        views: `name@version` → pointer, of every view version that is published; none ever leaves it by itself.
        kind: publish, rollback, roll-forward or revert.
        run_id: The run that made it.
    """

    number: int
    visible_from_us: int
    views: Mapping[str, Pointer] = field(hash=False)
    kind: str = "publish"
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of g(T) of a view version: from this instant on, this pointer, given by this revision."""

    from_us: int
    revision: int
    pointer: Pointer


@dataclass(frozen=True, slots=True)
class Timeline:
    """Revisions in their order; both numbers and instants strictly increase."""

    revisions: tuple[Revision, ...] = ()

    @property
    def head(self) -> Revision | None:
        """The newest revision, visible already or not."""
        return self.revisions[-1] if self.revisions else None

    def at(self, instant_us: int) -> Revision | None:
        """The revision that readers use at an instant, both held ends included; None before the first."""
        index = bisect_right([revision.visible_from_us for revision in self.revisions], instant_us)
        return self.revisions[index - 1] if index else None

    def until(self, number: int | None) -> Timeline:
        """The revisions up to one, itself included; none of them for None."""
        return Timeline(tuple(one for one in self.revisions if number is not None and one.number <= number))

    def numbered(self, number: int) -> Revision | None:
        """The revision of that number."""
        return next((revision for revision in self.revisions if revision.number == number), None)

    def before(self, views: Collection[str]) -> Revision | None:
        """The newest revision in which one of some views stood at a smaller generation than now, and none at a greater.

        Args:
            views: As `name@version`; all of the newest revision when there are none.
        """
        if self.head is None:
            return None
        now = {name: one.generation for name, one in self.head.views.items() if not views or name in views}
        for revision in reversed(self.revisions[:-1]):
            moves = [now[name] - revision.views[name].generation for name in now if name in revision.views]
            if any(moves) and min(moves) >= 0:
                return revision
        return None

    def steps(self, view: str) -> tuple[Step, ...]:
        """g(T) of one `name@version` as a step function, folded: revisions that do not move it are left out."""
        steps: list[Step] = []
        for revision in self.revisions:
            pointer = revision.views.get(view)
            if pointer is not None and (not steps or steps[-1].pointer != pointer):
                steps.append(Step(revision.visible_from_us, revision.number, pointer))
        return tuple(steps)

    def last(self, number: int) -> Timeline:
        """So many of the newest revisions."""
        return Timeline(self.revisions[-number:])

    def oldest(self, view: str, table: str) -> int | None:
        """The smallest generation of a `name@version`, in one table, that a revision points at; None without any."""
        return min(self.published(view, table), default=None)

    def published(self, view: str, table: str) -> frozenset[int]:
        """Every generation of a `name@version`, in one table, that some revision pointed at."""
        return frozenset(
            revision.views[view].generation
            for revision in self.revisions
            if view in revision.views and revision.views[view].table == table
        )
