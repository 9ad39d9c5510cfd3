"""Leases: one holder at a time for a name, with a fencing token that only grows.

A lease bounds how long a dead holder blocks the others; the token keeps a holder that slept through its own end from
doing harm: every commit asks `still_held` first. Leases tell real time in every environment, the replay one included:
they are about processes, not about data. Clocks of different machines may differ by less than the ttl.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import Any

from skewless.core.clock import Clock, SystemClock
from skewless.core.fingerprint import canonical_json
from skewless.core.time import duration_us, format_instant, from_us
from skewless.errors import LeaseHeld, TryAgainLater, UsageError
from skewless.registry.holder import Holder
from skewless.registry.objects import ObjectDamaged, parse_document
from skewless.registry.renewal import Renewal
from skewless.registry.store import AlreadyThere, Moved, ObjectStore

_ATTEMPTS = 50


class LeaseLost(LeaseHeld):
    """A lease ended, or was taken over, while its holder still worked."""


@dataclass(frozen=True, slots=True)
class Lease:
    """One holder's time with a name.

    Attributes:
        name: What is held.
        holder: By whom.
        token: Greater than that of every earlier lease of this name.
        since_us: When it was acquired.
        until_us: First instant at which it is over, unless it is renewed.
        ttl_us: How long each renewal lasts.
        lease_id: Tells it apart from any other lease.
        released: True when it was given back.
    """

    name: str
    holder: Holder
    token: int
    since_us: int
    until_us: int
    ttl_us: int
    lease_id: str
    released: bool = False

    def to_document(self) -> dict[str, object]:
        """Its JSON form."""
        return {"format": 1, **asdict(self)}

    @staticmethod
    def from_document(document: dict[str, Any]) -> Lease:
        """Read what `to_document` wrote."""
        rest = {key: value for key, value in document.items() if key not in {"format", "holder"}}
        return Lease(holder=Holder.from_document(document["holder"]), **rest)

    def is_free(self, now_us: int) -> bool:
        """True when another holder may take the name: it was given back, is over, or its process is gone."""
        return self.released or now_us >= self.until_us or self.holder.is_gone()


@dataclass(frozen=True, slots=True)
class Leases:
    """The leases of one store.

    Attributes:
        store: Keeps them; a lease's object is never deleted, for it remembers the token.
        clock: Tells real time; another one is for tests of this class.
    """

    store: ObjectStore
    clock: Clock = field(default_factory=SystemClock)

    def peek(self, name: str) -> Lease | None:
        """The newest lease of a name, over or not; None when it was never held."""
        return self._standing(name)[0]

    def acquire(self, name: str, *, holder: Holder, ttl: timedelta) -> Lease:
        """Take a name that nobody holds.

        Raises:
            LeaseHeld: Somebody holds it; the message says who, since when and until when.
        """
        ttl_us = duration_us(ttl)
        if ttl_us <= 0:
            raise UsageError(f"Lease '{name}' with ttl {ttl} would be over at once. Give a positive duration.")
        lease_id = secrets.token_hex(8)
        for _ in range(_ATTEMPTS):
            standing, etag = self._standing(name)
            if standing is not None and standing.lease_id == lease_id:
                return standing  # the store had done what it was asked, and said so late
            now_us = self.clock.now_us()
            if standing is not None and not standing.is_free(now_us):
                raise LeaseHeld(_held(standing))
            token = standing.token + 1 if standing else 1
            lease = Lease(name, holder, token, now_us, now_us + ttl_us, ttl_us, lease_id)
            if self._write(lease, etag):
                return lease
        raise LeaseHeld(f"Lease '{name}' changes hands faster than it can be taken. Try again later.")

    def renew(self, lease: Lease) -> Lease:
        """Make a lease last its ttl from now; one that is over but was taken by nobody lives again.

        Raises:
            LeaseLost: Another holder has it, or it was released.
        """
        for _ in range(_ATTEMPTS):
            standing, etag = self._own(lease)
            renewed = replace(standing, until_us=max(standing.until_us, self.clock.now_us() + lease.ttl_us))
            if self._write(renewed, etag):
                return renewed
        raise LeaseLost(f"Lease '{lease.name}' could not be renewed: it changes all the time. Try again later.")

    def release(self, lease: Lease) -> bool:
        """Give a lease back; False when it was lost before, which does no harm."""
        for _ in range(_ATTEMPTS):
            try:
                standing, etag = self._own(lease)
            except LeaseLost:
                return False
            if self._write(replace(standing, released=True), etag):
                return True
        return False

    def still_held(self, lease: Lease) -> None:
        """Return when a lease is held at this instant: call it right before each commit.

        Raises:
            LeaseLost: It is over, released, or somebody else's.
        """
        standing, _ = self._own(lease)
        if self.clock.now_us() >= standing.until_us:
            message = (
                f"Lease '{lease.name}' (token {lease.token}) of {lease.holder} ended at {_when(standing.until_us)} "
                "before it was renewed. Nothing was committed; run again."
            )
            raise LeaseLost(message)

    @contextmanager
    def held(self, name: str, *, holder: Holder, ttl: timedelta) -> Iterator[HeldLease]:
        """Hold a name for the time of a block: renewed every third of the ttl, given back however the block ends.

        Raises:
            LeaseHeld: Somebody holds it.
        """
        lease = self.acquire(name, holder=holder, ttl=ttl)
        renewal = Renewal(lambda: self.renew(lease), every=ttl / 3, name=f"lease {name}")
        try:
            renewal.start()
            yield HeldLease(self, lease)
        finally:
            renewal.stop()
            with suppress(TryAgainLater):  # it ends by itself; the block's own outcome says more
                self.release(lease)

    def _own(self, lease: Lease) -> tuple[Lease, str]:
        standing, etag = self._standing(lease.name)
        if standing is None or standing.lease_id != lease.lease_id or standing.released:
            raise LeaseLost(_lost(lease, standing))
        return standing, etag

    def _standing(self, name: str) -> tuple[Lease | None, str]:
        stored = self.store.read(_object_name(name))
        if stored is None:
            return None, ""
        try:
            return Lease.from_document(parse_document(_object_name(name), stored.body)), stored.etag
        except (KeyError, TypeError):
            message = (
                f"Lease '{name}' cannot be read. Make sure that nobody works; then restore its file from a backup."
            )
            raise ObjectDamaged(message) from None

    def _write(self, lease: Lease, etag: str) -> bool:
        body = canonical_json(lease.to_document()).encode()
        try:
            if etag:
                self.store.swap(_object_name(lease.name), body, expected_etag=etag)
            else:
                self.store.create(_object_name(lease.name), body)
        except (AlreadyThere, Moved):
            return False
        return True


@dataclass(frozen=True, slots=True)
class HeldLease:
    """A lease inside the block that holds it."""

    leases: Leases
    lease: Lease

    @property
    def token(self) -> int:
        """The fencing token, to be written with whatever the block commits."""
        return self.lease.token

    def check(self) -> None:
        """Return when it is held at this instant: call it right before each commit.

        Raises:
            LeaseLost: It is over or somebody else's.
        """
        self.leases.still_held(self.lease)


def _held(standing: Lease) -> str:
    return (
        f"Lease '{standing.name}' is held by {standing.holder} since {_when(standing.since_us)}, "
        f"until {_when(standing.until_us)} unless it is renewed. Wait for it, or stop that process."
    )


def _lost(lease: Lease, standing: Lease | None) -> str:
    if standing is None or standing.lease_id == lease.lease_id:
        fate = "was released" if standing else "is gone from the registry"
    else:
        fate = f"was taken over by {standing.holder} at {_when(standing.since_us)} with token {standing.token}"
    return f"Lease '{lease.name}' (token {lease.token}) {fate}. Nothing was committed; run again."


def _when(instant_us: int) -> str:
    return format_instant(from_us(instant_us))


def _object_name(name: str) -> str:
    return f"leases/{name}.json"
