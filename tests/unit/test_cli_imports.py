"""The command line must answer at once, so nothing heavy may be imported before a command needs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("pyspark", "delta", "cassandra", "great_expectations", "pandas", "numpy", "pyarrow", "jinja2", "boto3")


def modules_after(code: str) -> set[str]:
    told = f"{code}\nimport sys\nprint('\\n'.join(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.split())


def test_importing_the_command_line_loads_no_engine():
    assert modules_after("import skewless.cli.main").isdisjoint(HEAVY)


def test_printing_every_help_loads_no_engine():
    code = """
import contextlib, io
from skewless.cli.main import COMMANDS, build_app, execute
with contextlib.redirect_stdout(io.StringIO()):
    for name in ("", *(one.__name__.rstrip("_") for one in COMMANDS), "dev", "dev cassandra", "dev cassandra start"):
        assert execute(build_app(), [*name.split(), "--help"], name="skewless") == 0, name
"""
    assert modules_after(code).isdisjoint(HEAVY)


def test_importing_the_command_line_does_not_load_the_flows():
    code = (
        "import skewless.cli.main, sys\nassert not [name for name in sys.modules if name.startswith('skewless.flows')]"
    )
    assert "skewless" in modules_after(code)


@pytest.mark.parametrize(
    "job",
    [
        "land",
        "materialize",
        "validate",
        "push_online",
        "publish",
        "build_training_set",
        "check_parity",
        "quality_report",
    ],
)
def test_a_job_is_short_and_its_help_has_an_example_that_names_it(job, capsys):
    import runpy
    from pathlib import Path
    from unittest.mock import patch

    file = Path(__file__).parents[2] / "jobs" / f"{job}.py"
    with patch.object(sys, "argv", [str(file), "--help"]), pytest.raises(SystemExit) as end:
        runpy.run_path(str(file), run_name="__main__")
    assert end.value.code == 0
    assert f"./spark-submit.sh jobs/{job}.py" in capsys.readouterr().out.split("Options:")[0].partition("\n")[2]
    assert len(file.read_text().splitlines()) <= 50
