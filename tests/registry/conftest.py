"""The stores that the contract suite runs over; an S3 one joins this list when it exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from skewless.registry.local import LocalStore
from skewless.registry.store import ObjectStore


@pytest.fixture(params=["local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    assert request.param == "local"
    return LocalStore(tmp_path / "registry")
