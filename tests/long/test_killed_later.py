"""A whole life of kills: later runs, rollbacks, refusals and pushes that are given up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from skewless.node import Endpoint
from tests.support.project import small_project
from tests.support.twins import Twins


@pytest.fixture(scope="module")
def twins(spark: Any, cassandra_endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    with (
        small_project(spark, cassandra_endpoint, tmp_path_factory.mktemp("calm")) as calm,
        small_project(spark, cassandra_endpoint, tmp_path_factory.mktemp("killed")) as killed,
    ):
        yield Twins(spark, cassandra_endpoint, calm, killed)


def test_life_killed_at_every_failpoint_ends_as_if_undisturbed(twins: Twins) -> None:
    twins.begin()
    twins.go_on()
