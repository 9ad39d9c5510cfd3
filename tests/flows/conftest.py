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


@pytest.fixture(scope="module")
def interpreted(spark: Any) -> Iterator[None]:
    """Plans of few rows are run as they are: to compile each would take longer than all of its rows."""
    wanted = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
    before = {name: spark.conf.get(name) for name in wanted}
    for name, value in wanted.items():
        spark.conf.set(name, value)
    yield
    for name, value in before.items():
        spark.conf.set(name, value)
