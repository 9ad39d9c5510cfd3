"""What a reader gets: one value per feature with an honest status, online or offline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum


class Status(str, Enum):
    """Why a value is there or not.

    PRESENT: here it is. NULL: the transform said null. NOT_FOUND: nothing is known of this entity. DELETED: it left
    its source. EXPIRED: known, but older than the view's ttl, so withheld. TIMEOUT: the deadline came first.
    ERROR: the store refused. UNPUBLISHED: the view has no revision yet.
    """

    PRESENT = "PRESENT"
    NULL = "NULL"
    NOT_FOUND = "NOT_FOUND"
    DELETED = "DELETED"
    EXPIRED = "EXPIRED"
    TIMEOUT = "TIMEOUT"
    ERROR = "ERROR"
    UNPUBLISHED = "UNPUBLISHED"


@dataclass(frozen=True, slots=True)
class FeatureVector:
    """The features of one entity for one service at one instant.

    Attributes:
        values: `view:feature` → value; None unless the status is PRESENT.
        status: `view:feature` → status.
        event_time: view → the time that its value speaks for; None when there is no row.
        age: view → observation time less the instant through which the value is known to hold; None without a row.
        generation: view → the generation that readers were told to use; None when unpublished.
        revision: The revision that answered; None before the first, or offline in the simulated era.
        at: The observation time.
        simulated: True when a view answered from before its first publish (offline only).
        unconfirmed: True when a client could not confirm the timeline lately (online only).
    """

    values: Mapping[str, object] = field(hash=False)
    status: Mapping[str, Status] = field(hash=False)
    event_time: Mapping[str, datetime | None] = field(hash=False)
    age: Mapping[str, timedelta | None] = field(hash=False)
    generation: Mapping[str, int | None] = field(hash=False)
    revision: int | None
    at: datetime
    simulated: bool = False
    unconfirmed: bool = False
