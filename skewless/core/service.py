"""Feature services and the whole of a project's definitions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from skewless.core.entity import Entity
from skewless.core.names import checked_name, unique_names
from skewless.core.reference import is_meant, short_reference
from skewless.core.source import DeltaSource
from skewless.core.view import FeatureRef, FeatureView
from skewless.errors import DefinitionError, UsageError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FeatureService:
    """What one model consumes, pinned to view versions.

    Attributes:
        name: By which clients and training jobs ask.
        features: Views (all their features) and `view.pick("a", "b")`, in the order of the vector.
        owner: Team or address.
        description: For people.
        tags: For search.
    """

    name: str
    features: tuple[FeatureRef, ...]
    owner: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()

    def __init__(
        self,
        name: str,
        *,
        features: Iterable[FeatureView | Iterable[FeatureRef]],
        owner: str = "",
        description: str = "",
        tags: Iterable[str] = (),
    ) -> None:
        """Flatten the views and picks into pinned references.

        Raises:
            DefinitionError: Bad name, no features, one feature twice, or two versions of one view.
        """
        flat: list[FeatureRef] = []
        given: object = features
        if isinstance(given, FeatureView):
            raise DefinitionError(f"Service '{name}' takes a list: features=[{given.name}].")
        for one in features:
            flat.extend(one.pick() if isinstance(one, FeatureView) else one)
        for field_name, value in (
            ("name", checked_name(name, what="Feature service")),
            ("features", tuple(flat)),
            ("owner", owner),
            ("description", description),
            ("tags", tuple(tags)),
        ):
            object.__setattr__(self, field_name, value)
        if not flat:
            raise DefinitionError(f"Service '{name}' has no features. Give it views or view.pick('feature').")
        unique_names((str(ref) for ref in flat), what="Feature", where=f"service '{name}'")
        versions = {(ref.view, ref.version) for ref in flat}
        unique_names(sorted(view for view, _ in versions), what="View", where=f"service '{name}' in two versions")

    @property
    def view_names(self) -> tuple[str, ...]:
        """The views that it reads, in the order in which they first occur."""
        return tuple(dict.fromkeys(ref.view for ref in self.features))

    @property
    def view_references(self) -> tuple[str, ...]:
        """The view versions that it pins, as `name@version`, in the order of `view_names`."""
        return tuple(dict.fromkeys(ref.view_reference for ref in self.features))

    def features_of(self, view: str) -> tuple[str, ...]:
        """The features that it takes from one view, in order."""
        return tuple(ref.feature for ref in self.features if ref.view == view)


@dataclass(frozen=True, slots=True)
class Definitions:
    """Everything that `feature_defs` declares, checked as a whole.

    Attributes:
        views: Feature views, several versions of one too; the entities are those that they describe.
        services: Feature services over them.
        landed: Sources that are landed although no view reads them yet.
    """

    views: tuple[FeatureView, ...]
    services: tuple[FeatureService, ...] = ()
    landed: tuple[DeltaSource, ...] = ()

    def __init__(
        self,
        *,
        views: Iterable[FeatureView],
        services: Iterable[FeatureService] = (),
        landed: Iterable[DeltaSource] = (),
    ) -> None:
        """Check names and references across definitions.

        Raises:
            DefinitionError: Duplicate names or versions, or a service that names what does not exist.
        """
        object.__setattr__(self, "views", tuple(views))
        object.__setattr__(self, "services", tuple(services))
        object.__setattr__(self, "landed", tuple(landed))
        unique_names((view.reference for view in self.views), what="View", where="feature_defs")
        names = [*dict.fromkeys(view.name for view in self.views), *(service.name for service in self.services)]
        unique_names(names, what="View or service", where="feature_defs")
        self._check_services()
        _one_meaning(self.entities, what="Entity")
        _one_meaning(self.sources, what="Source")

    def _check_services(self) -> None:
        known = {view.reference: view for view in self.views}
        for service in self.services:
            for ref in service.features:
                view = known.get(ref.view_reference)
                if view is None or ref.feature not in view.feature_names:
                    message = f"Service '{service.name}' wants {ref} of version {ref.version}, which is not defined."
                    raise DefinitionError(message)

    @property
    def entities(self) -> tuple[Entity, ...]:
        """The entities that the views describe, in order, without repeats."""
        return tuple(_distinct(view.entity for view in self.views))

    @property
    def sources(self) -> tuple[DeltaSource, ...]:
        """The sources that the views read, then those that are only landed, without repeats."""
        read = [source for view in self.views for source in view.sources]
        return tuple(_distinct([*read, *self.landed]))

    @property
    def view_references(self) -> tuple[str, ...]:
        """Every view version, as `name@version`, in order."""
        return tuple(view.reference for view in self.views)

    def view(self, spelling: str) -> FeatureView:
        """The one view that is meant: `name@version`, or the newest version when only `name` is said.

        Raises:
            UsageError: There is none.
        """
        return max(self.views_named(spelling), key=lambda view: view.version)

    def views_named(self, spelling: str) -> tuple[FeatureView, ...]:
        """Every view that is meant: `name@version`, or all versions when only `name` is said.

        Raises:
            UsageError: There is none.
        """
        found = tuple(view for view in self.views if is_meant(view.reference, spelling))
        if not found:
            raise UsageError(unknown_name("view", spelling, map(self.short, self.view_references)))
        return found

    def short(self, reference: str) -> str:
        """A view version as people read it: its name alone when it is the only version that is defined."""
        return short_reference(reference, self.view_references)

    def service(self, name: str) -> FeatureService:
        """The service of that name.

        Raises:
            UsageError: There is none.
        """
        for service in self.services:
            if service.name == name:
                return service
        raise UsageError(unknown_name("service", name, [service.name for service in self.services]))

    def views_of(self, service: FeatureService) -> tuple[FeatureView, ...]:
        """The views that a service reads, in its order."""
        return tuple(self.view(reference) for reference in service.view_references)


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is unknown and which one was probably meant."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistake pays for it

    choices = sorted(known)
    close = get_close_matches(name, choices, n=1)
    hint = f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(choices) or 'none yet'}."
    return f"There is no {what} '{name}'. {hint}"


def _distinct(values: Iterable[T]) -> Iterable[T]:
    seen: list[T] = []
    for value in values:
        if value not in seen:
            seen.append(value)
    return seen


def _one_meaning(values: Iterable[Entity | DeltaSource], *, what: str) -> None:
    unique_names((value.name for value in values), what=what, where="feature_defs with different meanings")
