"""What was applied, read from the registry's documents and the newest run records; needs no Spark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from skewless.core.dtypes import DType, parse_dtype
from skewless.core.service import unknown_name
from skewless.errors import UsageError

if TYPE_CHECKING:
    from skewless.flows.workshop import Workshop
    from skewless.registry.compiled import AppliedProject

KINDS = ("view", "service", "entity", "source")


#: What a run did to a view, and the run.
Told = tuple[Mapping[str, Any], Mapping[str, Any]]

NOTHING: Told = ({}, {})


@dataclass(frozen=True, slots=True)
class LastRuns:
    """The newest that run records say of each view.

    Attributes:
        tried: View → its outcome in the newest run that touched it, with the run.
        published: View → its outcome in the newest run that published it, with the run.
    """

    tried: Mapping[str, Told]
    published: Mapping[str, Told]


def last_runs(shop: Workshop, views: tuple[str, ...]) -> LastRuns:
    """Read run records, newest first, until nothing more is to be learnt of the views."""
    from skewless.flows.records import kept

    tried: dict[str, Told] = {}
    published: dict[str, Told] = {}
    for run in kept(shop):
        for outcome in run["views"]:
            tried.setdefault(outcome["view"], (outcome, run))
            if run["revision"] is not None:
                published.setdefault(outcome["view"], (outcome, run))
        if set(views) <= set(published):
            break
    return LastRuns(tried, published)


def keys_of_service(shop: Workshop, service: str) -> dict[str, DType]:
    """Key column → type of the entities that a service describes.

    Raises:
        DefinitionError: Nothing was applied yet.
        UsageError: There is no such service.
    """
    applied = shop.applied()
    document = applied.document("service", service)
    if document is None:
        raise UsageError(unknown_name("service", service, applied.names("service")))
    found: dict[str, DType] = {}
    for view in views_of_service(document):
        found.update(keys_of_view(applied.documents[f"view/{view}"]))
    return found


def keys_of_view(document: Mapping[str, Any]) -> dict[str, DType]:
    """Key column → type of a view's entity."""
    return {key: parse_dtype(dtype) for key, dtype in document["meaning"]["entity"]["keys"]}


def views_of_service(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The views that a service reads, in order."""
    return tuple(dict.fromkeys(reference.partition(":")[0] for reference, _ in document["meaning"]["features"]))


def consumers(applied: AppliedProject, kind: str, name: str) -> tuple[str, ...]:
    """What was applied and uses this: services of a view; views of a source or an entity."""
    if kind == "view":
        named = _documents(applied, "service")
        return tuple(one["name"] for one in named if name in views_of_service(one))
    views = _documents(applied, "view")
    if kind == "source":
        return tuple(one["name"] for one in views if name in [source["name"] for source in one["meaning"]["sources"]])
    return tuple(one["name"] for one in views if kind == "entity" and one["meaning"]["entity"]["name"] == name)


def documents_named(applied: AppliedProject, name: str) -> tuple[Mapping[str, Any], ...]:
    """Every document of that name; `view:feature` finds the view.

    Raises:
        UsageError: There is none.
    """
    wanted = name.partition(":")[0]
    found = tuple(one for kind in KINDS if (one := applied.document(kind, wanted)) is not None)
    if not found:
        known = [one for kind in KINDS for one in applied.names(kind)]
        raise UsageError(unknown_name("view, service, entity or source", name, known))
    return found


def _documents(applied: AppliedProject, kind: str) -> Iterator[Mapping[str, Any]]:
    return (applied.documents[f"{kind}/{name}"] for name in applied.names(kind))
