"""The demo on a small slice, as a new user would start it, and what can be asked of its state afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import HOUSEHOLDS, job, run

pytestmark = [pytest.mark.long, pytest.mark.e2e, pytest.mark.slow]


def test_demo_on_a_slice_ends_with_its_evidence(
    played: subprocess.CompletedProcess[str], summary: dict[str, Any]
) -> None:
    assert "0 mismatches" in played.stdout
    assert "0 differences" in played.stdout
    assert summary["parity"]["sampled"] > HOUSEHOLDS
    assert summary["parity"]["mismatches"] == 0
    assert summary["training_rows"] == summary["spine_rows"]
    # late and corrected purchases: a join by event time would train on what nobody was served
    assert 0 < summary["leaks"]["leaking"] < summary["leaks"]["compared"]


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
    again = run(sys.executable, "scripts/demo.py", environ=environ)
    assert again.returncode == 0, again.stderr[-2000:]
    assert "Nothing to do" in again.stdout


def test_get_online_and_offline_give_the_same_answer(summary: dict[str, Any], environ: dict[str, str]) -> None:
    command = (sys.executable, "-m", "skewless", "get", "churn_v1", "household_id=1", "--json")
    online = json.loads(run(*command, environ=environ).stdout)
    offline = json.loads(run(*command, "--at", online["at"], environ=environ).stdout)
    same = ("values", "status", "event_time", "age_seconds", "generation", "revision", "at")
    assert {name: online[name] for name in same} == {name: offline[name] for name in same}


@pytest.mark.parametrize("command", [("show", "household_spend"), ("list",), ("status",)])
def test_command_answers_from_the_state_without_spark(
    command: tuple[str, ...], summary: dict[str, Any], environ: dict[str, str]
) -> None:
    done = run(sys.executable, "-m", "skewless", *command, environ=environ)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "household_spend" in done.stdout
    assert "Starting Spark" not in done.stderr


@pytest.mark.parametrize("as_json", [False, True])
def test_unreachable_online_store_is_one_line_and_exit_code_75(
    as_json: bool, summary: dict[str, Any], environ: dict[str, str]
) -> None:
    elsewhere = {**environ, "SKEWLESS__ONLINE__KIND": "cassandra", "SKEWLESS__ONLINE__PORT": "1"}
    options = ("--json",) if as_json else ()
    done = run(sys.executable, "-m", "skewless", "get", "churn_v1", "household_id=1", *options, environ=elsewhere)
    assert (done.returncode, done.stderr.count("\n")) == (75, 1)
    assert done.stderr.startswith("skewless: Cassandra does not answer at 127.0.0.1 port 1")


def test_spine_without_a_time_column_is_one_line_and_leaves_nothing(
    summary: dict[str, Any], environ: dict[str, str], tmp_path: Path
) -> None:
    spine, out = tmp_path / "spine.csv", tmp_path / "out"
    spine.write_text("household_id,label\n1,0\n")
    arguments = ("train", "churn_v1", "--spine", str(spine), "--out", str(out))
    done = run(sys.executable, "-m", "skewless", *arguments, environ=environ)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("Starting")]
    assert (done.returncode, len(lines)) == (2, 1), done.stderr[-2000:]
    assert lines[0].startswith("skewless: The spine")
    assert "'timestamp'" in lines[0]
    assert not out.exists()


def test_training_job_runs_through_spark_submit(
    summary: dict[str, Any], environ: dict[str, str], tmp_path: Path
) -> None:
    """The whole chain of jobs: tests/long/test_jobs.py."""
    spine = str(Path(environ["SKEWLESS__PROJECT__STATE"]) / "landing" / "spine.parquet")
    trained = job("build_training_set", "churn_v1", "--spine", spine, "--out", str(tmp_path / "out"), environ=environ)
    assert trained["manifest"]["rows"] == summary["spine_rows"]
