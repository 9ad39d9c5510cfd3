"""land, run, materialize, validate, push, publish, backfill, rollback, revert, optimize: what writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from skewless.cli.desk import Desk
from skewless.cli.options import Accept, Now, Through, Views, instant, reasons
from skewless.cli.output import Part, Table, cell
from skewless.core.reference import short_reference
from skewless.core.run_record import RunRecord, ViewOutcome
from skewless.core.time import format_instant, from_us, parse_duration
from skewless.errors import UsageError


def land(
    desk: Desk,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A source of the definitions.")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="A CSV, JSON or Parquet file or folder.")],
    mode: Annotated[str, typer.Option(metavar="MODE", help="append, upsert or delete.")] = "append",
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Identifies a row, for upsert and delete. Repeatable."),
    ] = None,
) -> None:
    """Bring a file into a source's Delta table, as one new version.

    Append adds the rows; upsert replaces those of equal keys and adds the rest; delete removes those of equal keys.

    For example:

        skewless land transactions new.parquet
        skewless land transactions fixed.csv --mode upsert --key basket_id --key product_id
    """
    if "://" not in file and not Path(file).exists():
        raise UsageError(f"There is no file '{file}'. Correct the path.")
    rows = desk.store.land(source, file, mode=mode, keys=tuple(key or ()))
    desk.show({"source": source, "rows": rows, "mode": mode}, [f"{source}: {rows:,} rows landed ({mode})."])


def run(desk: Desk, views: Views = None, through: Through = None, now: Now = None, accept: Accept = None) -> None:
    """Materialize, validate, push and publish views in one revision.

    Readers see all of it or nothing. When the gate refuses a view, nothing becomes visible (exit code 10); when no
    source changed and no tick came due, nothing is done (11); when published values or the ledger were changed from
    outside, nothing is built on them (14). A killed run is settled by the next one.

    For example:

        skewless run
        skewless run household_spend --through 2017-10-02
        skewless run --accept 'breaker.null_rate_jump=tills were closed on Sunday'
    """
    store, checks = desk.store, reasons(accept)
    _show_record(desk, store.run(*desk.checked(views), through=instant(through), now=instant(now), accept=checks))


def materialize(desk: Desk, views: Views = None, through: Through = None, now: Now = None) -> None:
    """Compute what is due into history, as invisible generations.

    For example:

        skewless materialize household_spend --through 2017-10-02
    """
    record = desk.store.run_stage("materialize", *desk.checked(views), through=instant(through), now=instant(now))
    _show_record(desk, record)


def validate(desk: Desk, views: Views = None, now: Now = None, accept: Accept = None) -> None:
    """Let the gate judge what was materialized; refused values go no further (exit code 10).

    For example:

        skewless validate household_spend
    """
    record = desk.store.run_stage("validate", *desk.checked(views), now=instant(now), accept=reasons(accept))
    _show_record(desk, record)


def push(
    desk: Desk,
    views: Views = None,
    now: Now = None,
    full: Annotated[bool, typer.Option("--full", help="Everything published, into a store that lost it.")] = False,
) -> None:
    """Write what was validated into the online store and read it back; readers do not see it yet.

    With --full all that the retained revisions can see is sent again, and a lost timeline is restored: for an online
    store that was emptied.

    For example:

        skewless push household_spend
        skewless push --full
    """
    if full:
        _refill(desk, desk.checked(views), now)
        return
    _show_record(desk, desk.store.run_stage("push", *desk.checked(views), now=instant(now)))


def _refill(desk: Desk, views: Sequence[str], now: str | None) -> None:
    if views:
        raise UsageError("--full takes all views: the timeline that it restores names all of them.")
    desk.store.move_clock(instant(now))
    found = desk.store.refill()
    rows = [[desk.shop.definitions.short(view), f"{count:,}"] for view, count in found.rows.items()]
    did = "The timeline was restored. " if found.is_restored else ""
    readable = f"Revisions {found.oldest} to {found.revision} can be read."
    told: list[Part] = [Table(("view", "rows"), rows), f"{did}{readable} {found.seconds:.1f} s."]
    if found.left_out:
        told.append(f"Not sent, because they are not defined any longer: {', '.join(found.left_out)}.")
    desk.show(found.to_json(), told)


def publish(desk: Desk, views: Views = None, now: Now = None) -> None:
    """Make what was pushed visible, in one revision.

    For example:

        skewless publish household_spend
    """
    _show_record(desk, desk.store.run_stage("publish", *desk.checked(views), now=instant(now)))


def backfill(
    desk: Desk,
    view: Annotated[str, typer.Argument(metavar="VIEW", help="A view: NAME is its newest version, NAME@1 another.")],
    start: Annotated[str | None, typer.Option(metavar="T", help="First tick; default where the view begins.")] = None,
    end: Annotated[str | None, typer.Option(metavar="T", help="Last tick, included; default where it ends.")] = None,
    chunk: Annotated[str, typer.Option(metavar="DURATION", help="Length of a chunk: 90d, 12h.")] = "90d",
    give_up: Annotated[bool, typer.Option("--give-up", help="Abandon a backfill that has not ended.")] = False,
    now: Now = None,
    accept: Accept = None,
) -> None:
    """Evaluate a range of a view's past, chunk by chunk, and publish what differs from its history.

    Fills a view that has none, extends one whose `start` was moved back, repairs one. Each chunk is kept: killed, the
    same command goes on where it was. Until it has ended, the view takes part in no run.

    For example:

        skewless backfill household_spend
        skewless backfill household_spend --start 2017-01-01 --end 2017-06-30 --chunk 30d
        skewless backfill household_spend --give-up
    """
    [name] = desk.checked([view])
    record = desk.store.backfill(
        name,
        start=instant(start),
        end=instant(end),
        chunk=parse_duration(chunk),
        give_up=give_up,
        now=instant(now),
        accept=reasons(accept),
    )
    _show_record(desk, record)


def rollback(
    desk: Desk,
    views: Views = None,
    to: Annotated[
        int | None, typer.Option(metavar="REV", help="The revision; default the newest with older values.")
    ] = None,
    now: Now = None,
) -> None:
    """Point views at what an earlier revision said of them; no data move.

    Without --to, every view goes back to what it was before its newest values. A later revision rolls forward again.
    Views that stand rolled back refuse to run until then. NAME@1 moves one version of a view, NAME all of them.

    For example:

        skewless rollback
        skewless rollback household_spend --to 3
        skewless rollback household_spend@2
    """
    revision = desk.store.rollback(*(views or ()), to=to, now=instant(now))
    since = format_instant(from_us(revision.visible_from_us))
    payload = {
        "revision": revision.number,
        "kind": revision.kind,
        "visible_from": from_us(revision.visible_from_us),
        "views": {
            view: {"generation": one.generation, "through": from_us(one.through_us)}
            for view, one in revision.views.items()
        },
    }
    rows = [
        [short_reference(view, revision.views), str(one.generation), format_instant(from_us(one.through_us))]
        for view, one in revision.views.items()
    ]
    head = f"Revision {revision.number} ({revision.kind}), visible from {since}."
    desk.show(payload, [head, Table(("view", "generation", "through"), rows)])


def revert(
    desk: Desk,
    view: Annotated[str, typer.Argument(metavar="VIEW", help="A view: NAME is its newest version, NAME@1 another.")],
    generation: Annotated[
        list[int] | None,
        typer.Option(metavar="N", help="A bad one; default those rolled back from. Repeatable."),
    ] = None,
    now: Now = None,
    accept: Accept = None,
) -> None:
    """Take bad generations of a view back, for good: a new one restates what was known before them.

    Nothing is removed, and answers of the past stay what they were. The next run looks again at everything that the
    sources brought since; correct a source that is at fault first. To gain time, roll back before.

    For example:

        skewless revert household_spend --generation 1507528800000000
        skewless rollback household_spend; skewless revert household_spend
    """
    desk.checked([view])
    _show_record(desk, desk.store.revert(view, *(generation or ()), now=instant(now), accept=reasons(accept)))


def _show_record(desk: Desk, record: RunRecord) -> None:
    desk.show(record.to_json(), _told(record, desk.shop.definitions.short))


def _told(record: RunRecord, short: Callable[[str], str]) -> Iterator[Part]:
    rows = [[short(one.reference), *_outcome(one)] for one in record.views]
    if rows:
        yield Table(("view", "outcome", "generation", "through", "new rows", "pushed", "seconds"), rows)
    yield f"{record.message} Run {record.run_id}, {record.seconds:.1f} s."


def _outcome(one: ViewOutcome) -> list[str]:
    through = None if one.through_us is None else format_instant(from_us(one.through_us))
    seconds = f"{sum(one.seconds.values()):.1f}" if one.seconds else None
    cells: list[Any] = [one.outcome, one.generation, through, one.counts.get("new"), one.pushed, seconds]
    return [cell(value) for value in cells]


def optimize(desk: Desk, views: Views = None) -> None:
    """Lay history and served out for training joins: few files, and a copy sorted by entity.

    Joins read the copy without a shuffle; rows that came later are read beside it. Values do not change, runs are not
    held up, and a copy is never the truth. Said again, only tables that grew are done. Run it once a day, say.

    For example:

        skewless optimize
        skewless optimize household_spend
    """
    found = desk.store.optimize(*desk.checked(views))
    rows = [
        [one.view, one.table, f"{one.rows:,}", str(one.buckets), str(one.files), "new" if one.is_new else "as it was"]
        for one in found
    ]
    table = Table(("view", "table", "rows", "buckets", "files", "copy"), rows)
    desk.show({"tables": [one.to_json() for one in found]}, [table] if rows else ["There is no table yet."])
