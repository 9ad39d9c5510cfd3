"""The cases. A further one is a function from a bench to its methods, with a name in `CASES`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial

from bench_windows_case import Sizes, WindowsCase
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from point_in_time_bench import feast_shape
from point_in_time_bench.case import Case
from point_in_time_bench.data import Drawn, Inputs
from point_in_time_bench.figures import AS_SERVED, FLOOR, sizes
from point_in_time_bench.methods import Method, SparkMethod
from point_in_time_bench.peers import Peers
from skewless.spark.point_in_time.inputs import ViewValues
from skewless.spark.point_in_time.join import joined
from skewless.spark.point_in_time.using import Engine, using_of


@dataclass
class Bench:
    """What cases are made of.

    Attributes:
        drawn: Makes tables.
        peers: Makes methods of other stores.
        options: The command's.
        roots: Spark's process.
    """

    drawn: Drawn
    peers: Peers
    options: argparse.Namespace
    roots: tuple[int, ...]

    @property
    def session(self) -> SparkSession:
        """Spark."""
        return self.drawn.session

    @cached_property
    def spine(self) -> DataFrame:
        """The labels that most cases share."""
        return self.drawn.labels("labels", self.options.labels, salt=1)

    @cached_property
    def table(self) -> ViewValues:
        """The view that most cases share."""
        return self.drawn.view("one", self.options.rows, salt=2)

    def case(self, methods: Iterator[Method]) -> Case:
        """A case of these methods."""
        return Case(list(methods), self.options.rounds, self.options.patience)

    def method(self, name: str, group: str, rows: Callable[[], DataFrame]) -> SparkMethod:
        """A method in the bench's session."""
        return SparkMethod(name, group, self.session, rows, self.roots)

    def own(self, inputs: Inputs) -> Iterator[Method]:
        """The floor, then every engine in both modes."""
        yield self.method(FLOOR, "", partial(floor, inputs))
        for prefix, as_served in (("", False), (AS_SERVED, True)):
            for engine in Engine:
                rows = partial(product, inputs, engine, as_served=as_served)
                yield self.method(f"{prefix}{engine.value}", prefix or "event_time", rows)

    def all(self, inputs: Inputs) -> Iterator[Method]:
        """The product's own, then other stores, which know event time only."""
        yield from self.own(inputs)
        yield from self.peers.of(inputs, group="event_time")
        if "feast" in self.peers.names and self.peers.installed.missing:
            shape = partial(feast_shape.joined, inputs.spine, inputs.values)
            yield self.method("feast_sql_shape", "event_time", shape)


def floor(inputs: Inputs) -> DataFrame:
    """The same columns and rows, brought together by key and sorted by time."""
    rows = inputs.spine.select("user_id", F.col("timestamp").alias("event_timestamp"), F.struct("label").alias("s"))
    for place, one in enumerate(inputs.values):
        cells = F.struct(*one.features, "_gen", "_flag").alias(f"v{place}")
        part = one.history.select("user_id", "event_timestamp", cells)
        rows = rows.unionByName(part, allowMissingColumns=True)
    return rows.repartition("user_id").sortWithinPartitions("user_id", "event_timestamp")


def product(inputs: Inputs, engine: Engine, *, as_served: bool) -> DataFrame:
    """The product's join."""
    spine, values = inputs.spine, inputs.values
    using = using_of(engine, spine, values, "timestamp")
    told = joined(spine, values, time_column="timestamp", as_served=as_served, using=using)
    columns = (
        F.col(f"{one.view.name}.values.{name}").alias(f"{one.view.name}__{name}")
        for one in values
        for name in one.features
    )
    return told.select(*spine.columns, *columns)


def one_table(bench: Bench) -> Iterator[Method]:
    """Labels × one table of five features."""
    return bench.all(Inputs(bench.spine, [bench.table]))


def pruned(bench: Bench) -> Iterator[Method]:
    """A thousandth of the labels: what cuts before the shuffle save."""
    few = bench.drawn.few(bench.spine, max(bench.options.labels // 1000, 1))
    return bench.all(Inputs(few, [bench.table]))


def skew(bench: Bench) -> Iterator[Method]:
    """One entity has 8 % of all rows."""
    drawn, options = bench.drawn, bench.options
    hot = drawn.view("hot", options.rows, salt=3, hot=0.08)
    return bench.all(Inputs(drawn.labels("hot_labels", options.labels, salt=4, hot=0.08), [hot]))


def five_tables(bench: Bench) -> Iterator[Method]:
    """Labels × five tables of a fifth of the rows, 25 features."""
    rows = bench.options.rows // 5
    return bench.all(
        Inputs(bench.spine, [bench.drawn.view(f"table_{number}", rows, salt=10 + number) for number in range(5)])
    )


def laid_out(bench: Bench) -> Iterator[Method]:
    """Labels × one table that has sorted copies; the engine `window` reads none."""
    return bench.own(Inputs(bench.spine, [bench.drawn.sorted(bench.table)]))


def windows(bench: Bench) -> Iterator[Method]:
    """Counts and sums of 7 and 30 days at label times, over the floor of their events."""
    options = bench.options
    drawn = WindowsCase.drawn(
        bench.session,
        bench.drawn.folder / "windows",
        Sizes(options.rows, options.labels, options.entities, options.days),
    )
    for name, rows in drawn.methods().items():
        if name != "windows_sql":  # four times as slow as the product: only its own script compares with it
            yield bench.method(name, "" if name == FLOOR else "windows", rows)


CASES: dict[str, Callable[[Bench], Iterator[Method]]] = {
    "one_table": one_table,
    "pruned": pruned,
    "skew": skew,
    "five_tables": five_tables,
    "laid_out": laid_out,
    "windows": windows,
}


def of_sizes(bench: Bench) -> Iterator[tuple[str, Case]]:
    """`one_table` at a tenth, three tenths, all and three times the rows; labels are a tenth of them."""
    for rows in sizes(bench.options.rows):
        labels, values = f"labels_{rows}", f"rows_{rows}"
        spine = bench.drawn.labels(labels, max(rows // 10, 1), salt=1)
        view = bench.drawn.view(values, rows, salt=2)
        yield str(rows), bench.case(bench.all(Inputs(spine, [view])))


def of_revisions(bench: Bench) -> Iterator[tuple[str, Case]]:
    """`one_table`, published in 1, 10 and 300 revisions."""
    for revisions in (1, 10, 300):
        drawn = replace(bench.drawn, revisions=revisions)
        spine = drawn.labels(f"labels_of_{revisions}", bench.options.labels, salt=1)
        view = drawn.view(f"revisions_{revisions}", bench.options.rows, salt=2)
        yield str(revisions), bench.case(bench.own(Inputs(spine, [view])))
