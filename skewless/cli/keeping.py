"""rebuild, vacuum: training sets made again, and the files that they need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from skewless.cli.desk import Desk
from skewless.cli.options import Text
from skewless.cli.output import Part, Table
from skewless.cli.reading import check_out, check_spine
from skewless.core.manifest import format_of
from skewless.core.time import parse_duration
from skewless.errors import UsageError

if TYPE_CHECKING:
    from skewless.flows.vacuum import Vacuumed

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def rebuild(
    desk: Desk,
    manifest: Annotated[str, typer.Argument(metavar="MANIFEST", help="<path>.manifest.json, or the id of one.")],
    *,
    verify: Annotated[bool, typer.Option("--verify", help="Compare only; nothing is written.")] = False,
    out: Annotated[Text, typer.Option(metavar="PATH", help="Where the rows go; Parquet if it ends so.")] = None,
    spine: Annotated[Text, typer.Option(metavar="PATH", help="The spine, when the manifest says of no place.")] = None,
) -> None:
    """Make a training set again from its manifest: the same rows, bit for bit, or the reason why not.

    Later corrections, rollbacks, OPTIMIZE, new versions of views and `skewless vacuum` change nothing. If rows
    differ or a version can no longer be read, the exit code is 14; the first differing cell and its cause are named.

    For example:

        skewless rebuild churn.manifest.json --verify
        skewless rebuild churn.manifest.json --out churn_again
    """
    if verify == (out is not None):
        raise UsageError("Give one of --verify (compare only) and --out PATH (write the rows).")
    _check(desk, manifest, spine, out)
    made = desk.store.rebuild(manifest, spine)
    found = made.manifest
    path = None
    if out is not None:
        path = str(made.write(out, file_format=format_of(out)))
    line = f"Equal: {found.rows:,} rows, {len(found.features)} features, content hash {found.content_hash}"
    payload = {"equal": True, "path": out, "manifest_path": path, "manifest": found.to_json()}
    desk.show(payload, [line, *([] if path is None else [f"written to {out}, manifest {path}"])])


def vacuum(
    desk: Desk,
    views: Annotated[list[str] | None, typer.Argument(metavar="VIEW", help="NAME or NAME@2; all ever applied.")] = None,
    *,
    retain: Annotated[
        str, typer.Option(metavar="DURATION", help="How long a version outlives its end; below 1d if nobody reads.")
    ] = "30d",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
    forget: Annotated[
        list[str] | None,
        typer.Option(metavar="MANIFEST", help="Id or file of one that holds nothing more. Repeatable."),
    ] = None,
) -> None:
    """Remove data files that no version needs any more, and show which are held for which training set.

    Held are the newest version, every version that the manifest of a training set pins, what an unfinished run needs,
    and whatever was the newest within --retain. Rows are never touched.

    For example:

        skewless vacuum --dry-run
        skewless vacuum --forget 20171009T120000-3fa2c1
    """
    length = parse_duration(retain)
    checked = desk.shop.chosen_references(views or ())
    for name in forget or ():
        _check_manifest(desk, name)
    found = desk.store.vacuum(*checked, retain=length, dry_run=dry_run, forget=tuple(forget or ()))
    desk.show({"vacuum": found.to_json()}, _told(found))


def _check(desk: Desk, manifest: str, spine: str | None, out: str | None) -> None:
    """Refuse what cannot be read or must not be replaced, before Spark starts."""
    from skewless.flows.manifests import named_manifest

    place = named_manifest(desk.shop, manifest).spine.get("path")
    if spine is not None:
        check_spine(spine)
        place = spine
    if out is None:
        return
    check_out(out, spine=place)


def _check_manifest(desk: Desk, name: str) -> None:
    from skewless.flows.manifests import kept_file

    kept_file(desk.shop, name)


def _told(found: Vacuumed) -> Iterator[Part]:
    removed = "would be removed" if found.dry_run else "removed"
    rows = [
        [
            one.view,
            one.table,
            *(f"{one.files:,}", _size(one.bytes), f"{one.held:,}", _size(one.held_bytes)),
            ", ".join(one.holders) or "-",
        ]
        for one in found.tables
    ]
    if rows:
        yield Table(["view", "table", removed, "bytes", "held", "bytes", "for"], rows)
    for one in found.tables:
        yield from (f"{one.view} {one.table}: cannot be read any more: {gone}" for gone in one.gone)
        if one.prolonged_days is not None:
            yield f"{one.view} {one.table}: versions stay readable for {one.prolonged_days} days."
    total = sum(one.files for one in found.tables)
    yield f"{total:,} files ({_size(sum(one.bytes for one in found.tables))}) {removed}."
    if found.forgotten:
        yield f"Forgotten: {', '.join(found.forgotten)}{' (not yet: a dry run)' if found.dry_run else ''}."


def _size(count: int) -> str:
    size, unit = float(count), 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"
