"""An online store to try things on: views, rows and revisions in one line each, on memory or on Cassandra."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol, get_args

import pytest

from skewless.core.clock import Clock, ManualClock
from skewless.core.dtypes import Float64, Int64
from skewless.core.layout import OnlineLayout
from skewless.core.serving import ServedView, ServingManifest
from skewless.core.time import Schedule
from skewless.core.timeline import Pointer, Revision
from skewless.online import MemoryStore, OnlineClient, OnlineTarget, TimelineStore
from skewless.online.cassandra_transport import CassandraTransport
from skewless.online.connection import session_for
from skewless.online.options import ClientOptions
from skewless.online.schema import ensure_view_table
from skewless.online.transport import Transport
from skewless.online.verify import verify_rows
from skewless.online.writer import purge_rows, sweep_rows, write_rows

SECOND = 1_000_000
DAY = 86_400 * SECOND
#: 2017-10-02T00:00Z: virtual time lies years in the past on purpose.
T0 = 1_506_902_400 * SECOND


@dataclass(frozen=True)
class Rows:
    """Columns that look like an Arrow record batch."""

    columns: dict[str, list[Any]]

    def to_pydict(self) -> dict[str, list[Any]]:
        return self.columns


def rows_of(view: ServedView, rows: Iterable[Sequence[Any]]) -> Rows:
    """Rows of (keys…, event_us, _state, features…) as one batch."""
    names = [*view.keys, "event_us", "_state", *view.features]
    table = [tuple(row) for row in rows]
    return Rows({name: [row[place] for row in table] for place, name in enumerate(names)})


def keys_of(view: ServedView, keys: Iterable[Sequence[Any]]) -> Rows:
    table = list(keys)
    return Rows({name: [key[place] for key in table] for place, name in enumerate(view.keys)})


class Shop(Protocol):
    project: str
    clock: ManualClock
    layout: OnlineLayout
    timeline: Any

    def create(self, view: ServedView) -> None: ...
    def write(self, view: ServedView, generation: int, *batches: Rows) -> dict[str, Any]: ...
    def verify(self, view: ServedView, generation: int, *batches: Rows) -> dict[str, Any]: ...
    def purge(self, view: ServedView, generation: int, *batches: Rows) -> dict[str, Any]: ...
    def sweep(self, view: ServedView, *batches: Rows) -> dict[str, Any]: ...
    def transport(self) -> Transport: ...
    def view(self, name: str = "spend", **changes: Any) -> ServedView: ...
    def serve(self, *views: ServedView, service: str = "svc", **changes: Any) -> ServingManifest: ...
    def put(self, view: ServedView, generation: int, *rows: Sequence[Any]) -> None: ...
    def publish(self, *views: tuple[ServedView, int], at_us: int = T0, **changes: Any) -> Revision: ...
    def client(self, **options: Any) -> OnlineClient: ...


@dataclass
class _Shop:
    project: str
    clock: ManualClock = field(default_factory=lambda: ManualClock(T0))
    layout: OnlineLayout = "typed"
    _clients: list[OnlineClient] = field(default_factory=list)

    def view(self, name: str = "spend", **changes: Any) -> ServedView:
        """A created view of the shop's layout: one int64 key, spend (float64), visits (int64), no ttl, no ticks."""
        values: dict[str, Any] = {
            "name": name,
            "version": 1,
            "table": f"{name}__v{changes.get('version', 1)}_{self.project}",
            "keys": {"user_id": Int64},
            "features": {"spend": Float64, "visits": Int64},
            "ttl": None,
            "schedule": None,
            "fingerprint": "f",
            "layout": self.layout,
        }
        view = ServedView(**{**values, **changes})
        self.create(view)  # type: ignore[attr-defined]
        return view

    def serve(
        self,
        *views: ServedView,
        service: str = "svc",
        features: Sequence[tuple[str, str]] | None = None,
        contract_hash: str = "c1",
    ) -> ServingManifest:
        """Store the manifest of a service over all features of views."""
        pairs = [(view.name, feature) for view in views for feature in view.features]
        manifest = ServingManifest(self.project, service, contract_hash, tuple(features or pairs), views)
        self.timeline.write_serving(manifest)  # type: ignore[attr-defined]
        return manifest

    def put(self, view: ServedView, generation: int, *rows: Sequence[Any]) -> None:
        """Write rows of (keys…, event_us, _state, features…)."""
        self.write(view, generation, rows_of(view, rows))  # type: ignore[attr-defined]

    def publish(
        self, *views: tuple[ServedView, int], at_us: int = T0, through_us: int | None = None, **changes: Any
    ) -> Revision:
        """Publish generations on top of the current revision, in force from `at_us` on."""
        timeline = self.timeline  # type: ignore[attr-defined]
        head = timeline.read()
        pointers: Mapping[str, Pointer] = {} if head is None else head.current.views
        moved = {
            view.reference: Pointer(view.table, generation, at_us if through_us is None else through_us)
            for view, generation in views
        }
        number = 1 if head is None else head.current.number + 1
        revision = Revision(number, at_us, {**pointers, **moved}, **changes)
        timeline.publish(revision, expected=None if head is None else head.current.number)
        return revision

    def client(
        self, *, clock: Clock | None = None, poll_interval: timedelta | None = None, **options: Any
    ) -> OnlineClient:
        """A client on the shop's clock that looks at the timeline before each call."""
        chosen = {"deadline_ms": 2000.0, **options}
        client = OnlineClient(
            chosen.pop("transport", None) or self.transport,  # type: ignore[attr-defined]
            ClientOptions(clock=clock or self.clock, poll_interval=poll_interval, **chosen),
        )
        self._clients.append(client)
        return client

    def close(self) -> None:
        for client in self._clients:
            client.close()


