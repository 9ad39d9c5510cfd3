"""optimize: history and served laid out for joins: few files, and a sorted copy of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from skewless.core.view import FeatureView
from skewless.flows.workshop import Workshop
from skewless.spark.compaction import compact
from skewless.spark.read import is_table
from skewless.spark.sorted_copy import find_copy, make_copy
from skewless.spark.value_tables import ValueTables


@dataclass(frozen=True, slots=True)
class LaidOut:
    """What became of a table.

    Attributes:
        view: The view.
        table: history or served.
        rows: Rows of its copy.
        buckets: Into how many the copy lies.
        files: Files that its newest version has.
        compacted: Small files that were put together.
        is_new: False when the copy was as new as the table.
    """

    view: str
    table: str
    rows: int
    buckets: int
    files: int
    compacted: int
    is_new: bool

    def to_json(self) -> dict[str, Any]:
        """Its JSON form."""
        return asdict(self)


def optimize(shop: Workshop, names: Iterable[str]) -> tuple[LaidOut, ...]:
    """Lay out what training joins read, of views or of all.

    Values do not change, and writers are not held up: no lease is taken. Repeated, only what grew since is done.

    Args:
        shop: The workshop.
        names: The views.

    Returns:
        What became of the tables that there are.

    Raises:
        UsageError: There is no such view, or the offline store is no local folder.
    """
    return tuple(found for view in shop.chosen_views(names) for found in _laid_out(shop, view))


def _laid_out(shop: Workshop, view: FeatureView) -> Iterable[LaidOut]:
    tables = shop.tables(view)
    for name in ("history", "served"):
        if is_table(shop.session, getattr(tables, name)):
            shop.say(f"Laying out {name} of {shop.short(view)}…")
            yield _of_table(tables, shop.short(view), name)


def _of_table(tables: ValueTables, view: str, name: str) -> LaidOut:
    compacted = compact(tables.session, getattr(tables, name))
    before, copy = find_copy(tables, name), make_copy(tables, name)
    return LaidOut(view, name, copy.rows, copy.buckets, len(copy.files), compacted, is_new=copy != before)
