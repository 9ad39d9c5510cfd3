"""A life is killed between any two durable effects, and what follows is as if it had not been.

`Twins.are_alike` asserts, after each part of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from skewless.core.failpoints import Failpoint
from skewless.node import Endpoint
from tests.support.project import small_project
from tests.support.twins import OF_A_BACKFILL, OF_A_ROLLBACK, OF_A_RUN, OF_APPLY, OF_GIVING_UP, OF_TRAINING, Twins


@pytest.fixture(scope="module")
def twins(spark: Any, cassandra_endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    with (
        small_project(spark, cassandra_endpoint, tmp_path_factory.mktemp("calm")) as calm,
        small_project(spark, cassandra_endpoint, tmp_path_factory.mktemp("killed")) as killed,
    ):
        yield Twins(spark, cassandra_endpoint, calm, killed)


def test_every_failpoint_is_died_at_by_one_test_or_another() -> None:
    lives = OF_A_RUN + OF_GIVING_UP + OF_A_ROLLBACK + OF_A_BACKFILL + OF_APPLY + OF_TRAINING
    died = {name.partition(":")[0] for name in lives}
    assert died == {point.value for point in Failpoint}


def test_life_killed_at_every_failpoint_ends_as_if_undisturbed(twins: Twins) -> None:
    twins.begin()
    twins.go_on()
