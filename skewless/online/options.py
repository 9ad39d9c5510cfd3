"""How a client behaves, and how it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from skewless.core.clock import Clock, SystemClock
from skewless.online.observer import Observer
from skewless.online.served_log import ServedRecord
from skewless.online.transport import TransportHealth


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """How a client behaves, whatever store it reads.

    Attributes:
        clock: Whose now is the observation time and switches revisions.
        contract_hash: The contract by which every service is read, or one per service, also when the service has
            moved on to another; None takes the newest when it first asks, and goes on with it until `refresh`.
        poll_interval: Between two looks at the timeline in the background; None looks before each call.
        deadline_ms: For a whole call, unless the call says otherwise.
        log: Receives what was served; None records nothing.
        log_share: Share of the keys that is recorded, always the same ones.
        observer: Is told of every call, in its caller's thread; None costs nothing.
    """

    clock: Clock = field(default_factory=SystemClock)
    contract_hash: str | Mapping[str, str] | None = field(default=None, hash=False)
    poll_interval: timedelta | None = timedelta(seconds=1)
    deadline_ms: float = 50.0
    log: Callable[[ServedRecord], None] | None = None
    log_share: float = 0.01
    observer: Observer | None = None


@dataclass(frozen=True, slots=True)
class ClientHealth:
    """What a client knows of itself.

    Attributes:
        revision: The newest revision held; None before the first.
        is_confirmed: False when a newer revision may be in force unseen.
        confirmed_ago: Since the last look at the timeline that succeeded.
        unanswered_requests: Requests given up at a deadline since the client connected.
        transport: The connection.
    """

    revision: int | None
    is_confirmed: bool
    confirmed_ago: timedelta | None
    unanswered_requests: int
    transport: TransportHealth
