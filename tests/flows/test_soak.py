"""Lives of chance against the rule in plain Python; `make soak SECONDS=600 SEED=7` for a longer one."""

from __future__ import annotations

import logging
import os
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from skewless.node import Endpoint
from tests.support.soak import Soak

pytestmark = [pytest.mark.spark, pytest.mark.cassandra, pytest.mark.slow]

LOG = logging.getLogger("soak")
SECONDS = float(os.environ.get("SOAK_SECONDS", "60"))
SEED = int(os.environ.get("SOAK_SEED", "7"))
#: A life of its own from time to time: definitions stay the same within one.
OF_ONE_LIFE = 200.0


def test_every_answer_of_a_soaked_project_is_what_the_rule_says(
    spark: Any, cassandra_endpoint: Endpoint, tmp_path: Path
) -> None:
    logging.getLogger("py4j").setLevel(logging.WARNING)
    end, seed, answers = time.monotonic() + SECONDS, SEED, 0
    while time.monotonic() < end:
        keyspace = f"soak_{uuid.uuid4().hex[:8]}"
        life = Soak(spark, cassandra_endpoint, tmp_path / str(seed), keyspace, seed=seed)
        life.live_until(min(end, time.monotonic() + OF_ONE_LIFE))
        life.project.drop()
        answers += life.answers
        LOG.info("seed %d: %s, %d answers, %d differences", seed, dict(life.steps), life.answers, len(life.differences))
        assert not life.differences, f"seed {seed}, {dict(life.steps)}:\n" + "\n".join(life.differences[:5])
        seed += 1
    assert answers > 0
