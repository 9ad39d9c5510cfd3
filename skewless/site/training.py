"""The page of a training set: one file that opens from `file://`, asks for nothing and runs no script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from skewless.site.build import environment
from skewless.site.phrases import share
from skewless.site.svg import age_bars

#: Status → what it means; the order of the columns.
MEANINGS = {
    "PRESENT": "a value",
    "NULL": "the view was there, and the feature was null",
    "NOT_FOUND": "nothing was known of this entity",
    "DELETED": "the entity had left its source",
    "EXPIRED": "known, but at or above the ttl, so it was withheld",
    "UNPUBLISHED": "the view had no revision",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something to look at; `state` is warn, or new for what is only worth knowing."""

    state: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureCoverage:
    """One feature: rows by status."""

    name: str
    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewAges:
    """How old a view's values were, of those that were given or too old.

    Attributes:
        name: The view.
        version: Its version.
        ttl: In words.
        simulated: Rows answered from the simulated era.
        bins: Per bin where it begins and ends, in words, and its rows.
        to_ttl: Bins below the ttl; None when values never are too old.
    """

    name: str
    version: int
    ttl: str
    simulated: int
    bins: tuple[tuple[str, int], ...]
    to_ttl: int | None

    @property
    def rows(self) -> int:
        """Rows that have an age."""
        return sum(count for _, count in self.bins)

    @property
    def too_old(self) -> int | None:
        """Rows at or above the ttl; None without one."""
        return None if self.to_ttl is None else sum(count for _, count in self.bins[self.to_ttl :])

    @property
    def label(self) -> str:
        """The chart in words."""
        if not self.rows:
            return f"No row has a value of {self.name}"
        name, count = max(self.bins, key=lambda one: one[1])
        told = f"Ages of {self.rows:,} values of {self.name}; most often {name}, {share(count / self.rows)}"
        return told if self.too_old is None else f"{told}; too old {share(self.too_old / self.rows)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelValue:
    """One value of the label; None is null."""

    value: str | None
    rows: int
    test: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakRow:
    """One feature of the leak summary."""

    feature: str
    rows: int
    appeared: int
    vanished: int
    changed: int
    largest: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPage:
    """What is told of a training set.

    Attributes:
        headline: Whether all is fine, in one sentence.
        findings: What to look at, the most troubled first.
        facts: (name, value) pairs for the top.
        label_facts: (name, value) pairs of a label with many values.
        leaks_sentence: What a join by event time would have given; empty when that was not asked.
        leaks: Features that leak.
        pins: (table, version, Delta's identity of it).
        hashes: (name, hash) pairs.
        command: By which it is made again.
    """

    project: str
    environment: str
    built_at: str
    service: str
    rows: int
    headline: str
    findings: tuple[Finding, ...]
    facts: tuple[tuple[str, str], ...]
    features: tuple[FeatureCoverage, ...]
    views: tuple[ViewAges, ...]
    label: str
    label_values: tuple[LabelValue, ...]
    label_facts: tuple[tuple[str, str], ...]
    split_sentence: str
    split_rows: Mapping[str, int]
    leaks_sentence: str
    leaks: tuple[LeakRow, ...]
    pins: tuple[tuple[str, int, str], ...]
    hashes: tuple[tuple[str, str], ...]
    command: str
    manifest_name: str

    @property
    def statuses(self) -> tuple[str, ...]:
        """The statuses that are shown: the usual ones, and whatever occurs."""
        usual = ("PRESENT", "NULL", "NOT_FOUND", "DELETED", "EXPIRED")
        return tuple(one for one in MEANINGS if one in usual or any(row.rows.get(one) for row in self.features))


def page_text(page: TrainingPage) -> str:
    """The page as HTML."""
    template = environment().get_template("training.html")
    return template.render(model=page, meanings=MEANINGS, age_bars=age_bars, root="")
