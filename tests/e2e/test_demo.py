"""The demo on a small slice, as a new user would start it, and what can be asked of its state afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOUSEHOLDS = 60
SLICE = ("--households", str(HOUSEHOLDS), "--arrivals", "3")

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def _run(*command: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=900)


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    state = tmp_path_factory.mktemp("demo") / "state"
    return {**os.environ, "SKEWLESS__PROJECT__STATE": str(state), "SKEWLESS__SPARK__DRIVER_MEMORY": "1g"}


@pytest.fixture(scope="module")
def played(environ: dict[str, str]) -> Any:
    """The demo, played once for the module; its node is stopped at the end."""
    done = _run(sys.executable, "scripts/demo.py", *SLICE, environ=environ)
    yield done
    _run(sys.executable, "-m", "skewless", "dev", "cassandra", "stop", environ=environ)


@pytest.fixture(scope="module")
def summary(played: subprocess.CompletedProcess[str], environ: dict[str, str]) -> dict[str, Any]:
    assert played.returncode == 0, played.stderr[-2000:]
    found: dict[str, Any] = json.loads((Path(environ["SKEWLESS__PROJECT__STATE"]) / "summary.json").read_text())
    return found


def test_demo_on_a_slice_ends_with_its_evidence(
    played: subprocess.CompletedProcess[str], summary: dict[str, Any]
) -> None:
    assert "0 mismatches" in played.stdout
    assert "0 differences" in played.stdout
    assert summary["parity"]["sampled"] > HOUSEHOLDS
    assert summary["parity"]["mismatches"] == 0
    assert summary["training_rows"] == summary["spine_rows"]


def test_demo_reads_logged_online_replay_offline_without_a_difference(summary: dict[str, Any]) -> None:
    reads = summary["served_reads"]
    assert reads["replayed"] > 500
    assert reads["differences"] == 0


def test_demo_publishes_backfill_weekly_runs_rollback_and_roll_forward(summary: dict[str, Any]) -> None:
    assert summary["revisions"] == 5
    assert summary["generations"] >= 9
    assert all(rows > 0 for rows in summary["value_rows"].values())
    assert 0 < summary["simulated_rows"]["household_spend"] < summary["training_rows"]


def test_demo_again_finds_nothing_to_do(summary: dict[str, Any], environ: dict[str, str]) -> None:
    again = _run(sys.executable, "scripts/demo.py", environ=environ)
    assert again.returncode == 0, again.stderr[-2000:]
    assert "Nothing to do" in again.stdout


def test_get_online_and_offline_give_the_same_answer(summary: dict[str, Any], environ: dict[str, str]) -> None:
    command = (sys.executable, "-m", "skewless", "get", "churn_v1", "household_id=1", "--json")
    online = json.loads(_run(*command, environ=environ).stdout)
    offline = json.loads(_run(*command, "--at", online["at"], environ=environ).stdout)
    same = ("values", "status", "event_time", "age_seconds", "generation", "revision", "at")
    assert {name: online[name] for name in same} == {name: offline[name] for name in same}


@pytest.mark.parametrize("command", [("show", "household_spend"), ("list",), ("status",)])
def test_command_answers_from_the_state_without_spark(
    command: tuple[str, ...], summary: dict[str, Any], environ: dict[str, str]
) -> None:
    done = _run(sys.executable, "-m", "skewless", *command, environ=environ)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "household_spend" in done.stdout
    assert "Starting Spark" not in done.stderr


def test_jobs_of_the_next_week_run_one_by_one_through_spark_submit(
    summary: dict[str, Any], environ: dict[str, str], tmp_path: Path
) -> None:
    """What a scheduler would type, a process per stage; each takes up what the one before left."""
    state = Path(environ["SKEWLESS__PROJECT__STATE"])
    before = _json("skewless", "get", "churn_v1", "household_id=1", environ=environ)

    landed = _job("land", "transactions", str(state / "landing" / "new_3.parquet"), environ=environ)
    assert landed["rows"] > 0
    made = _job("materialize", "household_spend", "--now", "2017-10-23T06:00Z", environ=environ)
    assert all(view["counts"]["new"] > 0 for view in made["views"])
    _job("validate", environ=environ)
    pushed = _job("push_online", environ=environ)
    assert all(view["pushed"] > 0 for view in pushed["views"])
    assert _json("skewless", "get", "churn_v1", "household_id=1", environ=environ)["revision"] == before["revision"]
    published = _job("publish", environ=environ)
    assert published["revision"] == before["revision"] + 1

    after = _json("skewless", "get", "churn_v1", "household_id=1", environ=environ)
    assert after["revision"] == published["revision"]
    spine, out = str(state / "landing" / "spine.parquet"), str(tmp_path / "training")
    trained = _job("build_training_set", "churn_v1", "--spine", spine, "--out", out, environ=environ)
    assert trained["manifest"]["rows"] == summary["spine_rows"]
    assert Path(_job("quality_report", environ=environ)["path"]).exists()


def _job(name: str, *arguments: str, environ: dict[str, str]) -> Any:
    done = _run("./spark-submit.sh", f"jobs/{name}.py", *arguments, "--json", environ=environ)
    assert done.returncode == 0, f"{name}: {done.stdout[-1000:]}{done.stderr[-2000:]}"
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


def _json(*command: str, environ: dict[str, str]) -> Any:
    return json.loads(_run(sys.executable, "-m", *command, "--json", environ=environ).stdout)
