"""Views of chance, each twice: as the product takes it, and in plain Python by brute force."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from skewless import (
    Count,
    CountDistinct,
    Feature,
    Float64,
    Int64,
    Last,
    LastN,
    Max,
    Mean,
    Min,
    Quantile,
    RowView,
    SnapshotView,
    Sum,
    TopK,
    WindowView,
)
from skewless.core.timeline import Timeline
from skewless.core.view import FeatureView
from tests.support import oracle
from tests.support.bits import bits
from tests.support.oracle_windows import Agg, mean, window_values
from tests.support.project import ORDERS, USER
from tests.support.soak_life import DAY, HOUR, Order, shipped

#: What a view says: (user, event time) → None when deleted, else feature → value.
Said = dict[tuple[int, int], "dict[str, Any] | None"]


@dataclass(frozen=True)
class Told:
    """What readers were told of one view.

    Attributes:
        world: As the oracle takes it.
        through: Revision → tick through which its pointer says that values hold.
    """

    world: oracle.World
    through: dict[int, int]

    def answer(self, user: int, at_us: int) -> oracle.Answer:
        """What a service is given at an instant; a pointer may hold for longer than its generation was evaluated."""
        world = self.world
        is_simulated = oracle.is_simulated(world, at_us)
        revision = world.revisions[-1] if is_simulated else oracle.in_force(world, at_us)
        if revision is not None and revision.points_at is not None:
            through_us = self.through[revision.number]
            generations = (
                replace(one, through_us=through_us) if one.number == revision.points_at else one
                for one in world.generations
            )
            world = replace(world, generations=tuple(generations))
        return oracle.as_served(world, (user,), at_us)


@dataclass
class Model:
    """One view in plain Python: how it is evaluated, and all that was ever published of it.

    Attributes:
        view: The definition.
        said: Orders, start and last tick → what a full evaluation says.
        world: What was published, as the oracle takes it.
    """

    view: FeatureView
    said: Callable[[Iterable[Order], int, int], Said]
    world: oracle.World = field(init=False)

    def __post_init__(self) -> None:
        view = self.view
        self.world = oracle.World(
            features=view.feature_names,
            rows=(),
            generations=(),
            revisions=(),
            ttl_us=None if view.ttl is None else view.ttl // timedelta(microseconds=1),
            delay_us=view.delay_us,
            every_us=view.schedule.every_us if view.has_ticks else None,
            offset_us=view.schedule.offset_us if view.has_ticks else 0,
        )

    def changes(self, said: Said, number: int) -> list[oracle.Row]:
        """What differs from what stands: said, said otherwise, or no longer said."""
        stands = {}
        for key in {row.key for row in self.world.rows}:
            stands |= {(key[0], row.event_us): row for row in oracle.standing(self.world, key, number, 2**62)}
        rows = [
            oracle.Row((user,), event_us, number, values or {}, oracle.VALUE if values else oracle.DELETED)
            for (user, event_us), values in said.items()
            if not _is_said(stands.get((user, event_us)), values)
        ]
        gone = (pair for pair in stands if pair not in said)
        return rows + [oracle.Row((user,), event_us, number, {}, oracle.RETRACTED) for user, event_us in gone]

    def published(self, timeline: Timeline) -> Told:
        """What the revisions of a timeline tell readers of it."""
        name = self.view.reference
        revisions = tuple(
            oracle.Revision(one.number, one.visible_from_us, one.views[name].generation if name in one.views else None)
            for one in timeline.revisions
        )
        through = {one.number: one.views[name].through_us for one in timeline.revisions if name in one.views}
        return Told(replace(self.world, revisions=revisions), through)

    def publish(self, number: int, rows: Iterable[oracle.Row]) -> None:
        """A generation counts from now on."""
        published = oracle.Generation(number)
        world = self.world
        self.world = replace(world, rows=(*world.rows, *rows), generations=(*world.generations, published))


def _is_said(row: oracle.Row | None, values: dict[str, Any] | None) -> bool:
    if row is None:
        return False
    if values is None or row.flag == oracle.DELETED:
        return values is None and row.flag == oracle.DELETED
    return bool(bits(row.values) == bits(values))


def row_model(rng: Random) -> Model:
    """The last order."""
    view = RowView(
        name="last_order",
        entity=USER,
        source=ORDERS,
        transform=lambda rows: shipped(rows).where("amount is null or amount > -5"),
        features=(Feature("order_id", Int64), Feature("amount", Float64)),
        ttl=_ttl(rng),
    )

    def said(orders: Iterable[Order], start_us: int, _: int) -> Said:
        winners: dict[tuple[int, int], Order] = {}
        for one in sorted(orders, key=lambda order: order.order_id):
            is_good = one.user_id is not None and one.shipped_us <= start_us
            if is_good and (one.amount is None or one.amount > -5):
                winners[one.user_id or 0, one.shipped_us] = one
        return {pair: {"order_id": one.order_id, "amount": one.amount} for pair, one in winners.items()}

    return Model(view, said)


def window_model(rng: Random) -> Model:
    """Three aggregates of chance over windows of chance."""
    pool: list[tuple[Callable[[timedelta], Any], Callable[[int], Agg]]] = [
        (lambda over: Count(over=over), lambda us: Agg("count", us)),
        (lambda over: Count("amount", over=over), lambda us: Agg("count", us, "amount")),
        (lambda over: Sum("amount", over=over), lambda us: Agg("sum", us, "amount", scale=6)),
        (lambda over: Mean("amount", over=over), lambda us: mean("amount", us)),
        (lambda over: Min("order_id", over=over, dtype=Int64), lambda us: Agg("min", us, "order_id")),
        (lambda over: Max("amount", over=over), lambda us: Agg("max", us, "amount")),
        (
            lambda over: Last("order_id", over=over, dtype=Int64),
            lambda us: Agg("last", us, "order_id", ties=("order_id",)),
        ),
        (lambda over: Quantile("amount", 0.9, over=over), lambda us: Agg("quantile", us, "amount", q="0.9")),
        (lambda over: TopK("kind", 2, over=over, dtype=Int64), lambda us: Agg("top_k", us, "kind", n=2)),
        (
            lambda over: LastN("order_id", 3, over=over, dtype=Int64),
            lambda us: Agg("last_n", us, "order_id", ties=("order_id",), n=3),
        ),
        (lambda over: CountDistinct("kind", over=over), lambda us: Agg("count_distinct", us, "kind")),
        (
            lambda over: Count(over=over, where="amount > 1"),
            lambda us: Agg("count", us, where=lambda row: None if row["amount"] is None else row["amount"] > 1),
        ),
    ]
    declared, brute = {}, {}
    for place, (product, plain) in enumerate(rng.sample(pool, 3)):
        over_us = rng.choice((DAY, 2 * DAY, 36 * HOUR, 5 * DAY))
        declared[f"f{place}"], brute[f"f{place}"] = product(timedelta(microseconds=over_us)), plain(over_us)
    every_us, offset_us = rng.choice((DAY, DAY, 12 * HOUR)), rng.choice((0, HOUR))
    view = WindowView(
        name="windows",
        entity=USER,
        source=ORDERS,
        events=lambda rows: shipped(rows).withColumn("kind", F.col("order_id") % 4),
        aggregates=declared,
        every=timedelta(microseconds=every_us),
        offset=timedelta(microseconds=offset_us),
        ttl=_ttl(rng),
    )

    def said(orders: Iterable[Order], start_us: int, through_us: int) -> Said:
        good = [one for one in orders if one.user_id is not None and one.shipped_us <= start_us]
        events = [((one.user_id,), one.shipped_us, one.as_columns) for one in good]
        rows = window_values(events, brute, every_us=every_us, offset_us=offset_us, through_us=through_us)
        return {(key[0], tick): values for key, tick, values in rows}

    return Model(view, said)


def snapshot_model(rng: Random) -> Model:
    """Orders and the newest of them within some days."""
    lookback_us, every_us = rng.choice((DAY, 3 * DAY)), rng.choice((DAY, 2 * DAY))

    def transform(sources: Any, _: Any) -> DataFrame:
        return sources["orders"].groupBy("user_id").agg(F.count("*").alias("orders"), F.max("order_id").alias("newest"))

    view = SnapshotView(
        name="snapshots",
        entity=USER,
        sources=(ORDERS,),
        transform=transform,
        features=(Feature("orders", Int64), Feature("newest", Int64)),
        lookback={"orders": timedelta(microseconds=lookback_us)},
        every=timedelta(microseconds=every_us),
        ttl=_ttl(rng),
    )

    def at_tick(orders: list[Order], tick: int) -> dict[int, dict[str, Any]]:
        near: dict[int, list[int]] = {}
        for one in orders:
            if one.user_id is not None and tick - lookback_us <= one.at_us < tick:
                near.setdefault(one.user_id, []).append(one.order_id)
        return {user: {"orders": len(found), "newest": max(found)} for user, found in near.items()}

    def said(orders: Iterable[Order], _: int, through_us: int) -> Said:
        known, rows = list(orders), Said()
        first_us = min((one.at_us for one in known), default=through_us) + 1
        before: dict[int, dict[str, Any]] = {}
        for tick in range(first_us + -first_us % every_us, through_us + 1, every_us):
            now = at_tick(known, tick)
            rows |= {(user, tick): values for user, values in now.items() if before.get(user) != values}
            rows |= {(user, tick): None for user in before if user not in now}
            before = now
        return rows

    return Model(view, said)


def _ttl(rng: Random) -> timedelta | None:
    return rng.choice((None, timedelta(days=1), timedelta(days=3)))
