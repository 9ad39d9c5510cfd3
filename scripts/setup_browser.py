"""Chromium for the tests that look at pages: found, or installed by the system's package manager."""

from __future__ import annotations

import shutil
import sys

from setup_java import install

PACKAGE = "chromium"
COMMANDS = ("chromium", "chromium-browser", "google-chrome")


def main() -> int:
    """Return 0 when a browser is there."""
    if any(shutil.which(command) for command in COMMANDS):
        return 0
    print(f"installing {PACKAGE}, for the tests that look at pages", flush=True)
    if install(PACKAGE) and any(shutil.which(command) for command in COMMANDS):
        return 0
    print(f"Chromium is missing and could not be installed. Type: sudo apt-get install {PACKAGE}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
