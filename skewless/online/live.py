"""What a connected client holds in one process: transport, timeline, plans of services."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import timedelta

from skewless.core.clock import Clock
from skewless.core.timeline import Revision
from skewless.online.errors import ContractMismatch, ServiceUnknown
from skewless.online.follower import TimelineFollower
from skewless.online.reading import Moment, pointers_of
from skewless.online.service_plan import ServicePlan, service_plan
from skewless.online.transport import Transport


class Live:
    """A transport with everything that was learned through it."""

    def __init__(
        self, transport: Transport, follower: TimelineFollower, clock: Clock, pins: str | Mapping[str, str] | None
    ) -> None:
        self.transport = transport
        self.follower = follower
        self.unanswered = 0
        self._clock = clock
        self._pins = pins
        self._plans: dict[str, tuple[ServicePlan, int | None]] = {}
        self._lock = threading.Lock()

    @staticmethod
    def begin(
        transport: Transport,
        *,
        clock: Clock,
        pins: str | Mapping[str, str] | None,
        poll_interval: timedelta | None,
    ) -> Live:
        """Look at the timeline for the first time and go on following it.

        Raises:
            StoreUnreachable: The store does not answer or knows nothing of the project.
        """
        seconds = None if poll_interval is None else poll_interval.total_seconds()
        follower = TimelineFollower(transport, clock=clock, poll_interval_s=seconds)
        follower.refresh()
        follower.start()
        return Live(transport, follower, clock, pins)

    @property
    def polls_before_calls(self) -> bool:
        """True when there is no background thread, so that each call looks at the timeline itself."""
        return self.follower.is_on_demand

    def moment(self) -> Moment:
        """Now, and the revision in force."""
        now_us = self._clock.now_us()
        return Moment(now_us, self.follower.at(now_us), self.follower.is_confirmed())

    def is_ready(self, service: str, revision: Revision | None) -> bool:
        """True when a question can be put together without asking the store."""
        held = self._plans.get(service)
        return not self.polls_before_calls and held is not None and held[1] == _number(revision)

    def plan(self, service: str, revision: Revision | None) -> ServicePlan:
        """How to read a service; its manifest is read again when a revision speaks of other tables.

        Raises:
            ServiceUnknown: It has no manifest.
            ContractMismatch: It never had the pinned contract.
        """
        held = self._plans.get(service)
        number = _number(revision)
        if held is not None and held[1] == number:
            return held[0]
        with self._lock:
            if held is not None and (revision is None or None not in pointers_of(held[0], revision)):
                plan = held[0]
            else:
                plan = self._load(service)
            self._plans[service] = plan, number
            return plan

    def refresh(self) -> None:
        """Look at the timeline and at the manifests in use now."""
        self.follower.refresh()
        for service, (_, number) in list(self._plans.items()):
            self._plans[service] = self._load(service), number

    def close(self) -> None:
        """Let go of everything."""
        self.follower.stop()
        self.transport.close()

    def _load(self, service: str) -> ServicePlan:
        manifest = self.transport.serving(service)
        if manifest is None:
            known = self.transport.services()
            raise ServiceUnknown(service=service, known=known)
        pinned = self._pins if isinstance(self._pins, str) else (self._pins or {}).get(service)
        if pinned is not None and pinned != manifest.contract_hash:
            # the service moved on: a client of the contract that it had goes on with that one
            earlier = self.transport.contract(service, pinned)
            if earlier is None:
                raise ContractMismatch(service=service, pinned=pinned, found=manifest.contract_hash)
            manifest = earlier
        plan = service_plan(manifest)
        for view in plan.views:
            self.transport.prepare(view.view, view.features)
        return plan


def _number(revision: Revision | None) -> int | None:
    return None if revision is None else revision.number
