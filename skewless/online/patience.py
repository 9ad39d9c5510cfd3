"""Trying again, with growing pauses, what may be repeated without harm."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from skewless.online.faults import DRIVER_ERRORS, as_ours, is_refusal

T = TypeVar("T")
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0


def patiently(work: Callable[[], T], *, operation: str, retries: int) -> T:
    """Do something that may be repeated, and do it again when the store does not answer.

    Args:
        work: May run several times.
        operation: What it does, for messages ("write rows of 'x'").
        retries: Further attempts.

    Raises:
        StoreUnreachable: The last attempt failed.
        StoreRefused: It can never succeed.
    """
    attempt = 1
    while True:
        try:
            return work()
        except DRIVER_ERRORS as error:
            if attempt > retries or is_refusal(error):
                raise as_ours(error, operation=operation) from error
        pause(attempt)
        attempt += 1


def pause(attempt: int) -> None:
    """Wait after a failed attempt: twice as long each time, with jitter."""
    seconds = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (attempt - 1))
    time.sleep(seconds * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret
