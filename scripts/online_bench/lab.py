"""A node of its own with five wide views, whose values anybody can tell from the key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skewless.config import Settings
from skewless.core.dtypes import Float64, Int64
from skewless.core.serving import ServedView, ServingManifest
from skewless.core.timeline import Pointer, Revision
from skewless.node import CassandraNode, Endpoint
from skewless.online import OnlineClient, OnlineTarget, TimelineStore
from skewless.online.connection import close_sessions, session_for
from skewless.online.rows import RowBatch
from skewless.online.schema import ensure_keyspace, ensure_project_tables, ensure_view_table
from skewless.online.writer import write_rows

PROJECT, KEYSPACE = "bench", "skewless_bench"
FEATURES = tuple(f"f{number:02}" for number in range(20))
VIEWS = 5
#: 2024-01-01T00:00Z, in microseconds.
EVENT_US = 1_704_067_200_000_000
_BATCH = 2_000


@dataclass(frozen=True)
class Rows:
    """Columns that look like an Arrow record batch."""

    columns: dict[str, list[Any]]

    def to_pydict(self) -> dict[str, list[Any]]:
        """Column name → values."""
        return self.columns


def value_of(key: int, view: int, place: int, generation: int) -> float:
    """What a feature of an entity is."""
    return key * 1_000.0 + view * 100 + place + generation / 8


def vector_of(key: int, view: int, generation: int) -> list[float]:
    """All features of an entity in one view."""
    return [value_of(key, view, place, generation) for place in range(len(FEATURES))]


def batches(view: int, keys: Sequence[int], generation: int) -> Iterator[RowBatch]:
    """Served rows of a generation, some thousand at a time."""
    for first in range(0, len(keys), _BATCH):
        some = keys[first : first + _BATCH]
        columns: dict[str, list[Any]] = {
            "user_id": list(some),
            "event_us": [EVENT_US] * len(some),
            "_state": [""] * len(some),
        }
        for place, name in enumerate(FEATURES):
            columns[name] = [value_of(key, view, place, generation) for key in some]
        yield Rows(columns)


@dataclass(frozen=True)
class Lab:
    """The measured store.

    Attributes:
        target: Where it is.
        session: The raw driver's session, as the product opens it.
        views: Each of 20 doubles.
        entities: Keys are 0 to one less.
        generation: That is published.
    """

    target: OnlineTarget
    session: Any
    views: tuple[ServedView, ...]
    entities: int
    generation: int = 2

    def client(self) -> OnlineClient:
        """A client as a service makes it, but with a deadline that does not cut latencies off."""
        return OnlineClient.connect(
            self.target.contact_points,
            project=PROJECT,
            port=self.target.port,
            keyspace=KEYSPACE,
            deadline_ms=5_000.0,
        )

    def scratch(self, name: str) -> ServedView:
        """A further table, for writing."""
        view = _view(name, len(self.views))
        ensure_view_table(self.session, KEYSPACE, view)
        return view


@contextmanager
def serving_node(settings: Settings, folder: Path) -> Iterator[Endpoint]:
    """A node as a server is run, that ends with the block; sessions of this process are closed before."""
    node = CassandraNode(
        folder,
        settings.cassandra_jars,
        java_home=settings.java_home,
        heap_mb=1024,
        die_with_parent=True,
        is_long_lived=True,
    )
    endpoint = node.start()
    try:
        yield endpoint
    finally:
        close_sessions()
        node.stop()


@contextmanager
def laboratory(settings: Settings, folder: Path, *, entities: int) -> Iterator[Lab]:
    """Start a node, write two generations of every view, publish, and end the node afterwards."""
    with serving_node(settings, folder) as endpoint:
        target = OnlineTarget((endpoint.host,), endpoint.port, KEYSPACE)
        session = session_for(target)
        ensure_keyspace(session, KEYSPACE)
        ensure_project_tables(session, KEYSPACE)
        lab = Lab(target, session, tuple(_view(f"view_{number}", number) for number in range(VIEWS)), entities)
        _filled(lab)
        yield lab


def bytes_per_row(folder: Path, lab: Lab) -> float:
    """What a row of a view takes on the disk of a node that has ended, all of a table's files counted."""
    return round(bytes_of(folder, "view_*") / (len(lab.views) * lab.entities * lab.generation), 1)


def bytes_of(folder: Path, tables: str) -> int:
    """The size of all files of tables in a node's folder, by a pattern of their names."""
    return sum(file.stat().st_size for file in folder.rglob(f"{KEYSPACE}/{tables}/*") if file.is_file())


def _view(name: str, number: int) -> ServedView:
    return ServedView(
        name=name,
        version=1,
        table=f"{name}__v1_{number:08x}",
        keys={"user_id": Int64},
        features=dict.fromkeys(FEATURES, Float64),
        ttl=None,
        schedule=None,
        fingerprint="bench",
    )


def _filled(lab: Lab) -> None:
    for number, view in enumerate(lab.views):
        ensure_view_table(lab.session, KEYSPACE, view)
        for generation in range(1, lab.generation + 1):
            for _ in write_rows(lab.target, view, generation, batches(number, range(lab.entities), generation)):
                pass
    timeline = TimelineStore(lab.session, KEYSPACE, PROJECT)
    for service, views in (("one", lab.views[:1]), ("five", lab.views)):
        pairs = tuple((view.name, feature) for view in views for feature in view.features)
        timeline.write_serving(ServingManifest(PROJECT, service, f"contract_{service}", pairs, tuple(views)))
    pointers = {view.reference: Pointer(view.table, lab.generation, EVENT_US) for view in lab.views}
    timeline.publish(Revision(1, EVENT_US, pointers), expected=None)
