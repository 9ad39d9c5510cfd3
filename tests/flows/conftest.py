"""A small project of its own per test module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from skewless.node import Endpoint
from tests.support.project import Project, small_project


@pytest.fixture(scope="module")
def project(spark: Any, cassandra_endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with small_project(spark, cassandra_endpoint, tmp_path_factory.mktemp("project")) as opened:
        yield opened
