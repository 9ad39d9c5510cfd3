"""One canonical JSON document per definition: what decides values, what is for people, and the same in words.

Documents hold no floats, so rules and their bounds are kept as text. `meaning` and `about` are compared by `plan`;
`words` only repeat them in prose.
"""

from __future__ import annotations

from collections.abc import Mapping

from skewless.core.entity import Entity
from skewless.core.fingerprint import contract_hash, digest, entity_meaning, source_meaning, view_meaning
from skewless.core.rules import Rule
from skewless.core.service import FeatureService
from skewless.core.source import DeltaSource
from skewless.core.time import duration_us, to_us
from skewless.core.view import FeatureView, SnapshotView, WindowView
from skewless.plan.definition_plan import duration_words, schedule_words
from skewless.registry.wording import aggregate_words

FORMAT = 1

#: What of a transform decides values; its text and the engine's version are only shown.
_DECIDING = frozenset({"plan", "code"})
#: What two views that compute the same may differ in.
_BESIDE_VALUES = frozenset({"name", "version", "ttl_us", "online_layout"})


def entity_document(entity: Entity) -> dict[str, object]:
    """The document of an entity."""
    return {
        "format": FORMAT,
        "kind": "entity",
        "name": entity.name,
        "meaning": entity_meaning(entity),
        "about": {"owner": entity.owner, "description": entity.description},
    }


def source_document(source: DeltaSource) -> dict[str, object]:
    """The document of a source."""
    return {
        "format": FORMAT,
        "kind": "source",
        "name": source.name,
        "meaning": source_meaning(source),
        "about": {
            "owner": source.owner,
            "description": source.description,
            "lateness_us": duration_us(source.lateness),
            # absent rather than null: what was registered before there was readiness did not change
            **({} if source.ready is None else {"ready": str(source.ready)}),
        },
        "words": {"lateness": duration_words(duration_us(source.lateness))},
    }


def view_document(view: FeatureView, transform: Mapping[str, str]) -> dict[str, object]:
    """The document of a view.

    Args:
        view: The definition.
        transform: What the Spark room says of its transform; `plan` and `code` decide values, `source` and the rest
            are shown.
    """
    meaning = view_meaning(view, {key: text for key, text in transform.items() if key in _DECIDING})
    nameless = {key: value for key, value in meaning.items() if key not in _BESIDE_VALUES}
    return {
        "format": FORMAT,
        "kind": "view",
        "name": view.name,
        "version": view.version,
        "meaning": meaning,
        "about": {
            "owner": view.owner,
            "description": view.description,
            "tags": list(view.tags),
            "quality": [_rule_document(rule) for rule in view.quality],
            "features": {
                feature.name: {"description": feature.description, "tags": list(feature.tags)}
                for feature in view.features
            },
            "availability_delay_us": view.delay_us,
            "start_us": None if view.start is None else to_us(view.start),
            "transform": {key: text for key, text in transform.items() if key not in _DECIDING},
        },
        "words": _view_words(view),
        "fingerprint": digest(meaning),
        "meaning_hash": digest(nameless),
    }


def service_document(service: FeatureService, fingerprints: Mapping[str, str]) -> dict[str, object]:
    """The document of a service.

    Args:
        service: The definition.
        fingerprints: `name@version` of a view → fingerprint.
    """
    return {
        "format": FORMAT,
        "kind": "service",
        "name": service.name,
        "meaning": {"features": [[str(ref), ref.version] for ref in service.features]},
        "about": {"owner": service.owner, "description": service.description, "tags": list(service.tags)},
        "contract_hash": contract_hash(service, fingerprints),
    }


def _rule_document(rule: Rule) -> dict[str, object]:
    return {"rule": rule.title, "severity": rule.severity.value, "scope": rule.effective_scope.value}


def _view_words(view: FeatureView) -> dict[str, object]:
    schedule = view.schedule
    words: dict[str, object] = {
        "schedule": schedule_words(schedule.every_us, schedule.offset_us),
        "ttl": "never" if view.ttl is None else duration_words(duration_us(view.ttl)),
        "availability_delay": duration_words(view.delay_us),
    }
    if isinstance(view, WindowView):
        words["aggregates"] = {name: aggregate_words(one) for name, one in view.aggregates.items()}
    if isinstance(view, SnapshotView):
        words["lookback"] = {name: duration_words(duration_us(length)) for name, length in view.lookback.items()}
    return words
