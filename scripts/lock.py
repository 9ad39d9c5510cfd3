"""Resolve `pyproject.toml` into the two locks. Run by `make lock`; the resolver lives in a throw-away environment.

The locks name versions and hashes for every Python from 3.10 on and for every platform, and no address of an index.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {"requirements.lock": ["dev"], "requirements-online.lock": ["online", "test"]}
OPTIONS = [
    "--universal",
    "--python-version=3.10",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-header",
    "--no-annotate",
    "--quiet",
]


def main() -> int:
    """Write both locks, upgrading everything that the bounds allow."""
    with tempfile.TemporaryDirectory() as scratch:
        venv.create(scratch, with_pip=True)
        python = str(Path(scratch) / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "--quiet", "uv"], check=True)
        for name, extras in LOCKS.items():
            chosen = [f"--extra={extra}" for extra in extras]
            command = [python, "-m", "uv", "pip", "compile", "pyproject.toml", *chosen, *OPTIONS, "--upgrade"]
            subprocess.run([*command, "--output-file", name], check=True, cwd=ROOT)
            print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
