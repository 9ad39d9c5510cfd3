"""Run records: what ran, on which inputs, with what outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from skewless.core.generation import Generation
from skewless.core.reference import view_reference


@dataclass(frozen=True, slots=True)
class ViewOutcome:
    """What a run did to one view version.

    Attributes:
        view: The view.
        version: Its version.
        outcome: published, unchanged, refused, or the state in which a single stage left it.
        generation: Its generation's number; None when nothing was due.
        through_us: Tick through which it is evaluated now.
        counts: Rows read, used, set aside, written; entities served.
        sources: Source → Delta version that was read.
        seconds: Stage → time that it took.
        pushed: Rows sent to the online store.
        verdict: What the gate said, as JSON; None when it was not asked.
    """

    view: str
    version: int
    outcome: str
    generation: int | None = None
    through_us: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict, hash=False)
    sources: Mapping[str, int] = field(default_factory=dict, hash=False)
    seconds: Mapping[str, float] = field(default_factory=dict, hash=False)
    pushed: int = 0
    verdict: Mapping[str, Any] | None = field(default=None, hash=False)

    @property
    def reference(self) -> str:
        """The view version, as `name@version`."""
        return view_reference(self.view, self.version)

    @staticmethod
    def of(generation: Generation) -> ViewOutcome:
        """What a generation says of itself."""
        return ViewOutcome(
            view=generation.view,
            version=generation.version,
            outcome=generation.state.value.lower(),
            generation=generation.number,
            through_us=generation.through_us,
            counts=dict(generation.counts),
            sources=dict(generation.sources),
        )


def outcome_reference(outcome: Mapping[str, Any]) -> str:
    """The view version that an outcome in a run record's JSON is about, as `name@version`."""
    # records written before views had several versions name none
    return view_reference(outcome["view"], outcome.get("version", 1))


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run.

    Attributes:
        run_id: Its name.
        command: run, materialize, validate, push, publish or rollback.
        started_us: When it began, by the environment's clock.
        finished_us: When it ended.
        seconds: Real time that it took.
        outcome: published, nothing, refused, …: the worst of its views' or the one they share.
        revision: The revision that it made; None when it made none.
        visible_from_us: The instant at which that became visible.
        views: What it did to each view.
        message: One line for people.
    """

    run_id: str
    command: str
    started_us: int
    finished_us: int
    seconds: float
    outcome: str
    revision: int | None = None
    visible_from_us: int | None = None
    views: tuple[ViewOutcome, ...] = ()
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """Its JSON form."""
        return asdict(self)
