"""A process that can be made to hang and to go on."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Freezer:
    pid: int
    _timer: threading.Timer | None = None

    def freeze(self, *, seconds: float | None = None) -> None:
        """Hang, for some seconds or until `thaw`."""
        os.kill(self.pid, signal.SIGSTOP)
        while any(_state(task) != "T" for task in Path(f"/proc/{self.pid}/task").iterdir()):
            time.sleep(0.001)
        if seconds is not None:
            self._timer = threading.Timer(seconds, os.kill, (self.pid, signal.SIGCONT))
            self._timer.start()

    def thaw(self) -> None:
        """Go on."""
        if self._timer is not None:
            self._timer.cancel()
        os.kill(self.pid, signal.SIGCONT)


def _state(task: Path) -> str:
    return (task / "stat").read_text().rpartition(")")[2].split()[0]
