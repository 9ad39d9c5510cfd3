"""What the offline join needs of a service, pinned: tables at versions, timeline, newest generation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from skewless.core.manifest import PinnedTable
from skewless.core.service import FeatureService
from skewless.core.timeline import Timeline
from skewless.core.view import FeatureView
from skewless.flows.workshop import Workshop
from skewless.spark.dtypes import spark_schema
from skewless.spark.exact import arrived, leaving
from skewless.spark.point_in_time.inputs import SortedRows, ViewValues, of_entities
from skewless.spark.point_in_time.join import joined
from skewless.spark.point_in_time.using import WINDOW, Using
from skewless.spark.read import head_version, is_table, table_id
from skewless.spark.sorted_copy import sorted_rows
from skewless.spark.value_tables import ValueTables

#: Stands for a table that was not there when the manifest was made.
_MISSING = PinnedTable("", "", -1)


@dataclass(frozen=True, slots=True)
class Pins:
    """A service's inputs at one moment.

    Attributes:
        service: The service.
        views: Its views.
        values: What the join reads.
        tables: `view/history` and `view/served` → the version that is read.
        timeline: The timeline.
    """

    service: FeatureService
    views: tuple[FeatureView, ...]
    values: tuple[ViewValues, ...]
    tables: dict[str, PinnedTable]
    timeline: Timeline

    def join(self, spine: DataFrame, *, time_column: str, as_served: bool, using: Using = WINDOW) -> DataFrame:
        """Join the service's features to a spine."""
        return joined(spine, self.values, time_column=time_column, as_served=as_served, using=using)

    def collected(self, answered: DataFrame, *others: str) -> list[tuple[Row, dict[str, dict[str, Any]]]]:
        """Bring joined rows to the driver; a spine of few rows only.

        Args:
            answered: What `join` gave.
            others: Further columns to bring.

        Returns:
            Per row: the further columns, and view → the fields of its answer, `values` exact to the bit.
        """
        features = {one.view.name: one.features for one in self.values}
        exact = (
            F.col(name).withField("values", leaving(dtypes, F.col(name)["values"])).alias(name)
            for name, dtypes in features.items()
        )
        found = []
        for row in answered.select(*others, *exact).collect():
            answers = {name: row[name].asDict(recursive=True) for name in features}
            told = {name: {**one, "values": arrived(features[name], one["values"])} for name, one in answers.items()}
            found.append((row, told))
        return found

    def at(self, instant_us: int) -> Pins:
        """The same inputs as known at an instant: "newest" is the generation that readers were told to use then."""
        values = []
        for one in self.values:
            told = [step for step in one.steps if step.from_us <= instant_us]
            values.append(replace(one, newest=told[-1] if told else None))
        return replace(self, values=tuple(values))

    def prepared(self, shop: Workshop) -> Pins:
        """The same inputs, with what makes large joins quicker: sorted copies, and whether statements are withdrawn."""
        # of a generation that the ledger had lost nothing is known
        harmless = {
            (one.reference, one.number) for one in shop.ledger.generations() if one.counts.get("retracted") == 0
        }

        def copy(one: ViewValues, name: str) -> SortedRows | None:
            pin = self.tables.get(f"{one.view.name}/{name}")
            return None if pin is None else sorted_rows(shop.tables(one.view), name, pin.version)

        values = (
            replace(
                one,
                withdraws=any((one.view.reference, number) not in harmless for number in one.published),
                sorted_history=copy(one, "history"),
                sorted_served=copy(one, "served"),
            )
            for one in self.values
        )
        return replace(self, values=tuple(values))

    def of_entities(self, few: DataFrame) -> Pins:
        """The same inputs, of the entities of a small frame only."""

        def cut(view: FeatureView, rows: DataFrame) -> DataFrame:
            return of_entities(rows, few, view.entity.key_names)

        values = tuple(
            replace(one, history=cut(one.view, one.history), served=cut(one.view, one.served)) for one in self.values
        )
        return replace(self, values=values)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a manifest says of inputs.

    Attributes:
        views: The views as they were applied then.
        tables: `view/history` and `view/served` → the version that was read; a table that was not there is missing.
    """

    views: tuple[FeatureView, ...]
    tables: Mapping[str, PinnedTable]


def pinned(shop: Workshop, service: FeatureService, timeline: Timeline, *, recorded: Recorded | None = None) -> Pins:
    """Fix the versions that a join reads.

    Args:
        shop: The workshop.
        service: The service.
        timeline: The timeline that g(T) is taken from.
        recorded: What to read; None takes the service's views as they are defined, and the newest versions.
    """
    views = shop.definitions.views_of(service) if recorded is None else recorded.views
    tables: dict[str, PinnedTable] = {}
    values = []
    for view in views:
        offline = shop.tables(view)
        steps = timeline.steps(view.reference)
        frames = {}
        for name, path in (("history", offline.history), ("served", offline.served)):
            at = None if recorded is None else recorded.tables.get(f"{view.name}/{name}", _MISSING)
            frames[name], pin = _frame(shop, offline, path, at)
            tables |= {f"{view.name}/{name}": pin} if pin is not None else {}
        values.append(
            ViewValues(
                view=view,
                history=frames["history"],
                served=frames["served"],
                published=frozenset(step.pointer.generation for step in steps),
                steps=steps,
                newest=steps[-1] if steps else None,
                revisions=tuple((one.visible_from_us, one.number) for one in timeline.revisions),
                asked=service.features_of(view.name),
            )
        )
    return Pins(service, views, tuple(values), tables, timeline)


def view_facts(shop: Workshop, pins: Pins) -> dict[str, dict[str, Any]]:
    """What a manifest says of each view."""
    applied = shop.applied()
    return {
        one.view.name: {
            "version": one.view.version,
            "fingerprint": shop.fingerprint(one.view, applied),
            "availability_delay_us": one.view.delay_us,
            "newest_generation": one.newest.pointer.generation if one.newest is not None else None,
        }
        for one in pins.values
    }


def _frame(
    shop: Workshop, tables: ValueTables, path: str, at: PinnedTable | None
) -> tuple[DataFrame, PinnedTable | None]:
    if at is _MISSING or not is_table(shop.session, path):
        return shop.session.createDataFrame([], spark_schema(tables.columns(PurePosixPath(path).name))), None
    version = head_version(shop.session, path) if at is None else at.version
    relative = path.removeprefix(shop.settings.root).lstrip("/")
    return tables.read(path, version), PinnedTable(relative, table_id(shop.session, path), version)
