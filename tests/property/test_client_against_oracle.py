"""The client on a real Cassandra against the oracle: every entity after every revision, rollbacks and reverts included.

Each batch is a project of its own. All of them write into one table: their examples' numbers differ. What is the
simulated era offline (revisions of other views before the first of this one) is UNPUBLISHED online.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import groupby
from typing import Any

import pyarrow as pa
import pytest

from skewless.core.dtypes import Int32, String, parse_dtype
from skewless.core.serving import ServedView
from skewless.core.time import Schedule
from skewless.core.timeline import Pointer
from skewless.node import Endpoint
from skewless.online.connection import OnlineTarget, close_sessions, session_for
from skewless.online.schema import ensure_keyspace, ensure_project_tables, ensure_view_table
from tests.online.shop import CassandraShop
from tests.support.bits import same_bits
from tests.support.histories import FEATURES, Batch, make_batches
from tests.support.oracle import Served
from tests.support.timeline_replay import Move, Push, Read, acts, reads

pytestmark = [pytest.mark.cassandra, pytest.mark.slow]

TABLE = "things__v1_00000000"
KEYS = {"example": Int32, "entity": String}
_STATES = {"present": "", "deleted": "deleted", "absent": "absent"}
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_SERVED = pa.schema(
    [
        ("example", pa.int32()),
        ("entity", pa.string()),
        ("event_us", pa.int64()),
        ("_state", pa.string()),
        ("n", pa.int64()),
        ("x", pa.float64()),
        ("s", pa.string()),
        ("tags", pa.list_(pa.string())),
    ]
)


@pytest.fixture(scope="module")
def target(cassandra_endpoint: Endpoint) -> Iterator[OnlineTarget]:
    keyspace = f"replay_{uuid.uuid4().hex[:8]}"
    target = OnlineTarget((cassandra_endpoint.host,), cassandra_endpoint.port, keyspace)
    session = session_for(target)
    ensure_keyspace(session, keyspace)
    ensure_project_tables(session, keyspace)
    yield target
    session.execute(f'DROP KEYSPACE "{keyspace}"', timeout=30)
    close_sessions()


@pytest.mark.parametrize("seed", range(2))
def test_client_after_every_revision_equals_oracle(target: OnlineTarget, seed: int) -> None:
    batches = make_batches(100 + seed, timelines=25, examples=12, spine=1)
    asked, wrong = replayed(target, batches, seed=seed, purges=True)
    assert wrong == []
    assert asked > 1000


def test_client_without_purge_of_aborted_pushes_leaks_them(target: OnlineTarget) -> None:
    """The comparison can fail: leave the purge out and rows of generations that never were published are answered."""
    batches = make_batches(100, timelines=25, examples=12, spine=1)
    _, wrong = replayed(target, batches, seed=2, purges=False)
    assert len(wrong) > 10


def replayed(target: OnlineTarget, batches: list[Batch], *, seed: int, purges: bool) -> tuple[int, list[Any]]:
    """How many answers were compared, and (batch, read, what the client said) of those that differ."""
    wrong: list[Any] = []
    asked = 0
    for batch in (one for one in batches if one.plan.revisions):
        shop = CassandraShop(f"p{seed}x{batch.number}", target)
        try:
            for read, told in _lived_through(shop, batch, seed=seed, purges=purges):
                asked += 1
                if not same_bits(_facts(read), told):
                    wrong.append((batch.number, read, told))
        finally:
            shop.close()
    return asked, wrong


def _lived_through(
    shop: CassandraShop, batch: Batch, *, seed: int, purges: bool
) -> Iterator[tuple[Read, tuple[Any, ...]]]:
    """Push and publish as the batch says; after each revision read everything that the oracle speaks of."""
    view = _view(batch, seed)
    ensure_view_table(shop.session, shop.target.keyspace, view)
    shop.serve(view)
    through = {one.number: one.through_us for one in batch.plan.generations}
    wanted = {number: list(group) for number, group in groupby(reads(batch), lambda read: read.revision)}
    client = shop.client(deadline_ms=20_000.0)
    other = _view(batch, seed, name="other")
    for act in acts(batch):
        if isinstance(act, Push):
            shop.write(view, act.gen, _served(act.rows))
            if not act.is_complete and purges:
                shop.purge(view, act.gen, _served(act.rows))
            continue
        _published(shop, view, other, act, through)
        for at_us, group in groupby(wanted[act.number], lambda read: read.at_us):
            asked = list(group)
            shop.clock.instant_us = at_us
            keys = [dict(zip(KEYS, read.key, strict=True)) for read in asked]
            for read, vector in zip(asked, client.get_many("svc", keys), strict=True):
                yield read, _told(vector, view.name)


def _published(shop: CassandraShop, view: ServedView, other: ServedView, move: Move, through: dict[int, int]) -> None:
    moved = (other, move.number) if move.points_at is None else (view, move.points_at)
    revision = shop.publish(moved, at_us=move.visible_from_us, through_us=through.get(moved[1], 0))
    assert revision.number == move.number
    if move.points_at is not None:
        assert revision.views[view.reference] == Pointer(view.table, move.points_at, through[move.points_at])


def _view(batch: Batch, seed: int, *, name: str = "things") -> ServedView:
    plan = batch.plan
    ticks = None
    if plan.every_us is not None:
        ticks = Schedule(timedelta(microseconds=plan.every_us), timedelta(microseconds=plan.offset_us))
    return ServedView(
        name=name,
        version=1,
        table=f"{TABLE}_{seed}",
        keys=KEYS,
        features={feature: parse_dtype(dtype) for feature, dtype in FEATURES.items()},
        ttl=None if plan.ttl_us is None else timedelta(microseconds=plan.ttl_us),
        schedule=ticks,
        fingerprint="f",
        layout="packed" if seed == 1 else "typed",
    )


def _served(rows: tuple[Served, ...]) -> Any:
    """Served rows as the Arrow batch that the push sends."""
    columns = [
        [row.key[0] for row in rows],
        [row.key[1] for row in rows],
        [row.event_us for row in rows],
        [_STATES[row.state] for row in rows],
        *([row.values[feature] for row in rows] for feature in FEATURES),
    ]
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, _SERVED, strict=True)], schema=_SERVED
    )


def _facts(read: Read) -> tuple[Any, ...]:
    told = read.told
    if told.simulated:
        return (dict.fromkeys(FEATURES), dict.fromkeys(FEATURES, "UNPUBLISHED"), None, None, None, read.revision)
    return (told.values, told.statuses, told.event_us, told.age_us, told.generation, told.revision)


def _told(vector: Any, view: str) -> tuple[Any, ...]:
    values = {feature: vector.values[f"{view}:{feature}"] for feature in FEATURES}
    statuses = {feature: vector.status[f"{view}:{feature}"].value for feature in FEATURES}
    event_time, age = vector.event_time[view], vector.age[view]
    event_us = None if event_time is None else (event_time - _EPOCH) // timedelta(microseconds=1)
    age_us = None if age is None else age // timedelta(microseconds=1)
    return (values, statuses, event_us, age_us, vector.generation[view], vector.revision)
