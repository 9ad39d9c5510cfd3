"""Revisions and manifests as they are stored, and what makes a revision follow another."""

from __future__ import annotations

import json
from typing import Any

from skewless.core.serving import FORMAT, ServingManifest
from skewless.core.timeline import Pointer, Revision
from skewless.online.errors import BadRequest, ManifestTooNew


def check_follows(revision: Revision, current: Revision | None) -> None:
    """Refuse a revision whose number or instant does not follow the current one's.

    Raises:
        BadRequest: It does not.
    """
    number = 0 if current is None else current.number
    if revision.number != number + 1:
        message = f"Revision {revision.number} does not follow {number}. Number it {number + 1}."
        raise BadRequest(message)
    if current is not None and revision.visible_from_us <= current.visible_from_us:
        message = (
            f"Revision {revision.number} would be visible from {revision.visible_from_us} µs, not after revision "
            f"{number} at {current.visible_from_us} µs. Give it a later instant."
        )
        raise BadRequest(message)


def cells_of(revision: Revision) -> tuple[Any, ...]:
    """Number, instant, views, kind and run as the columns of our tables take them."""
    views = {view: (pointer.table, pointer.generation, pointer.through_us) for view, pointer in revision.views.items()}
    return revision.number, revision.visible_from_us, views, revision.kind, revision.run_id


def revision_of(cells: tuple[Any, ...]) -> Revision:
    """The revision of such columns."""
    number, visible_from_us, views, kind, run_id = cells
    pointers = {view: Pointer(*pointer) for view, pointer in (views or {}).items()}
    return Revision(number, visible_from_us, pointers, kind, run_id)


def manifest_of(service: str, text: str) -> ServingManifest:
    """Read a stored manifest.

    Raises:
        ManifestTooNew: A later release wrote it.
    """
    found = int(json.loads(text).get("format", FORMAT))
    if found > FORMAT:
        raise ManifestTooNew(service=service, found=found, known=FORMAT)
    return ServingManifest.from_json(text)
