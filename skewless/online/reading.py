"""One call of a client: which rows it needs, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from skewless.core.time import from_us
from skewless.core.timeline import Pointer, Revision
from skewless.core.vector import FeatureVector, Status
from skewless.online.codec import Key
from skewless.online.service_plan import Answer, ServicePlan
from skewless.online.transport import Gather, Read


@dataclass(frozen=True, slots=True)
class Moment:
    """The instant of a call and the revision in force at it."""

    now_us: int
    revision: Revision | None
    is_confirmed: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A checked request.

    Attributes:
        plan: The service.
        keys: As the caller gave them, in order, duplicates kept.
        entity_keys: Per entity of the plan, the key of each request.
        moment: When it is asked.
        pointers: Per view of the plan; None when that version of the view is not published.
    """

    plan: ServicePlan
    keys: tuple[Mapping[str, object], ...]
    entity_keys: tuple[tuple[Key | None, ...], ...]
    moment: Moment
    pointers: tuple[Pointer | None, ...]

    @property
    def reads(self) -> list[tuple[int, Read]]:
        """(place of the view, read) for every view that has something to read; each entity once."""
        reads = []
        for place, (view, pointer) in enumerate(zip(self.plan.views, self.pointers, strict=True)):
            keys = dict.fromkeys(self.entity_keys[view.entity])
            keys.pop(None, None)
            if pointer is not None and keys:
                reads.append((place, Read(view.view, view.features, tuple(keys), pointer.generation)))  # type: ignore[arg-type] # None was popped
        return reads

    def answers(self, reads: Sequence[tuple[int, Read]], gather: Gather | None) -> list[list[Answer]]:
        """Per view of the plan, the answer to each request; what has not arrived is TIMEOUT."""
        found = {place: self._answered(place, number, gather) for number, (place, _) in enumerate(reads) if gather}
        answers = []
        for place, view in enumerate(self.plan.views):
            is_published = self.pointers[place] is not None
            missing = view.empty[Status.TIMEOUT if is_published else Status.UNPUBLISHED]
            by_key = found.get(place, {})
            by_key[None] = view.empty[Status.NOT_FOUND]
            answers.append([by_key.get(key, missing) for key in self.entity_keys[view.entity]])
        return answers

    def vector(self, answers: Sequence[Sequence[Answer]], place: int = 0) -> FeatureVector:
        """The vector of one request."""
        values: dict[str, object] = dict.fromkeys(self.plan.references)
        status: dict[str, Status] = dict.fromkeys(self.plan.references, Status.ERROR)
        event_time, age, generation = {}, {}, {}
        for view, pointer, column in zip(self.plan.views, self.pointers, answers, strict=True):
            answer = column[place]
            values.update(zip(view.references, answer.values, strict=True))
            status.update(zip(view.references, answer.status, strict=True))
            name = view.view.name
            event_time[name], age[name] = answer.event_time, answer.age
            generation[name] = None if pointer is None else pointer.generation
        moment = self.moment
        return FeatureVector(
            values=values,
            status=status,
            event_time=event_time,
            age=age,
            generation=generation,
            revision=None if moment.revision is None else moment.revision.number,
            at=from_us(moment.now_us),
            unconfirmed=not moment.is_confirmed,
        )

    def _answered(self, place: int, number: int, gather: Gather) -> dict[Key | None, Answer]:
        view, pointer = self.plan.views[place], self.pointers[place]
        assert pointer is not None  # noqa: S101 - only published views are read
        found = view.answers(gather.rows[number], pointer, self.moment.now_us)
        for key, status in gather.failures[number].items():
            found[key] = view.empty[status]
        return found


def question(plan: ServicePlan, keys: Sequence[Mapping[str, object]], moment: Moment) -> Question:
    """Check a request.

    Raises:
        BadKeys: A key part is missing, unknown or of another type.
    """
    return Question(plan, tuple(keys), plan.entity_keys(keys), moment, pointers_of(plan, moment.revision))


def pointers_of(plan: ServicePlan, revision: Revision | None) -> tuple[Pointer | None, ...]:
    """Per view of a service what a revision says of the version that it pins; None when it does not know it."""
    if revision is None:
        return (None,) * len(plan.views)
    pointers = [revision.views.get(view.view.reference) for view in plan.views]
    return tuple(
        pointer if pointer is not None and pointer.table == view.view.table else None
        for pointer, view in zip(pointers, plan.views, strict=True)
    )
