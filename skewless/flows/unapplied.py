"""Definitions that are no longer what was applied: their values would change under a name that models trust."""

from __future__ import annotations

from collections.abc import Iterable

from skewless.core.view import FeatureView
from skewless.errors import DefinitionConflict
from skewless.flows.side_by_side import side_by_side
from skewless.flows.workshop import CHANGED, Workshop
from skewless.registry.compiled import AppliedProject
from skewless.registry.documents import view_document
from skewless.spark.meaning import describe_transform


def is_changed(shop: Workshop, view: FeatureView, applied: AppliedProject) -> bool:
    """True when a view, its transform included, does not mean what was applied under its version."""
    meaning = view_document(view, describe_transform(shop.session, view))
    return meaning["fingerprint"] != applied.fingerprints.get(view.reference)


def refuse_changed(shop: Workshop, views: Iterable[FeatureView], applied: AppliedProject) -> None:
    """Before anything is evaluated.

    Raises:
        DefinitionConflict: A view was changed without being applied.
    """
    chosen = list(views)
    changed = side_by_side(lambda view: is_changed(shop, view, applied), chosen)
    for view, is_other in zip(chosen, changed, strict=True):
        if is_other:
            raise DefinitionConflict(CHANGED.format(view=view))
