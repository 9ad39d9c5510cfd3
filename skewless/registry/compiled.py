"""Definitions compiled to documents, and the documents that were applied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from skewless.core.clock import Clock
from skewless.core.fingerprint import digest
from skewless.core.reference import reference_order, view_reference
from skewless.core.service import Definitions
from skewless.core.time import from_us
from skewless.errors import DefinitionConflict
from skewless.plan.definition_diff import compare_definitions
from skewless.plan.definition_plan import DefinitionPlan
from skewless.registry.documents import entity_document, service_document, source_document, view_document
from skewless.registry.heads import Head, HeadChange, Heads
from skewless.registry.objects import Document


@dataclass(frozen=True, slots=True)
class CompiledProject:
    """What the definitions say now.

    Attributes:
        documents: `kind/name` (of views `view/name@version`) → document, entities first, then sources, views, services.
    """

    documents: Mapping[str, Document] = field(hash=False)

    @property
    def hashes(self) -> dict[str, str]:
        """`kind/name` → hash of its object."""
        return {name: digest(document) for name, document in self.documents.items()}

    @property
    def fingerprints(self) -> dict[str, str]:
        """`name@version` of a view → fingerprint."""
        return _column(self.documents, "view", "fingerprint")

    @property
    def contract_hashes(self) -> dict[str, str]:
        """Service → contract hash."""
        return _column(self.documents, "service", "contract_hash")


@dataclass(frozen=True, slots=True)
class AppliedProject:
    """What was applied; before the first apply it is empty and has no head.

    Attributes:
        project: The project.
        head: The head that names the documents.
        documents: `kind/name` (of views `view/name@version`) → document.
    """

    project: str
    head: Head | None = None
    documents: Mapping[str, Document] = field(default_factory=dict, hash=False)

    @property
    def is_empty(self) -> bool:
        """True before the first apply."""
        return self.head is None

    @property
    def number(self) -> int:
        """The head's number; 0 before the first apply."""
        return self.head.number if self.head else 0

    @property
    def applied_at(self) -> datetime | None:
        """When it was applied."""
        return from_us(self.head.time_us) if self.head else None

    @property
    def applied_by(self) -> str | None:
        """Who applied it."""
        return self.head.author if self.head else None

    @property
    def fingerprints(self) -> dict[str, str]:
        """`name@version` of a view → fingerprint."""
        return _column(self.documents, "view", "fingerprint")

    @property
    def contract_hashes(self) -> dict[str, str]:
        """Service → contract hash."""
        return _column(self.documents, "service", "contract_hash")

    @property
    def view_versions(self) -> tuple[str, ...]:
        """Every view version that was ever applied, those no longer defined included, as `name@version`; sorted."""
        sealed = self.head.sealed if self.head else {}
        return tuple(sorted((seal.partition("/")[2] for seal in sealed), key=reference_order))

    def names(self, kind: str) -> tuple[str, ...]:
        """The names of one kind (entity, source, view, service), of views as `name@version`; sorted."""
        return tuple(sorted(_of_kind(self.documents, kind), key=reference_order))

    def document(self, kind: str, name: str) -> Document | None:
        """One document, of a view by `name@version`; None when nothing of that kind and name was applied."""
        return self.documents.get(f"{kind}/{name}")

    def plan(self, compiled: CompiledProject) -> DefinitionPlan:
        """What applying `compiled` would change."""
        sealed = self.head.sealed if self.head else {}
        return compare_definitions(self.documents, compiled.documents, sealed=sealed)


def compile_definitions(definitions: Definitions, transforms: Mapping[str, Mapping[str, str]]) -> CompiledProject:
    """Turn definitions into documents.

    Args:
        definitions: All of a project.
        transforms: `name@version` of a view → what the Spark room says of its transform: `plan` and `code` decide
            values, `source` is its text for people.
    """
    entities = {f"entity/{one.name}": entity_document(one) for one in definitions.entities}
    sources = {f"source/{one.name}": source_document(one) for one in definitions.sources}
    views = {
        f"view/{one.reference}": view_document(one, transforms.get(one.reference, {})) for one in definitions.views
    }
    fingerprints = _column(views, "view", "fingerprint")
    services = {f"service/{one.name}": service_document(one, fingerprints) for one in definitions.services}
    return CompiledProject({**entities, **sources, **views, **services})


def load_applied(heads: Heads, project: str, *, head: Head | None = None) -> AppliedProject:
    """Read what was applied: by the newest head, or by an older one of its history.

    Raises:
        ObjectDamaged: The head, or an object that it names, is not what it should be.
    """
    chosen = head or heads.read(project)
    if chosen is None:
        return AppliedProject(project)
    return AppliedProject(project, chosen, _by_key(heads.objects.get(one) for one in chosen.names.values()))


def apply_compiled(
    heads: Heads, compiled: CompiledProject, *, applied: AppliedProject, author: str, clock: Clock, note: str = ""
) -> AppliedProject:
    """Make `compiled` what is applied, when `applied` still is; nothing happens when they say the same.

    Raises:
        DefinitionConflict: The plan is refused.
        HeadMoved: Somebody else applied meanwhile.
    """
    plan = applied.plan(compiled)
    if plan.refusals:
        raise DefinitionConflict(" Also: ".join(plan.refusals))
    if plan.is_empty and not applied.is_empty:
        heads.confirm(applied.project, applied.head)
        return applied
    names = {name: heads.objects.put(document) for name, document in compiled.documents.items()}
    change = HeadChange(applied.project, author, sealed=_seals(compiled.documents.values()), note=note)
    head = heads.advance(applied.head, names, change=change, clock=clock)
    return AppliedProject(applied.project, head, compiled.documents)


def _seals(documents: Iterable[Document]) -> dict[str, str]:
    views = _by_key(document for document in documents if document["kind"] == "view")
    return {key: view["fingerprint"] for key, view in views.items()}


def _by_key(documents: Iterable[Document]) -> dict[str, Document]:
    return {f"{document['kind']}/{_name(document)}": document for document in documents}


def _name(document: Document) -> str:
    is_view = document["kind"] == "view"
    return view_reference(document["name"], document["version"]) if is_view else str(document["name"])


def _of_kind(documents: Mapping[str, Document], kind: str) -> dict[str, Document]:
    return {_name(document): document for document in documents.values() if document["kind"] == kind}


def _column(documents: Mapping[str, Document], kind: str, key: str) -> dict[str, str]:
    return {name: str(document[key]) for name, document in _of_kind(documents, kind).items()}
