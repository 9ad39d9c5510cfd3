"""A thread that does one thing every so often until it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from skewless.errors import SkewlessError

#: A store that hangs must not hang the end of the work, too.
_PATIENCE = timedelta(seconds=10)


class Renewal:
    """Calls a step at a steady pace beside the work.

    Attributes:
        step: Its expected errors are tried again a period later: a store that does not answer now, or seems empty,
            may answer then, and who depends on the step finds out by asking.
        every: Time between two calls, real time.
        name: Of the thread.
    """

    def __init__(self, step: Callable[[], object], *, every: timedelta, name: str) -> None:
        self.step = step
        self.every = every
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first call comes one period from now."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the call that is under way if it does not hang."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE.total_seconds())

    def _run(self) -> None:
        while not self._stopped.wait(self.every.total_seconds()):
            with suppress(SkewlessError):
                self.step()
