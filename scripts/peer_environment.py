"""Other stores beside the product: an environment of their own, made once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def python_of(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / "bin" / "python"


def why_missing(folder: Path, wanted: Sequence[str]) -> str:
    """Make an environment, unless it has the wanted versions already.

    Args:
        folder: Where it lies.
        wanted: Packages as pip takes them.

    Returns:
        Why nothing of it can be used; empty when all can.
    """
    python, stamp, text = python_of(folder), folder / "installed.json", json.dumps([*wanted])
    if stamp.exists() and stamp.read_text(encoding="utf-8") == text:
        return ""
    print(f"installing {', '.join(wanted)} beside the product, once", file=sys.stderr)
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "--quiet", "install", *wanted],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode:
            return f"not installed: {last_line(done.stderr)}"
    stamp.write_text(text, encoding="utf-8")
    return ""


def last_line(text: str) -> str:
    """The last line of what a process printed, cut to what fits beside a figure."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no output"