class MemoryShop(_Shop):
    def __init__(self, project: str) -> None:
        super().__init__(project)
        self.store = MemoryStore(project)
        self.timeline = self.store.timeline

    def create(self, view: ServedView) -> None:
        self.store.ensure_view_table(view)

    def write(self, view: ServedView, generation: int, *batches: Rows) -> dict[str, Any]:
        return next(self.store.write_rows(view, generation, batches))

    def verify(self, view: ServedView, generation: int, *batches: Rows) -> dict[str, Any]:
        return next(self.store.verify_rows(view, generation, batches))

    def purge(self, view: ServedView, generation: int, *batches: Rows) -> dict[str, Any]:
        return next(self.store.purge_rows(view, generation, batches))

    def sweep(self, view: ServedView, *batches: Rows) -> dict[str, Any]:
        return next(self.store.sweep_rows(view, batches))

    def transport(self) -> Transport:
        return self.store.transport()


class CassandraShop(_Shop):
    def __init__(self, project: str, target: OnlineTarget) -> None:
        super().__init__(project)
        self.target = target
        self.session = session_for(target)
        self.timeline = TimelineStore(self.session, target.keyspace, project)

    def create(self, view: ServedView) -> None:
        ensure_view_table(self.session, self.target.keyspace, view)

    def write(self, view: ServedView, generation: int, *batches: Rows) -> dict[str, Any]:
        return next(write_rows(self.target, view, generation, batches))

    def verify(self, view: ServedView, generation: int, *batches: Rows) -> dict[str, Any]:
        return next(verify_rows(self.target, view, generation, batches))

    def purge(self, view: ServedView, generation: int, *batches: Rows) -> dict[str, Any]:
        return next(purge_rows(self.target, view, generation, batches))

    def sweep(self, view: ServedView, *batches: Rows) -> dict[str, Any]:
        return next(sweep_rows(self.target, view, batches))

    def transport(self) -> Transport:
        return CassandraTransport(self.target, self.project)


#: Every test of a module on views of each layout.
both_layouts = pytest.mark.parametrize("layout", get_args(OnlineLayout))


def daily() -> Schedule:
    return Schedule(timedelta(days=1))
