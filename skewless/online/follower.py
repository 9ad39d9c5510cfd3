"""The client's own timeline: held revisions, polled, switched at the instant that each names."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable

from skewless.core.clock import Clock
from skewless.core.timeline import Revision, Timeline
from skewless.errors import SkewlessError
from skewless.online.transport import Transport

_log = logging.getLogger(__name__)
_KEPT = 4


class TimelineFollower:
    """Follows the timeline of one transport.

    Args:
        transport: Where the timeline is read.
        clock: Whose now decides which revision holds; it may be a virtual one.
        poll_interval_s: Seconds between two polls of the background thread; None polls before each call instead.
        monotonic: Seconds that never jump, for the age of the last confirmation.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        clock: Clock,
        poll_interval_s: float | None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._interval = poll_interval_s
        self._monotonic = monotonic
        self._timeline = Timeline()
        self._confirmed_at = float("-inf")
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    @property
    def timeline(self) -> Timeline:
        """The revisions held: the one in force, those to come and a few before it."""
        return self._timeline

    @property
    def is_on_demand(self) -> bool:
        """True when there is no background thread."""
        return self._interval is None

    def at(self, instant_us: int) -> Revision | None:
        """The revision in force at an instant; None before the first."""
        for revision in reversed(self._timeline.revisions):
            if revision.visible_from_us <= instant_us:
                return revision
        return None

    def confirmed_s(self) -> float:
        """Seconds since the beginning of the last poll that succeeded."""
        return self._monotonic() - self._confirmed_at

    def is_confirmed(self) -> bool:
        """False when a revision may have come into force that this client has not seen.

        Publishers leave at least twice the poll interval between publishing and coming into force.
        """
        return self._interval is None or self.confirmed_s() <= 2 * self._interval

    def refresh(self) -> None:
        """Poll once.

        Raises:
            StoreUnreachable: The store did not answer; what is held stays held.
        """
        with self._lock:
            began = self._monotonic()
            snapshot = self._transport.snapshot()
            held = self._timeline.revisions
            newest = held[-1].number if held else 0
            if snapshot is None or snapshot.current.number < newest:
                # A replica that lags confirms nothing, except that there is nothing yet.
                self._confirmed_at = began if not held else self._confirmed_at
                return
            merged = _merged(held, snapshot.timeline.revisions)
            if self._has_gap(held, merged):
                merged = _merged(self._transport.revisions(0 if not held else newest), merged)
            self._timeline = Timeline(self._trimmed(merged))
            self._confirmed_at = began

    def start(self) -> None:
        """Poll in the background until `stop`."""
        if self._interval is not None:
            threading.Thread(target=self._run, name="skewless-timeline", daemon=True).start()

    def stop(self) -> None:
        """End the background polls."""
        self._stopped.set()

    def _run(self) -> None:
        interval = self._interval or 0.0
        while not self._stopped.wait(interval * random.uniform(0.8, 1.0)):  # noqa: S311 - jitter, not a secret
            try:
                self.refresh()
            except SkewlessError as error:
                _log.warning("the timeline could not be confirmed: %s", error)
            except Exception:
                if not self._stopped.is_set():
                    _log.exception("the timeline could not be confirmed")

    def _has_gap(self, held: tuple[Revision, ...], merged: tuple[Revision, ...]) -> bool:
        """True when a revision in force by now, or between two held ones, was never seen."""
        numbers = [revision.number for revision in merged]
        if held:
            return numbers[-1] - numbers[0] != len(numbers) - 1
        return numbers[0] > 1 and merged[0].visible_from_us > self._clock.now_us()

    def _trimmed(self, merged: tuple[Revision, ...]) -> tuple[Revision, ...]:
        now_us = self._clock.now_us()
        past = sum(1 for revision in merged if revision.visible_from_us <= now_us)
        return merged[max(0, past - _KEPT) :]


def _merged(one: tuple[Revision, ...], other: tuple[Revision, ...]) -> tuple[Revision, ...]:
    by_number = {revision.number: revision for revision in (*one, *other)}
    return tuple(by_number[number] for number in sorted(by_number))
