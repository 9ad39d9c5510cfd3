"""Failpoints: the instants between two durable effects, at each of which a test kills a process.

SKEWLESS_FAILPOINT=push.sent        dies when the rows of the first view are sent
SKEWLESS_FAILPOINT=push.sent:2      dies when those of the second are
"""

from __future__ import annotations

import os
import signal
from enum import Enum
from itertools import count
from typing import Final

VARIABLE: Final = "SKEWLESS_FAILPOINT"


class Failpoint(str, Enum):
    """Every failpoint; its name says what has just become durable."""

    APPLY_REGISTERED = "apply.registered"
    APPLY_TABLE = "apply.table"
    MATERIALIZE_PLANNED = "materialize.planned"
    MATERIALIZE_TABLE = "materialize.table"
    MATERIALIZE_HISTORY = "materialize.history"
    MATERIALIZE_SERVED = "materialize.served"
    MATERIALIZE_QUARANTINED = "materialize.quarantined"
    MATERIALIZE_RECORDED = "materialize.recorded"
    BACKFILL_HISTORY = "backfill.history"
    BACKFILL_RECORDED = "backfill.recorded"
    PUSH_STARTED = "push.started"
    PUSH_BATCH = "push.batch"
    PUSH_SENT = "push.sent"
    PUSH_WRITTEN = "push.written"
    PUSH_VERIFIED = "push.verified"
    REVISION_LOGGED = "revision.logged"
    REVISION_SWAPPED = "revision.swapped"
    REVISION_COPIED = "revision.copied"
    PUBLISH_RECORDED = "publish.recorded"
    PURGE_STARTED = "purge.started"
    PURGE_DONE = "purge.done"
    TRAIN_PLANNED = "train.planned"
    TRAIN_SLICE = "train.slice"
    TRAIN_RECORDED = "train.recorded"
    TRAIN_PLACED = "train.placed"


_times = count(1)


def reached(point: Failpoint) -> None:
    """Kill this process, as by a power cut, when the environment names this point; else do nothing.

    Read from the environment here and nowhere else: executors, which load no settings, have failpoints too.

    Args:
        point: What was reached.
    """
    name, _, number = os.environ.get(VARIABLE, "").partition(":")
    if name == point.value and next(_times) == int(number or 1):
        os.kill(os.getpid(), signal.SIGKILL)
