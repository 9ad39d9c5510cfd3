"""The demo on a small slice, played once for a module; and commands on its state."""

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


def run(*command: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=900)


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    state = tmp_path_factory.mktemp("demo") / "state"
    return {**os.environ, "SKEWLESS__PROJECT__STATE": str(state), "SKEWLESS__SPARK__DRIVER_MEMORY": "1g"}


@pytest.fixture(scope="module")
def played(environ: dict[str, str]) -> Any:
    """The demo, played once for the module; its node is stopped at the end."""
    done = run(sys.executable, "scripts/demo.py", *SLICE, environ=environ)
    yield done
    run(sys.executable, "-m", "skewless", "dev", "cassandra", "stop", environ=environ)


@pytest.fixture(scope="module")
def summary(played: subprocess.CompletedProcess[str], environ: dict[str, str]) -> dict[str, Any]:
    assert played.returncode == 0, played.stderr[-2000:]
    found: dict[str, Any] = json.loads((Path(environ["SKEWLESS__PROJECT__STATE"]) / "summary.json").read_text())
    return found


def job(name: str, *arguments: str, environ: dict[str, str]) -> Any:
    done = run("./spark-submit.sh", f"jobs/{name}.py", *arguments, "--json", environ=environ)
    assert done.returncode == 0, f"{name}: {done.stdout[-1000:]}{done.stderr[-2000:]}"
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


def answer(*command: str, environ: dict[str, str]) -> Any:
    return json.loads(run(sys.executable, "-m", *command, "--json", environ=environ).stdout)
