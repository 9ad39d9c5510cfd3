"""The installed command with bad input, in a process of its own: one line, the right code, nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from skewless.registry.holder import Holder
from skewless.registry.leases import Leases
from skewless.registry.local import LocalStore

pytestmark = pytest.mark.e2e

CHECKOUT = Path(__file__).parents[2]
SKEWLESS = Path(sys.executable).parent / "skewless"


@pytest.fixture
def run(tmp_path):
    def call(*command):
        environ = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(Path.home()),
            "SKEWLESS_ENV": "ci",
            "SKEWLESS__PROJECT__STATE": str(tmp_path / "state"),
        }
        return subprocess.run(
            [str(one) for one in command],
            capture_output=True,
            text=True,
            cwd=CHECKOUT,
            env=environ,
            timeout=180,
            check=False,
        )

    return call


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "household_spent"), "There is no view 'household_spent'. Did you mean 'household_spend'?"),
        (("run", "--now", "2017-10-02T06:00"), "has no time zone"),
        (("run", "--env", "nope"), "There is no environment 'nope'"),
        (("run", "--conf", "/nowhere"), "/nowhere"),
        (("run", "--bogus"), "No such option"),
        (("runn",), "No such command"),
        (("get", "churn_v1", "household_id=1"), "Nothing was applied yet"),
        (("land", "transactions", "/nowhere.parquet"), "There is no file '/nowhere.parquet'"),
        (("train", "churn_v1"), "Missing option"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_bad_input_is_one_line_exit_code_two_and_no_stack(run, arguments, told, as_json):
    done = run(SKEWLESS, *arguments, *(["--json"] if as_json else []))
    assert done.returncode == 2
    assert done.stderr.startswith("skewless: ")
    assert done.stderr.count("\n") == 1
    assert told in done.stderr
    if as_json:
        assert told in json.loads(done.stdout)["error"]["message"]
    else:
        assert done.stdout == ""


def test_a_job_passes_its_exit_code_on(run):
    done = run(sys.executable, CHECKOUT / "jobs" / "materialize.py", "household_spent")
    assert (done.returncode, done.stdout) == (2, "")
    assert "There is no view 'household_spent'" in done.stderr


def test_a_closed_pipe_is_no_defect(run):
    done = run("bash", "-c", f"{SKEWLESS} status --env ci | true; exit ${{PIPESTATUS[0]}}")
    assert done.returncode in {0, 141}
    assert "defect" not in done.stderr


def test_a_second_run_is_refused_with_code_twelve_while_another_process_holds_the_project(run, tmp_path):
    leases, name = Leases(LocalStore(tmp_path / "state" / "registry")), "project-ci"
    with leases.held(name, holder=Holder.here("run by somebody else"), ttl=timedelta(minutes=1)):
        for command in ("run", "materialize", "apply", "rollback"):
            done = run(SKEWLESS, command)
            assert (done.returncode, done.stderr.count("\n")) == (12, 1), done.stderr
            assert "run by somebody else" in done.stderr
