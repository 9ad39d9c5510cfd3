"""A view as it was applied once, whatever the definitions say now."""

from __future__ import annotations

from datetime import timedelta

from skewless.core.dtypes import parse_dtype
from skewless.core.entity import Entity
from skewless.core.layout import TYPED
from skewless.core.view import Feature, RecordedView
from skewless.registry.heads import Heads
from skewless.registry.objects import Document


def applied_once(heads: Heads, project: str, reference: str) -> Document | None:
    """The document under which a view version was applied last, defined by now or not; None when it never was.

    Args:
        heads: The registry.
        project: The project.
        reference: `name@version`.

    Raises:
        ObjectDamaged: A head, or the document, is not what it should be.
    """
    key = f"view/{reference}"
    found = next((head.names[key] for head in heads.history(project) if key in head.names), None)
    return None if found is None else heads.objects.get(found)


def recorded_view(document: Document, *, availability_delay_us: int) -> RecordedView:
    """What a document says of a view that the reading of its values needs.

    Args:
        document: Of the view.
        availability_delay_us: It decides no value, so a document may have another one than was used.
    """
    meaning = document["meaning"]
    keys = {name: parse_dtype(dtype) for name, dtype in meaning["entity"]["keys"]}
    ttl_us = meaning["ttl_us"]
    return RecordedView(
        name=document["name"],
        version=document["version"],
        entity=Entity(meaning["entity"]["name"], keys=keys),
        ttl=None if ttl_us is None else timedelta(microseconds=ttl_us),
        every=timedelta(microseconds=meaning["every_us"]),
        offset=timedelta(microseconds=meaning["offset_us"]),
        availability_delay=timedelta(microseconds=availability_delay_us),
        online_layout=meaning.get("online_layout", TYPED),
        recorded_kind=meaning["kind"],
        features=tuple(Feature(name, parse_dtype(dtype)) for name, dtype in meaning["features"]),
    )
