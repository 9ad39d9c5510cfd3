"""What the whole suite shares: one Spark session with Delta, one Cassandra node."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skewless.config import load_settings, prepare_process
from tests.support.cassandra_node import cassandra_endpoint

__all__ = ["cassandra_endpoint"]

ROOT = Path(__file__).resolve().parents[1]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of long tests first, so that shards end together; all else stays in its random order."""
    long = {item.path for item in items if item.get_closest_marker("long")}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture(scope="session")
def spark() -> Any:
    """The one session of the suite: `local[2]`, UTC, two shuffle partitions, Delta from the cache."""
    from skewless.spark.session import open_session

    settings = load_settings(ROOT / "conf", "ci")
    prepare_process(settings)
    conf = {
        **settings.spark.conf,
        "spark.sql.shuffle.partitions": "2",
        "spark.driver.memory": "2g",
        # tables of a few rows have no files to skip, but each read of one would run a job to find out
        "spark.databricks.delta.stats.skipping": "false",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = open_session(name="skewless-tests", master="local[2]", jars=settings.spark.jars, conf=conf)
    session.sparkContext.setLogLevel("OFF")
    return session


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
