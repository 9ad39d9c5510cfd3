"""Immutable objects under the hash of what they say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skewless.core.fingerprint import canonical_json
from skewless.errors import ContractBroken
from skewless.registry.store import AlreadyThere, ObjectStore

Document = Mapping[str, Any]

_LARGEST_BODY = 64 * 1024 * 1024


class ObjectDamaged(ContractBroken):
    """A stored object is missing, half-written, or not what its name says."""


@dataclass(frozen=True, slots=True)
class Objects:
    """Documents under the SHA-256 of their canonical JSON."""

    store: ObjectStore

    def put(self, document: Document) -> str:
        """Store a document, unless it is there already, and return its hash.

        Raises:
            ObjectDamaged: One stands under that hash which is not it.
        """
        body = canonical_json(document).encode()
        hashed = hashlib.sha256(body).hexdigest()
        try:
            self.store.create(_object_name(hashed), body)
        except AlreadyThere:
            self.get(hashed)
        return hashed

    def get(self, hashed: str) -> dict[str, Any]:
        """The document of that hash.

        Raises:
            ObjectDamaged: It is missing, or its content has another hash.
        """
        name = _object_name(hashed)
        stored = self.store.read(name)
        if stored is None:
            raise ObjectDamaged(f"Registry object '{name}' is gone. Restore it from a backup, or apply again.")
        found = hashlib.sha256(stored.body).hexdigest()
        if found != hashed:
            message = (
                f"Registry object '{name}' was edited or half-written: its content has the hash {found}. "
                "Restore it from a backup; or delete it and apply again."
            )
            raise ObjectDamaged(message)
        return parse_document(name, stored.body)


def parse_document(name: str, body: bytes) -> dict[str, Any]:
    """Read a stored JSON object.

    Raises:
        ObjectDamaged: It is too large, or no JSON object.
    """
    if len(body) > _LARGEST_BODY:
        raise ObjectDamaged(f"Registry object '{name}' has {len(body)} bytes, more than {_LARGEST_BODY}. Is it ours?")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ObjectDamaged(f"Registry object '{name}' is no JSON ({error}). Restore it from a backup.") from None
    if not isinstance(document, dict):
        raise ObjectDamaged(f"Registry object '{name}' is no JSON object. Restore it from a backup.")
    return document


def _object_name(hashed: str) -> str:
    return f"objects/{hashed}.json"
