"""Becomes the node's process: cuts its ties to whoever started it, or binds its life to theirs.

Run as a script, by path, with `FOLDER PARENT COMMAND…`; a PARENT of 0 means a life of its own.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(folder: str, parent: int, command: list[str]) -> None:
    """Replace this process by the command."""
    os.setsid()
    os.chdir(folder)
    # a pipe inherited from make or a test runner would keep its reader waiting for as long as the node lives
    os.closerange(3, 1024)
    if parent:
        # survives exec, so the kernel ends the node however its parent ends
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            return
    os.execv(command[0], command)  # noqa: S606 -- the command is ours, and no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
