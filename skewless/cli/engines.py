"""What the JVM and the drivers say goes to a file: people read results, not log lines."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from pathlib import Path
from typing import TextIO

_LARGEST_LOG = 5_000_000


def keep_engines_quiet(log: Path, *, is_submitted: bool) -> None:
    """Send file descriptors 1 and 2, logging and warnings to a file; Python's own streams go on where they went.

    A JVM inherits the descriptors, so this has to come before it starts.

    Args:
        log: The file; nothing is kept when it cannot be written.
        is_submitted: The JVM is there already, and the descriptors stay as they are.
    """
    warnings.simplefilter("ignore")
    with _opened(log) as file:
        logging.basicConfig(filename=file.name, level=logging.WARNING)
        if is_submitted:
            return
        for name, number in (("stdout", 1), ("stderr", 2)):
            getattr(sys, name).flush()
            kept = os.fdopen(os.dup(number), "w", encoding="utf-8", errors="backslashreplace", buffering=1)
            setattr(sys, name, kept)
            os.dup2(file.fileno(), number)


def _opened(log: Path) -> TextIO:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        is_large = log.is_file() and log.stat().st_size > _LARGEST_LOG
        return log.open("w" if is_large else "a", encoding="utf-8")
    except OSError:
        return Path(os.devnull).open("w", encoding="utf-8")
