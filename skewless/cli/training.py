"""train: a training set on disk, with its manifest and its page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from skewless.cli.desk import Desk
from skewless.cli.options import Service, Text, instant
from skewless.cli.reading import check_out, check_spine
from skewless.cli.registered import keys_of_service
from skewless.core.split import Split
from skewless.errors import UsageError

if TYPE_CHECKING:
    from skewless.flows.write_training_set import Progress, Written

_JOINS = ("as-served", "event-time", "as-known")


def train(
    desk: Desk,
    service: Service,
    *,
    spine: Annotated[str, typer.Option(metavar="PATH", help="Delta table, Parquet or CSV: keys, time, label, …")],
    out: Annotated[str, typer.Option(metavar="PATH", help="Where the rows go; Parquet if it ends so, else Delta.")],
    join: Annotated[str, typer.Option(metavar="JOIN", help="as-served, event-time or as-known.")] = "as-served",
    known_at: Annotated[Text, typer.Option(metavar="T", help="Of as-known: what readers were told then.")] = None,
    time_column: Annotated[str, typer.Option(metavar="COLUMN", help="The spine's observation time.")] = "timestamp",
    label: Annotated[Text, typer.Option(metavar="COLUMN", help="Tell how often each value of it occurs.")] = None,
    split: Annotated[Text, typer.Option(metavar="SPLIT", help="time:2017-10-01, key:0.2 or key:user_id:0.2.")] = None,
    status: Annotated[bool, typer.Option("--status", help="Add `view__feature__status` columns.")] = False,
    leaks: Annotated[
        bool, typer.Option("--leaks", help="Tell what a join by event time would have leaked; joins once more.")
    ] = False,
    slices: Annotated[int | None, typer.Option(metavar="N", min=1, help="Write N slices; default by rows.")] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Throw away what was begun there, and begin anew.")
    ] = False,
    engine: Annotated[str, typer.Option(metavar="ENGINE", help="auto, window (any size), bucket.")] = "auto",
) -> None:
    """Join features to a spine, each row as it was served at its time; nothing from the future leaks.

    Read: the spine (the keys of the service's views, an observation time in UTC, whatever else) and what was
    materialized and published of the views. Every row of the spine comes back once, its columns untouched, then one
    column `view__feature` per feature.

    Written: the rows; `<out>.manifest.json`, by which they are made again bit for bit; `<out>.summary.html`, a page
    about coverage, ages and balance, which says first whether anything needs a look. The manifest is written last:
    rows without one are not finished.

    Joins:

        as-served   what a service was given at the row's time; before the first publish, what it would have been
                    given (simulated, and counted as such)
        event-time  the newest history at the row's time; it leaks late and corrected values
        as-known    the history that readers were told to use at --known-at: an older study, made again

    Splits: `time:T` trains on rows before T and tests on the others; `key:0.2` tests on a fifth of the keys, by a hash
    that never changes; `key:user_id:0.2` goes by one key column. The column is named `split`.

    Killed or interrupted, the same command goes on where it was, and reads what it began with, whatever was published
    since. Progress goes to stderr, the result to stdout.

    Exit codes:

         0  written                             12  another process writes there
         2  the spine, an option or the place   75  the online store does not answer; try again
            cannot be used; nothing was written

    For example:

        skewless train churn_v1 --spine labels.parquet --out churn.parquet --label churned --split key:0.2
        skewless train churn_v1 --spine labels.csv --time-column seen_at --out churn --status --leaks
        skewless train churn_v1 --spine labels.parquet --out older --join as-known --known-at 2017-10-09T12:00Z
    """
    if join not in _JOINS:
        raise UsageError(f"Join '{join}' does not exist. Use one of {', '.join(_JOINS)}.")
    check_spine(spine)
    check_out(out, spine=spine)
    keys_of_service(desk.shop, service)
    if split is not None:
        Split.parse(split)
    known = instant(known_at)
    if (join == "as-known") != (known is not None):
        raise UsageError("--join as-known needs --known-at T, and no other join takes it.")

    def tell(progress: Progress) -> None:
        desk.output.advance(progress.slices, progress.of_slices, progress.line)

    made = desk.store.write_training_set(
        service,
        spine,
        out,
        join=join,
        known_at=known,
        time_column=time_column,
        with_status=status,
        engine=engine,
        split=split,
        label=label,
        slices=slices,
        leaks=leaks,
        restart=restart,
        tell=tell,
    )
    payload = {"path": out, "manifest_path": str(made.manifest_path), "summary_path": str(made.summary_path)}
    leaked = {} if made.leaks is None else {"leaks": made.leaks.to_json()}
    desk.show(payload | {"manifest": made.manifest.to_json()} | leaked, _told(out, made))


def _told(out: str, made: Written) -> Iterator[str]:
    manifest = made.manifest
    yield f"{manifest.rows:,} rows, {len(manifest.features)} features, {manifest.mode}: {out}"
    for view, counts in manifest.counts.items():
        yield f"  {view}: {', '.join(f'{name}: {count:,}' for name, count in counts.items() if count)}"
    if manifest.split:
        yield f"split {manifest.split['by']}: " + ", ".join(
            f"{n:,} {side}" for side, n in manifest.split["rows"].items()
        )
    yield made.headline
    yield f"content hash {manifest.content_hash}"
    yield f"manifest {made.manifest_path}"
    yield f"summary {made.summary_path}"


def manual_as(name: str) -> str:
    """The manual of `train`, for a program of another name."""
    return (train.__doc__ or "").replace("skewless train", name)
