"""vacuum: data files that nobody needs are removed; what a manifest pins is held, and by whom is said."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from skewless.core.clock import SystemClock
from skewless.core.generation import Generation
from skewless.core.manifest import Manifest, PinnedTable
from skewless.core.time import days, duration_us, from_us
from skewless.errors import UsageError
from skewless.flows.manifests import forget, kept_file, kept_manifests, unfinished_plans
from skewless.flows.training_place import UNFINISHED
from skewless.flows.workshop import Workshop
from skewless.plan.vacuum_plan import TableFiles, longer_retention, plan_vacuum
from skewless.registry.compiled import load_applied
from skewless.spark.commits import commit
from skewless.spark.read import head_version, is_table, table_id
from skewless.spark.table_files import (
    VersionGone,
    dropped_files,
    keep_readable,
    listed_files,
    needed_files,
    remove_files,
    retention_days,
)
from skewless.spark.value_tables import view_folder

_TABLES = ("history", "served", "quarantine")


@dataclass(frozen=True, slots=True)
class Hold:
    """A version of a table that somebody still needs.

    Attributes:
        path: The table, below the offline store's root.
        table_id: Its identity; another table of that path is none of this.
        version: The version.
        who: For whom, in words.
    """

    path: str
    table_id: str | None
    version: int
    who: str


@dataclass(frozen=True, slots=True)
class TableVacuumed:
    """What became of one table.

    Attributes:
        view: `name@version`.
        table: history, served or quarantine.
        files: How many data files were removed; in a dry run, would be.
        bytes: How large they were.
        held: How many would have gone, had nobody held them.
        held_bytes: How large they are.
        holders: For whom they are held.
        gone: Held versions that could not be read before already, and why.
        prolonged_days: For how many days versions stay readable from now on; None when nothing had to be changed.
    """

    view: str
    table: str
    files: int
    bytes: int
    held: int
    held_bytes: int
    holders: tuple[str, ...]
    gone: tuple[str, ...]
    prolonged_days: int | None


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """What a vacuum did.

    Attributes:
        tables: Table by table, those that are not there left out.
        forgotten: Ids of the manifests that hold nothing any longer.
        dry_run: True when nothing was done.
    """

    tables: tuple[TableVacuumed, ...]
    forgotten: tuple[str, ...]
    dry_run: bool

    def to_json(self) -> dict[str, Any]:
        """Its JSON form."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Wish:
    holds: tuple[Hold, ...]
    now_us: int
    retain: timedelta
    dry_run: bool


def vacuum(
    shop: Workshop, names: Iterable[str], *, retain: timedelta, dry_run: bool, forgotten: tuple[str, ...]
) -> Vacuumed:
    """Remove data files of history, served and quarantine that are needed by none of these.

    The newest version; a version that a kept manifest pins; one that an unfinished generation is bound to, or an
    unfinished training set; one that was the newest within the retention.

    Args:
        shop: The workshop.
        names: `name@version`, or `name` for every version of it; all that were ever applied when none is named.
        retain: The retention.
        dry_run: Only says what would be removed.
        forgotten: Manifests, by id or file, that hold nothing any longer.

    Raises:
        UsageError: There is no such view, no such manifest is kept, or the retention is negative.
        LeaseHeld: Somebody else writes.
    """
    if retain < timedelta(0):
        raise UsageError("--retain is negative. Give a duration such as 30d, or 0s to keep no old version.")
    chosen = shop.chosen_references(names) or load_applied(shop.heads, shop.settings.project).view_versions
    with shop.leased("vacuum") as lease:
        shop.lease = lease
        ids = tuple(kept_file(shop, one).stem for one in forgotten)
        if not dry_run:
            forget(shop, forgotten)
        manifests = [one for one in kept_manifests(shop) if one.manifest_id not in ids]
        unfinished = [one for one in shop.ledger.generations() if not one.state.is_end]
        holds = (*_of_manifests(manifests), *_of_training_sets(shop), *_of_generations(shop, unfinished))
        # files carry the machine's time, whatever clock the environment has
        wish = _Wish(holds, SystemClock().now_us(), retain, dry_run)
        found = [_table(shop, reference, table, wish) for reference in chosen for table in _TABLES]
    return Vacuumed(tuple(one for one in found if one is not None), ids, dry_run)


