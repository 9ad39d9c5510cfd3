"""Why a training set cannot be made again, or comes out as another one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pyspark.sql import DataFrame

from skewless.core.clock import SystemClock
from skewless.core.manifest import Manifest, PinnedTable
from skewless.core.time import days, duration_us, format_instant, from_us
from skewless.errors import ContractBroken
from skewless.flows.train import packages
from skewless.flows.workshop import Workshop
from skewless.spark.commits import Commit, commit
from skewless.spark.differences import first_difference
from skewless.spark.read import is_table, read_at, table_id
from skewless.spark.table_files import VersionGone, listed_files, needed_files, retention_days, vacuums
from skewless.spark.training import content_hash


def refuse_lost_tables(shop: Workshop, manifest: Manifest) -> None:
    """Make sure that what the manifest pins can be read.

    Raises:
        ContractBroken: A table was replaced, or a version of it lost; each is named.
    """
    told = [_lost(shop, f"{name} ({pin.path})", shop.located(pin.path), pin) for name, pin in manifest.tables.items()]
    _refuse(told)


def refuse_lost_spine(shop: Workshop, manifest: Manifest) -> None:
    """Make sure that the spine lies where the manifest says, and of a Delta table that its version can be read.

    Raises:
        ContractBroken: It does not.
    """
    path = str(manifest.spine["path"])
    if manifest.spine.get("version") is None:
        is_there = "://" in path or Path(path).exists()
        _refuse([None if is_there else f"the spine ({path}) is not there any more; give it with --spine PATH"])
        return
    pin = PinnedTable(path, manifest.spine["table_id"], manifest.spine["version"])
    _refuse([_lost(shop, f"the spine ({path})", path, pin)])


def _refuse(told: list[str | None]) -> None:
    lost = [one for one in told if one is not None]
    if lost:
        raise ContractBroken(f"The training set cannot be made again: {'; '.join(lost)}.")


def _lost(shop: Workshop, name: str, path: str, pin: PinnedTable) -> str | None:
    """Why a pinned version cannot be read, in words; None when it can."""
    session = shop.session
    if not is_table(session, path):
        return f"{name} has no table any more; version {pin.version} of it was read"
    found = table_id(session, path)
    if found != pin.table_id:
        return f"{name} was replaced by another table (it was {pin.table_id}, and is {found})"
    try:
        needed = needed_files(session, path, pin.version)
    except VersionGone as gone:
        return f"{name} version {pin.version} cannot be read: {gone}"
    missing = needed - listed_files(session, path).keys()
    if missing:
        when = _lost_when(vacuums(session, path, after=pin.version))
        return (
            f"{name} version {pin.version} cannot be read: {len(missing)} of its {len(needed)} files are gone, {when}"
        )
    return _too_old(shop, name, path, pin.version)


def _lost_when(ended: list[Commit]) -> str:
    """Delta's log tells of each VACUUM when it ended, and how many files it removed, not which."""
    told = [format_instant(from_us(one.time_us).replace(microsecond=0)) for one in ended if one.time_us is not None]
    if not told:
        return "and Delta's log tells of no VACUUM"
    if len(told) == 1:
        return f"removed by the VACUUM of {told[0]}"
    return f"removed by one of {len(told)} VACUUMs, the first of {told[0]}, the last of {told[-1]}"


def _too_old(shop: Workshop, name: str, path: str, version: int) -> str | None:
    kept = retention_days(shop.session, path)
    made_us = commit(shop.session, path, version).time_us
    # Delta dates by the machine's clock, whatever clock the environment has
    if made_us is None or SystemClock().now_us() - made_us < duration_us(days(kept)):
        return None
    return (
        f"{name} version {version} is older than the {kept} days for which Delta reads versions of this table; "
        "`skewless vacuum` prolongs that for versions that a manifest holds"
    )


def causes(shop: Workshop, then: Manifest, now: Manifest) -> list[str]:
    """What else was than it was, in words; at least one."""
    found = [*_of_spine(then, now), *_of_timeline(shop, then, now), *_of_code(then)]
    return found or ["no recorded input changed: a file was changed behind Delta's back, or this is a defect"]


def _of_spine(then: Manifest, now: Manifest) -> Iterator[str]:
    if then.spine["content_hash"] != now.spine["content_hash"]:
        place = now.spine.get("path", "the given frame")
        yield f"the spine changed ({place}: {then.spine['rows']} rows then, {now.spine['rows']} now)"


def _of_timeline(shop: Workshop, then: Manifest, now: Manifest) -> Iterator[str]:
    last, found = then.timeline["last_revision"], now.timeline["last_revision"]
    place = shop.ledger.path("timeline")
    if last != found:
        yield f"the timeline changed ({place}: it went to revision {last}, and goes to {found} of these now)"
    elif then.timeline.get("digest", now.timeline["digest"]) != now.timeline["digest"]:
        yield f"the timeline changed ({place}: its revisions up to {last} say something else of these views)"


def _of_code(then: Manifest) -> Iterator[str]:
    installed = packages()
    moved = [
        f"{name} {was} → {installed.get(name)}" for name, was in then.packages.items() if was != installed.get(name)
    ]
    if moved:
        yield f"the code changed ({', '.join(moved)})"


def first_cell(shop: Workshop, manifest: Manifest, now: DataFrame, *, keys: Iterable[str]) -> str:
    """The first cell that differs from what was written then, in words.

    Args:
        shop: The workshop.
        manifest: Of then.
        now: The rows of now.
        keys: The key columns; with the observation time they say which row is which.
    """
    then = _written(shop, manifest)
    if isinstance(then, str):
        return f"unknown, {then}"
    found = first_difference(then, now, by=[*keys, manifest.time_column])
    if found is None:
        return "none in the columns that both have"
    row = " ".join(f"{name}={value}" for name, value in found.row.items())
    if not found.column:
        return f"{row} has {found.then} rows then, {found.now} now"
    return f"{row} {found.column}: {found.then} then, {found.now} now"


def _written(shop: Workshop, manifest: Manifest) -> DataFrame | str:
    """The rows that were written then; or why they cannot be had."""
    path, version = manifest.output.get("path"), manifest.output.get("version")
    if path is None:
        return "the rows of then were not written"
    if version is not None:
        pin = PinnedTable(path, table_id(shop.session, path), version) if is_table(shop.session, path) else None
        if pin is None or _lost(shop, "it", path, pin) is not None:
            return f"the rows of then no longer lie at {path}"
        rows = read_at(shop.session, path, version)
    elif "://" not in path and not Path(path).exists():
        return f"the rows of then no longer lie at {path}"
    else:
        rows = shop.session.read.parquet(path)
    return rows if content_hash(rows) == manifest.content_hash else f"the rows at {path} are no longer those of then"
