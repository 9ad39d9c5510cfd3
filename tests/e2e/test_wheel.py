"""The wheel, installed with nothing but what a service needs."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def _run(*command: str | Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    return done.stdout


def test_wheel_with_the_online_extra_serves_and_answers_help(tmp_path: Path) -> None:
    _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path)
    [wheel] = tmp_path.glob("skewless-*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = (python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps")
    _run(*pip, "--require-hashes", "-r", ROOT / "requirements-online.lock")
    _run(*pip, wheel)
    assert "OnlineClient" in _run(python, "-I", "-c", "from skewless.online import OnlineClient; print(OnlineClient)")
    missing = (
        "import importlib.util as u; print([n for n in ('pyspark', 'pandas', 'numpy', 'pyarrow') if u.find_spec(n)])"
    )
    assert _run(python, "-I", "-c", missing).strip() == "[]"
    assert "materialize" in _run(tmp_path / "venv" / "bin" / "skewless", "--help")
