"""What was applied, read from the registry's documents and the newest run records; needs no Spark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from skewless.core.dtypes import DType, parse_dtype
from skewless.core.reference import is_meant, short_reference, view_reference
from skewless.core.run_record import outcome_reference
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
    """The newest that run records say of each view version.

    Attributes:
        tried: `name@version` → its outcome in the newest run that touched it, with the run.
        published: `name@version` → its outcome in the newest run that published it, with the run.
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
            view = outcome_reference(outcome)
            tried.setdefault(view, (outcome, run))
            if run["revision"] is not None:
                published.setdefault(view, (outcome, run))
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
    """The view versions that a service reads, as `name@version`, in order."""
    pins = document["meaning"]["features"]
    return tuple(dict.fromkeys(view_reference(feature.partition(":")[0], version) for feature, version in pins))


def reference_of(document: Mapping[str, Any]) -> str:
    """What a document is found by: its name, of a view `name@version`."""
    name = str(document["name"])
    return view_reference(name, document["version"]) if document["kind"] == "view" else name


def consumers(applied: AppliedProject, document: Mapping[str, Any]) -> tuple[str, ...]:
    """What was applied and uses this: services of a view version; views of a source or an entity."""
    kind, name = document["kind"], reference_of(document)
    if kind == "view":
        named = _documents(applied, "service")
        return tuple(one["name"] for one in named if name in views_of_service(one))
    views = list(_documents(applied, "view"))
    if kind == "source":
        using = [one for one in views if name in [source["name"] for source in one["meaning"]["sources"]]]
    else:
        using = [one for one in views if kind == "entity" and one["meaning"]["entity"]["name"] == name]
    return tuple(short_reference(reference_of(one), applied.names("view")) for one in using)


def documents_named(applied: AppliedProject, name: str) -> tuple[Mapping[str, Any], ...]:
    """Every document of that name, of a view all versions; `view@version` finds one, `view:feature` the view.

    Raises:
        UsageError: There is none.
    """
    wanted = name.partition(":")[0]
    found = tuple(one for kind in KINDS for one in _documents(applied, kind) if is_meant(reference_of(one), wanted))
    if not found:
        known = [short_reference(one, applied.names(kind)) for kind in KINDS for one in applied.names(kind)]
        raise UsageError(unknown_name("view, service, entity or source", name, known))
    return found


def _documents(applied: AppliedProject, kind: str) -> Iterator[Mapping[str, Any]]:
    return (applied.documents[f"{kind}/{name}"] for name in applied.names(kind))
