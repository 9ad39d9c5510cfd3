"""Why a client answered what it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from skewless.core.time import from_us
from skewless.core.timeline import Pointer
from skewless.core.vector import FeatureVector, Status
from skewless.online.reading import Question
from skewless.online.service_plan import Answer, ViewPlan


@dataclass(frozen=True, slots=True)
class ViewExplanation:
    """Why one view answered so.

    Attributes:
        view: The view.
        table: Its Cassandra table.
        key: Of the entity, as it is stored; None when a part is null.
        generation: That readers were told to use; None when unpublished.
        row_generation: Of the row that won; None without a row.
        through: Tick through which the values are known to hold; None when unpublished.
        event_time: That the row speaks for.
        age: Against which the ttl was held.
        ttl: Of the view; None never.
        status: feature → status.
        reason: In one sentence.
    """

    view: str
    table: str
    key: tuple[object, ...] | None
    generation: int | None
    row_generation: int | None
    through: datetime | None
    event_time: datetime | None
    age: timedelta | None
    ttl: timedelta | None
    status: Mapping[str, Status] = field(hash=False)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a vector is what it is.

    Attributes:
        service: The service.
        contract_hash: Its contract.
        visible_from: When the revision came into force; None before the first.
        vector: The answer.
        views: One explanation per view.
    """

    service: str
    contract_hash: str
    visible_from: datetime | None
    vector: FeatureVector
    views: tuple[ViewExplanation, ...]


def explanation(question: Question, answers: Sequence[Sequence[Answer]]) -> Explanation:
    """Explain the first request of a question."""
    revision = question.moment.revision
    return Explanation(
        service=question.plan.manifest.service,
        contract_hash=question.plan.manifest.contract_hash,
        visible_from=None if revision is None else from_us(revision.visible_from_us),
        vector=question.vector(answers),
        views=tuple(
            _view_explanation(view, pointer, column[0], question.entity_keys[view.entity][0])
            for view, pointer, column in zip(question.plan.views, question.pointers, answers, strict=True)
        ),
    )


def _view_explanation(
    view: ViewPlan, pointer: Pointer | None, answer: Answer, key: tuple[object, ...] | None
) -> ViewExplanation:
    return ViewExplanation(
        view=view.view.name,
        table=view.view.table,
        key=key,
        generation=None if pointer is None else pointer.generation,
        row_generation=answer.row_generation,
        through=None if pointer is None else from_us(pointer.through_us),
        event_time=answer.event_time,
        age=answer.age,
        ttl=view.view.ttl,
        status=dict(zip(view.features, answer.status, strict=True)),
        reason="A part of the key is null: it is nobody's." if key is None else _reason(view, pointer, answer),
    )


def _reason(view: ViewPlan, pointer: Pointer | None, answer: Answer) -> str:
    if pointer is None:
        return f"No revision in force speaks of table '{view.view.table}'."
    status = next(iter(answer.status), Status.PRESENT)
    reasons = {
        Status.NOT_FOUND: f"No row at or before generation {pointer.generation}, or the newest says absent.",
        Status.DELETED: f"Generation {answer.row_generation} says that the entity left its source.",
        Status.EXPIRED: f"Age {answer.age} is at or above ttl {view.view.ttl}.",
        Status.TIMEOUT: "The store did not answer before the deadline.",
        Status.ERROR: "The store refused the read.",
    }
    won = f"Generation {answer.row_generation} is the newest row at or before generation {pointer.generation}."
    if status is Status.ERROR and answer.row_generation is not None:
        return f"{won} Its packed values are damaged, so that none of them is given."
    return reasons.get(status, won)
