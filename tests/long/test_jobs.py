"""Every stage as a job of its own: longer than `make test` has time for; `make test-long`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.e2e.conftest import answer, job


def test_jobs_of_the_next_week_run_one_by_one_through_spark_submit(
    summary: dict[str, Any], environ: dict[str, str], tmp_path: Path
) -> None:
    """What a scheduler would type, a process per stage; each takes up what the one before left."""
    state = Path(environ["SKEWLESS__PROJECT__STATE"])
    before = answer("skewless", "get", "churn_v1", "household_id=1", environ=environ)

    landed = job("land", "transactions", str(state / "landing" / "new_3.parquet"), environ=environ)
    assert landed["rows"] > 0
    made = job("materialize", "household_spend", "--now", "2017-10-23T06:00Z", environ=environ)
    assert all(view["counts"]["new"] > 0 for view in made["views"])
    job("validate", environ=environ)
    pushed = job("push_online", environ=environ)
    assert all(view["pushed"] > 0 for view in pushed["views"])
    assert answer("skewless", "get", "churn_v1", "household_id=1", environ=environ)["revision"] == before["revision"]
    published = job("publish", environ=environ)
    assert published["revision"] == before["revision"] + 1

    after = answer("skewless", "get", "churn_v1", "household_id=1", environ=environ)
    assert after["revision"] == published["revision"]
    spine, out = str(state / "landing" / "spine.parquet"), str(tmp_path / "training")
    trained = job("build_training_set", "churn_v1", "--spine", spine, "--out", out, environ=environ)
    assert trained["manifest"]["rows"] == summary["spine_rows"]
    assert Path(job("quality_report", environ=environ)["path"]).exists()
