"""windows: what is tried before it becomes a feature."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skewless.cli.desk import Desk
from skewless.cli.reading import check_spine
from skewless.core.manifest import format_of
from skewless.core.view import WindowView
from skewless.errors import UsageError


def windows(
    desk: Desk,
    view: Annotated[
        str, typer.Argument(metavar="VIEW", help="A WindowView: NAME is its newest version, NAME@1 another.")
    ],
    *,
    spine: Annotated[str, typer.Option(metavar="PATH", help="Delta table, Parquet or CSV: keys, time, label, …")],
    out: Annotated[str, typer.Option(metavar="PATH", help="Where the rows go; Parquet if it ends so, else Delta.")],
    time_column: Annotated[str, typer.Option(metavar="COLUMN", help="The spine's observation time.")] = "timestamp",
) -> None:
    """Evaluate a view's windows at the times of a spine, each `[T - over, T)`; no run and no schedule is needed.

    By event time: the source is read as it is now, with late rows and corrections that were not known at T. What a
    model is trained on comes from `skewless train`.

    For example:

        skewless windows household_spend --spine labels.parquet --out tried.parquet
    """
    _check_places(spine, out)
    found = desk.shop.definitions.view(view)
    if not isinstance(found, WindowView):
        raise UsageError(f"View '{view}' has no windows, it is a {found.kind} view. Name a WindowView.")
    told = desk.store.window_values(view, spine, time_column=time_column)
    file_format = format_of(out)
    told.write.format(file_format).save(out)
    rows = desk.store.session.read.format(file_format).load(out).count()
    desk.show(
        {"path": out, "rows": rows, "view": found.reference, "columns": list(found.feature_names)},
        [f"{rows:,} rows, {len(found.feature_names)} windows of {view}, by event time: {out}"],
    )


def _check_places(spine: str, out: str) -> None:
    """Refuse what cannot be read or must not be replaced, before Spark starts."""
    check_spine(spine)
    place = Path(out)
    if "://" not in out and place.exists() and (place.is_file() or any(place.iterdir())):
        raise UsageError(f"'{out}' exists. Remove it, or name another place.")
