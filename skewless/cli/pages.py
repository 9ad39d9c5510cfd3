"""report and status: how things stand, as pages and as lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from skewless.cli.desk import Desk
from skewless.cli.options import Views
from skewless.cli.output import Part, Table, cell
from skewless.core.time import format_instant, from_us

if TYPE_CHECKING:
    from skewless.cli.standing import Standing, ViewStanding


def report(desk: Desk, views: Views = None) -> None:
    """Build the data-quality report: static pages that need no network; prints where they begin.

    For example:

        skewless report
        skewless report household_spend
    """
    page = desk.store.report(*desk.checked(views))
    desk.show({"path": str(page)}, [f"Report: {page}"])


def status(desk: Desk) -> None:
    """Say how the environment stands: clock, revision, each view against its schedule, and what is unfinished.

    Needs no Spark and starts nothing: when the local node does not run, run records answer in its place.

    For example:

        skewless status
        skewless status --json
    """
    from skewless.cli.standing import standing

    found = standing(desk.shop)
    desk.show(asdict(found), _told(found))


def _told(found: Standing) -> Iterator[Part]:
    yield f"{found.project} ({found.env}), {format_instant(found.now)} by the {found.clock} clock"
    yield f"definitions: {_applied(found)}"
    yield f"online store: {found.online}"
    since = "" if found.visible_from is None else f", visible since {format_instant(found.visible_from)}"
    place = "" if found.pointers_from == "online" else " (from run records; a rollback would not show)"
    yield f"revision: {cell(found.revision)}{since}{place}"
    if found.views:
        yield ""
        columns = ("view", "version", "generation", "through", "against schedule", "last run", "at")
        yield Table(columns, [_row(view) for view in found.views])
        yield ""
    yield from (f"kept: {view} is not refreshed any more; clients that pin it still read it" for view in found.kept)
    yield from (f"unfinished: {line}" for line in found.unfinished)
    for one in found.certificates:
        verdict = "equal" if not one["mismatches"] else f"{one['mismatches']:,} MISMATCHES"
        when = format_instant(from_us(one["at_us"]))
        yield f"parity: {one['service']} at revision {one['revision']}, {one['sampled']:,} entities: {verdict} ({when})"
    if not found.certificates:
        yield "parity: no certificate yet. Run `skewless parity`."


def _applied(found: Standing) -> str:
    if found.applied_at is None:
        return "nothing was applied yet. Run `skewless apply`."
    return (
        f"head {found.applied}, applied {format_instant(found.applied_at.replace(microsecond=0))} by {found.applied_by}"
    )


def _row(view: ViewStanding) -> list[str]:
    against = {None: "unpublished", 0: "up to date", 1: "1 tick behind"}.get(
        view.ticks_behind, f"{view.ticks_behind} ticks behind"
    )
    through, last_at = (None if at is None else format_instant(at) for at in (view.through, view.last_at))
    behind = f"{against}, rolled back" if view.rolled_back else against
    cells = (view.view, f"v{view.version}", view.generation, through, behind, view.last_outcome, last_at)
    return [cell(value) for value in cells]
