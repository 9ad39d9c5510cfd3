"""The parity certificates that are kept on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from skewless.flows.workshop import Workshop


def newest_certificates(shop: Workshop) -> Iterator[dict[str, Any]]:
    """The newest certificate of each service."""
    seen: set[str] = set()
    found = [json.loads(file.read_text()) for file in (shop.settings.state / "parity").glob("*.json")]
    for certificate in sorted(found, key=lambda one: (one["at_us"], one["revision"] or 0), reverse=True):
        if certificate["service"] not in seen:
            seen.add(certificate["service"])
            yield certificate
