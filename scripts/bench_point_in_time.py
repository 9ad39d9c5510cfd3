"""Point-in-time joins measured against a floor: reading, shuffling and sorting the same rows, without a join.

One machine; data are drawn from a seed. Each case joins labels to value tables of many generations by every engine, in
both modes, and by other stores over the same files, in interleaved rounds; told are medians of seconds, their ratios to
the floor, and the peak of memory. Joins that answer the same must give the same rows: their number and a checksum of
all values are compared, and a method that differs has no time.

  one_table    labels × one table of five features            goals: window 1.35, bucket 1.10, as served 1.25
  five_tables  labels × five tables, 25 features                     window 1.75, bucket 1.25
  skew         one entity has 8 % of all rows                        window 1.35, bucket 1.10
  pruned       a thousandth of the labels: what cuts save
  laid_out     one_table with sorted copies                          bucket 0.60
  windows      7 d and 30 d counts and sums at label times           bucket 1.00

The others are Feast's Spark offline store, Polars and DuckDB, in an environment that is made once under
`.skewless/bench`. Feast is given the same Spark, jars, memory and settings. Where it cannot be installed, the shape of
its SQL runs in our session instead, and is named `feast_sql_shape`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from measuring import machine, started
from point_in_time_bench.case import Case
from point_in_time_bench.cases import CASES, Bench, of_revisions, of_sizes
from point_in_time_bench.data import Drawn
from point_in_time_bench.figures import Figures
from point_in_time_bench.peers import WANTED, Installed, Peers
from point_in_time_bench.plots import bars, lines
from pyspark.sql import SparkSession

from skewless.config import load_settings, prepare_process
from skewless.flows.workshop import Workshop

HOME = Path(__file__).resolve().parents[1]


def session_of(memory: str) -> SparkSession:
    """Spark as the product opens it."""
    environ = {
        "SKEWLESS__ONLINE__KIND": "none",
        "SKEWLESS__SPARK__DRIVER_MEMORY": memory,
        "SKEWLESS__SPARK__JAVA_OPTIONS": f"-Xms{memory} -XX:+AlwaysPreTouch -XX:+UseParallelGC",
    }
    settings = load_settings(HOME / "conf", "ci", environ)
    prepare_process(settings)
    return Workshop.open(settings).session


def parsed() -> argparse.Namespace:
    """What to measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000, help="value rows of a case (default: 10 million)")
    parser.add_argument("--labels", type=int, default=1_000_000, help="default: 1 million")
    parser.add_argument("--entities", type=int, default=100_000, help="default: 100 thousand")
    parser.add_argument("--days", type=int, default=100, help="generations and revisions, one a day (default: 100)")
    parser.add_argument("--rounds", type=int, default=3, help="measured after one that warms up (default: 3)")
    for name, all_of_them, what in (("--cases", CASES, "CASE"), ("--peers", WANTED, "STORE")):
        choices = f"of {', '.join(all_of_them)}"
        parser.add_argument(name, nargs="*", default=[*all_of_them], choices=[*all_of_them], metavar=what, help=choices)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows and labels")
    parser.add_argument(
        "--grow", action="store_true", help="one_table at more sizes and revisions, instead of the cases"
    )
    parser.add_argument(
        "--patience", type=float, default=30.0, help="who takes so many times the floor is ended (default: 30)"
    )
    parser.add_argument("--memory", default="6g", help="of Spark (default: 6g)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--svg", type=Path, metavar="FOLDER", help="draw the figures into this folder")
    options = parser.parse_args()
    if options.quick:
        options.rows, options.labels = options.rows // 10, options.labels // 10
    return options


def measured(cases: Iterable[tuple[str, Case]]) -> dict[str, Figures]:
    """The figures of cases, each made when its turn comes."""
    found: dict[str, Figures] = {}
    for name, case in cases:
        print(name, file=sys.stderr)
        found[name] = case.figures()
        print(json.dumps(found[name], indent=1), file=sys.stderr)
    return found


def circumstances(options: argparse.Namespace, installed: Installed) -> Figures:
    """What the figures depend on."""
    found = machine(["pyspark", "delta-spark"])
    others = {name: WANTED[name].split("==")[1] for name in options.peers if not installed.missing}
    return {**found, "spark_memory": options.memory, "versions": {**found["versions"], **others}}


def all_of(bench: Bench) -> Figures:
    """The figures that were asked for."""
    if bench.options.grow:
        return {"growth": {"rows": measured(of_sizes(bench)), "revisions": measured(of_revisions(bench))}}
    made = ((name, bench.case(CASES[name](bench))) for name in CASES if name in bench.options.cases)
    return {"cases": measured(made)}


def draw(found: Figures, folder: Path) -> None:
    """Every case as bars, every growth as lines."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, case in found.get("cases", {}).items():
        (folder / f"{name}.svg").write_text(bars(name, case), encoding="utf-8")
    for across, growth in found.get("growth", {}).items():
        title = f"one_table: seconds by {across}"
        (folder / f"growth_{across}.svg").write_text(lines(title, growth, across=across), encoding="utf-8")


def main() -> None:
    """Measure, and print the figures."""
    options = parsed()
    installed = Installed.into(HOME / ".skewless" / "bench" / "peers") if options.peers else Installed(Path())
    with tempfile.TemporaryDirectory() as made:
        session = session_of(options.memory)
        roots = started()  # before any other store is
        drawn = Drawn(session, Path(made), options.entities, options.days, revisions=options.days)
        peers = Peers(installed, options.peers, session, Path(made), options.memory)
        found = all_of(Bench(drawn, peers, options, roots))
        session.stop()
    if options.svg:
        draw(found, options.svg)
    if options.json:
        print(
            json.dumps(
                {**circumstances(options, installed), "rows": options.rows, "labels": options.labels, **found}, indent=2
            )
        )


if __name__ == "__main__":
    main()