def _of_manifests(manifests: Iterable[Manifest]) -> Iterator[Hold]:
    for one in manifests:
        made = f"{from_us(one.created_us):%Y-%m-%d}"
        for pin in one.tables.values():
            who = f"{one.service} of {made} ({one.manifest_id}, version {pin.version})"
            yield Hold(pin.path, pin.table_id, pin.version, who)


def _of_training_sets(shop: Workshop) -> Iterator[Hold]:
    for plan in unfinished_plans(shop):
        begun = json.loads(plan.read_text())
        for pin in (PinnedTable(**told) for told in begun["tables"].values()):
            out = plan.name.removesuffix(UNFINISHED)
            who = f"{begun['asked']['service']}, being written to {out} (version {pin.version})"
            yield Hold(pin.path, pin.table_id, pin.version, who)


def _of_generations(shop: Workshop, unfinished: Iterable[Generation]) -> Iterator[Hold]:
    for one in unfinished:
        folder = _relative(shop, view_folder(shop.settings.root, one.reference))
        for table, version in (("history", one.history_version), ("served", one.served_version)):
            if version >= 0:
                yield Hold(f"{folder}/{table}", None, version, f"unfinished generation {one.number}")


def _relative(shop: Workshop, path: str) -> str:
    return path.removeprefix(shop.settings.root).lstrip("/")


def _table(shop: Workshop, reference: str, table: str, wish: _Wish) -> TableVacuumed | None:
    session, path = shop.session, f"{view_folder(shop.settings.root, reference)}/{table}"
    if not is_table(session, path):
        return None
    shop.say(f"{shop.definitions.short(reference)}: looking through {table}…")
    identity, place = table_id(session, path), _relative(shop, path)
    holds = [one for one in wish.holds if one.path == place and one.table_id in (None, identity)]
    pinned: dict[str, frozenset[str]] = {}
    gone = []
    for hold in holds:
        try:
            pinned[hold.who] = needed_files(session, path, hold.version)
        except VersionGone as why:
            gone.append(f"{hold.who}: {why}")
    newest = needed_files(session, path, head_version(session, path))
    listed = listed_files(session, path)
    gone += [f"{who}: {len(lost)} files are gone" for who, files in pinned.items() if (lost := files - listed.keys())]
    plan = plan_vacuum(
        TableFiles(listed, newest, dropped_files(session, path), pinned),
        before_ms=(wish.now_us - duration_us(wish.retain)) // 1_000,
    )
    if plan.going and not wish.dry_run:
        if shop.lease is not None:
            shop.lease.check()
        remove_files(session, path, plan.going)
    return TableVacuumed(
        view=reference,
        table=table,
        files=len(plan.going),
        bytes=plan.going_bytes,
        held=len(plan.held),
        held_bytes=plan.held_bytes,
        holders=plan.holders,
        gone=tuple(gone),
        prolonged_days=_prolonged(shop, path, holds, wish),
    )


def _prolonged(shop: Workshop, path: str, holds: Iterable[Hold], wish: _Wish) -> int | None:
    """Keep held versions readable: Delta refuses those that are older than its table says, and cleans its log."""
    session = shop.session
    made = [time_us for one in holds if (time_us := commit(session, path, one.version).time_us) is not None]
    if not made:
        return None
    age, horizon = from_us(wish.now_us) - from_us(min(made)), shop.settings.horizon
    wanted = longer_retention(age.days, now_days=retention_days(session, path), horizon_days=horizon // days(1))
    if wanted is not None and not wish.dry_run:
        keep_readable(session, path, days=wanted)
    return wanted
