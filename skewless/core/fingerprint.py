"""Fingerprints: canonical JSON and its SHA-256."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence

from skewless.core.aggregate import Aggregate
from skewless.core.entity import Entity
from skewless.core.layout import TYPED
from skewless.core.service import FeatureService
from skewless.core.source import DeltaSource
from skewless.core.time import duration_us
from skewless.core.timeline import Timeline
from skewless.core.view import FeatureView, SnapshotView, WindowView


def canonical_json(value: object) -> str:
    """The one spelling of a JSON value: sorted keys, no spaces, no floats.

    Raises:
        TypeError: It holds a float, whose spelling differs between writers, or no JSON value.
    """
    _refuse_floats(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON, in hex."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def entity_meaning(entity: Entity) -> dict[str, object]:
    """What decides which thing is meant."""
    return {"name": entity.name, "keys": [[key, str(dtype)] for key, dtype in entity.keys.items()]}


def source_meaning(source: DeltaSource) -> dict[str, object]:
    """What decides which rows are read, and in which order they count."""
    return {
        "name": source.name,
        "path": source.path,
        "event_timestamp": source.event_timestamp,
        "schema": {column: str(dtype) for column, dtype in source.schema.items()},
        "tie_break": list(source.tie_break),
    }


def aggregate_meaning(aggregate: Aggregate) -> dict[str, object]:
    """What decides an aggregate's value."""
    return {
        "kind": aggregate.kind,
        "column": aggregate.column,
        "over_us": None if aggregate.over is None else duration_us(aggregate.over),
        "where": aggregate.where,
        "dtype": str(aggregate.dtype),
        "scale": aggregate.scale,
        "parts": [aggregate_meaning(part) for part in aggregate.parts],
        # absent rather than empty: what was registered before there were any did not change
        **({"n": aggregate.n} if aggregate.n else {}),
        **({"q": aggregate.q} if aggregate.q else {}),
    }


def view_meaning(view: FeatureView, transform: Mapping[str, str]) -> dict[str, object]:
    """What decides a view's values, and how they lie online, which is fixed with the version too.

    Owner, description, tags, quality rules and where history begins decide neither.

    Args:
        view: The definition.
        transform: What the Spark room says of its transform: canonical plan and code hash.
    """
    meaning: dict[str, object] = {
        "name": view.name,
        "version": view.version,
        "kind": view.kind,
        "entity": entity_meaning(view.entity),
        "sources": [source_meaning(source) for source in view.sources],
        "features": [[feature.name, str(feature.dtype)] for feature in view.features],
        "every_us": view.schedule.every_us,
        "offset_us": view.schedule.offset_us,
        "ttl_us": None if view.ttl is None else duration_us(view.ttl),
        "transform": dict(transform),
    }
    if isinstance(view, WindowView):
        meaning["aggregates"] = {name: aggregate_meaning(one) for name, one in view.aggregates.items()}
    if isinstance(view, SnapshotView):
        meaning["lookback_us"] = {source: duration_us(length) for source, length in view.lookback.items()}
    if view.online_layout != TYPED:
        # absent when typed: what was registered before there was a choice did not change
        meaning["online_layout"] = view.online_layout
    return meaning


def contract_hash(service: FeatureService, fingerprints: Mapping[str, str]) -> str:
    """The fingerprint of a service: its features in order, and the fingerprint of each view that it pins.

    Args:
        service: The definition.
        fingerprints: `name@version` of a view → fingerprint.
    """
    return digest(
        {
            "service": service.name,
            "features": [str(ref) for ref in service.features],
            "views": {ref.view: fingerprints[ref.view_reference] for ref in service.features},
        }
    )


def timeline_digest(timeline: Timeline, views: Collection[str]) -> str:
    """A hash of what a timeline says of some views, and when.

    Args:
        timeline: The timeline.
        views: As `name@version`.
    """
    said = [
        [
            one.number,
            one.visible_from_us,
            {view: [to.table, to.generation, to.through_us] for view, to in one.views.items() if view in views},
        ]
        for one in timeline.revisions
    ]
    return digest(said)


def _refuse_floats(value: object) -> None:
    if isinstance(value, float):
        message = f"Fingerprints hold no floats ({value!r}): their spelling differs between writers."
        raise TypeError(message)
    if isinstance(value, Mapping):
        for inner in value.values():
            _refuse_floats(inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            _refuse_floats(inner)
