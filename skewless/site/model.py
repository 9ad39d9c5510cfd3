"""What the report shows, as plain values: a flow fills it from run records, the pages only lay it out.

Times are text as people read it (`core.time.format_instant`); None always means "not known".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from skewless.errors import UsageError
from skewless.site.records import from_plain, to_plain

#: State → (shape, what it means); the most troubled first. Shape and word carry it where colour does not.
STATES = {
    "refused": ("■", "the newest generation was refused; readers still see the one before it"),
    "stale": ("◌", "the published values are older than promised"),
    "warn": ("▲", "published, with something to look at"),
    "new": ("○", "nothing was published yet"),
    "good": ("●", "published, and everything was as expected"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """A distribution now and, with the same bins, of the baseline.

    Attributes:
        edges: Bounds of the bins, one more than there are bins.
        now: Weight per bin.
        baseline: Weight per bin of the generation compared with; empty without one.
    """

    edges: tuple[float, ...]
    now: tuple[float, ...]
    baseline: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureRow:
    """One feature of a view; shares are between 0 and 1."""

    name: str
    dtype: str
    description: str = ""
    tags: tuple[str, ...] = ()
    null_rate: float | None = None
    minimum: float | str | None = None
    maximum: float | str | None = None
    mean: float | None = None
    distinct: int | None = None
    null_history: tuple[float, ...] = ()
    histogram: Histogram | None = None

    @property
    def without_values(self) -> FeatureRow:
        """The same row with nothing that stems from single values, when the feature is tagged `pii`."""
        if "pii" not in self.tags:
            return self
        return replace(self, minimum=None, maximum=None, mean=None, histogram=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRow:
    """One materialization attempt; `state` is published, refused, computed, aborted or the like."""

    number: int
    state: str
    started: str = ""
    finished: str = ""
    through: str = ""
    rows: int | None = None
    entities: int | None = None
    run_id: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """One check of the newest generation; `state` is passed, failed, accepted or idle (no rows to judge)."""

    name: str
    expected: str
    state: str
    severity: str = "critical"
    scope: str = ""
    title: str = ""
    seen: str = ""
    samples: tuple[str, ...] = ()
    error: str = ""
    accepted_because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionRow:
    """One step of what readers were told to use; `kind` is publish, rollback, roll-forward or revert."""

    number: int
    visible_from: str
    generation: int
    kind: str = "publish"
    run_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """The last certificate: online answers against offline ones."""

    sample: int
    mismatches: int
    revision: int | None = None
    certified: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewReport:
    """Everything the report says of one view.

    Attributes:
        state: refused, stale, warn, new or good.
        sentence: Why, in words ("7.1 % of the rows were quarantined, limit 5 %"); it follows the state, without it.
        facts: Further (name, value) pairs for the top of its page, such as entity, schedule or ttl.
        published_revision: The revision that readers see.
        published_at: Since when.
        published_age: The same as an age ("3 h ago").
        rows: Rows of the published generation.
        entities: Entities served.
        entities_before: Entities served before that.
        generations: Newest first.
        checks: Of the newest generation.
        revisions: Newest first.
        consumers: Services that read it.
    """

    name: str
    state: str
    sentence: str = ""
    owner: str = ""
    description: str = ""
    version: int = 1
    fingerprint: str = ""
    tags: tuple[str, ...] = ()
    facts: tuple[tuple[str, ...], ...] = ()
    published_revision: int | None = None
    published_at: str = ""
    published_age: str = ""
    rows: int | None = None
    entities: int | None = None
    entities_before: int | None = None
    features: tuple[FeatureRow, ...] = ()
    generations: tuple[GenerationRow, ...] = ()
    checks: tuple[CheckRow, ...] = ()
    revisions: tuple[RevisionRow, ...] = ()
    consumers: tuple[str, ...] = ()
    parity: Parity | None = None

    def __post_init__(self) -> None:
        if self.state not in STATES:
            message = f"View '{self.name}' has state '{self.state}', which no page knows. Use {', '.join(STATES)}."
            raise UsageError(message)

    @property
    def judged(self) -> tuple[CheckRow, ...]:
        """The checks that had rows to look at."""
        return tuple(check for check in self.checks if check.state != "idle")

    @property
    def passed(self) -> int:
        """How many of those passed."""
        return sum(check.state == "passed" for check in self.checks)

    @property
    def entity_change(self) -> float | None:
        """Change of the number of entities, as a share of the number before."""
        if self.entities is None or not self.entities_before:
            return None
        return (self.entities - self.entities_before) / self.entities_before


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportModel:
    """The whole report."""

    project: str
    built_at: str
    environment: str = ""
    revision: int | None = None
    revision_at: str = ""
    revision_age: str = ""
    views: tuple[ViewReport, ...] = ()

    @property
    def without_private_values(self) -> ReportModel:
        """The same report with the values of features tagged `pii` left out; only this one may be written down."""
        views = (
            replace(view, features=tuple(feature.without_values for feature in view.features)) for view in self.views
        )
        return replace(self, views=tuple(views))

    @property
    def by_trouble(self) -> tuple[ViewReport, ...]:
        """The views, the most troubled first, else by name."""
        order = list(STATES)
        return tuple(sorted(self.views, key=lambda view: (order.index(view.state), view.name)))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, read back by `from_json`."""
        found: dict[str, Any] = to_plain(self)
        return found

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> ReportModel:
        """Read what `to_json` wrote."""
        return from_plain(cls, stored)
