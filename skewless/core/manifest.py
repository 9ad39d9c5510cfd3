"""The manifest of a training set: everything that is needed to make it again, or to say why it cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import PurePosixPath
from typing import Any

from skewless.errors import UsageError

FORMAT = 1


def format_of(path: str) -> str:
    """The format of rows at a path: parquet if it ends so, else delta."""
    return "parquet" if PurePosixPath(path).suffix == ".parquet" else "delta"


@dataclass(frozen=True, slots=True)
class PinnedTable:
    """A table as it was read.

    Attributes:
        path: Below the offline store's root.
        table_id: Delta's identity of it.
        version: The Delta version.
    """

    path: str
    table_id: str
    version: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a training set is.

    Attributes:
        project: The project.
        service: The service.
        contract_hash: Its fingerprint; the same one that clients are given.
        mode: as-served, event-time or as-known.
        time_column: The spine's observation time.
        features: `view:feature` in their order.
        views: View → version, fingerprint, availability delay, and the generation that "newest" meant.
        tables: `view/history` and `view/served` → the version that was read.
        timeline: First and last revision that could be asked, with their instants; of as-known its instant; and a
            digest of what all of them said of these views.
        spine: Rows and content hash of the spine; where it lies, unless it was a frame; of a Delta table its identity
            and version.
        rows: Rows of the result; always those of the spine.
        counts: View → rows by status, and those of the simulated era.
        content_hash: Of the result, whatever the order of its rows.
        created_us: When it was made, by the environment's clock.
        seconds: Real time that it took.
        engine: The join's engine.
        packages: Package → version.
        manifest_id: By which it is kept; sorts by the time it was made.
        with_status: True when the result has status columns.
        output: Path and format of the written rows, of Delta the version; empty until they are written.
        nulls: `view:feature` → rows of which the view was there and the feature null.
        ages: View → its `ttl_us`, where bins of age begin (`from_us`; the last has no end), and `rows` per bin: of
            values that were given or were too old.
        without_key_or_time: Rows of the spine with a null key or time.
        split: `by` (its text), the `keys` that decide, and `rows` of train and test; empty without one.
        label: How often each value of the label occurs; empty when none was named.
    """

    project: str
    service: str
    contract_hash: str
    mode: str
    time_column: str
    features: tuple[str, ...]
    views: Mapping[str, Mapping[str, Any]] = field(hash=False)
    tables: Mapping[str, PinnedTable] = field(hash=False)
    timeline: Mapping[str, Any] = field(hash=False)
    spine: Mapping[str, Any] = field(hash=False)
    rows: int
    counts: Mapping[str, Mapping[str, int]] = field(hash=False)
    content_hash: str
    created_us: int
    seconds: float
    engine: str
    packages: Mapping[str, str] = field(hash=False)
    manifest_id: str = ""
    with_status: bool = False
    output: Mapping[str, Any] = field(default_factory=dict, hash=False)
    nulls: Mapping[str, int] = field(default_factory=dict, hash=False)
    ages: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)
    without_key_or_time: int = 0
    split: Mapping[str, Any] = field(default_factory=dict, hash=False)
    label: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def to_json(self) -> dict[str, Any]:
        """Its JSON form."""
        return {"format": FORMAT, **asdict(self)}

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Manifest:
        """Read what `to_json` wrote, by this release or an earlier one.

        Raises:
            UsageError: It is no manifest, or one of a later format.
        """
        if document.get("format") != FORMAT:
            message = f"This is no manifest of format {FORMAT} (it says {document.get('format')!r})."
            raise UsageError(f"{message} Give the <path>.manifest.json of a training set, or upgrade skewless.")
        known = {name: document[name] for name in (one.name for one in fields(Manifest)) if name in document}
        try:
            tables = {name: PinnedTable(**pinned) for name, pinned in known["tables"].items()}
            return Manifest(**{**known, "features": tuple(known["features"]), "tables": tables})
        except (KeyError, TypeError, AttributeError) as error:
            message = f"This manifest lacks what a manifest has ({error}). Give one that `skewless train` wrote."
            raise UsageError(message) from None
