"""The online store measured against the raw driver, and against Feast's Cassandra store, on one node of its own.

One run, one machine; client and node share its cores. Reads are timed call by call in interleaved rounds; every method
is checked against the values that were written. Figures are ratios of medians (p50) unless their name says otherwise:

  get1_ratio            get of 1 key × 1 view of 20 doubles, over a raw prepared read        goal 1.20
  get1_5views_ratio     get of 1 key × a service over 5 views, over the same                 goal 3.0
  get100_ratio          get_many of 100 keys × 1 view, over execute_concurrent_with_args     goal 0.25
  get100_5views_ratio   get_many of 100 keys × 5 views, over the same                        goal 0.7
  aget_ratio            aget over get                                                        goal 1.5
  vs_feast_get1         Feast's seconds over ours, 1 key                                     goal 1.8
  vs_feast_get100       the same, 100 keys                                                   goal 6
  vs_feast_push         our rows per second over those that Feast writes                     goal 40
  push_ratio            rows per second of the push over single inserts in a window of 256   goal 2.5
  push_read_p99_ratio   p99 of reads beside a push that is held to a rate, over idle         goal 2.0
  import_ratio          importing the client over importing the driver                       goal 1.3
  get1_p99_ms, get100_p99_ms   in milliseconds                                               goals 5 and 10

Beside them: reads at a fixed rate, from 1 and from 4 client processes; a closed loop would hide stalls. And `wide`:
views of 200 doubles, a column each against packed: pushes, reads of 1 and of 100 keys, bytes of a row.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from measuring import machine
from online_bench.lab import Lab, bytes_per_row, laboratory
from online_bench.load import at_rate
from online_bench.peer import Void, feast
from online_bench.push import rates, reads_beside_a_push
from online_bench.reads import Figures, interleaved, methods_of, percentiles, warm_up
from online_bench.wide import bytes_per_wide_row, wide

from skewless.config import load_settings

HOME = Path(__file__).resolve().parents[1]
_IMPORTS = {"driver": "import cassandra.cluster", "client": "from skewless.online import OnlineClient"}


def imports(rounds: int) -> dict[str, float]:
    """Seconds of a process that imports the driver or the client, over one that imports nothing; medians."""
    found: dict[str, list[float]] = {name: [] for name in _IMPORTS}
    code = "import time; begun = time.perf_counter(); {}; print(time.perf_counter() - begun)"
    for number in range(rounds + 1):
        for name, statement in _IMPORTS.items():
            done = subprocess.run(
                [sys.executable, "-c", code.format(statement)], capture_output=True, text=True, check=True, cwd=HOME
            )
            if number:
                found[name].append(float(done.stdout))
    return {name: median(each) for name, each in found.items()}


def beside_feast(lab: Lab, folder: Path, options: argparse.Namespace, found: Figures) -> Figures:
    """Feast's reads and writes in turns with ours."""
    seconds: dict[int, list[float]] = {1: [], 100: []}
    written: list[float] = []
    with feast(lab, HOME / ".skewless" / "bench" / "feast_online", folder) as peer:
        for number in range(options.rounds + 1):
            rate = peer.ask(f"write {options.feast_rows}")["rows_per_second"]
            for size, calls in ((1, 100), (100, 20)):
                told = peer.ask(f"get {size} {calls}")["seconds"]
                seconds[size] += told if number else []
            written += [rate] if number else []
    one, hundred = percentiles(seconds[1]), percentiles(seconds[100])
    reads, ours = found["reads"], found["push"]["push_rows_per_second"]
    return {
        "vs_feast_get1": round(one["p50_ms"] / reads["get1"]["p50_ms"], 2),
        "vs_feast_get100": round(hundred["p50_ms"] / reads["get100"]["p50_ms"], 2),
        "vs_feast_push": round(ours / median(written), 1),
        "feast": {"get1": one, "get100": hundred, "rows_per_second": round(median(written))},
    }


def ratios(found: Figures) -> Figures:
    """The figures that have goals."""
    p50 = {name: each["p50_ms"] for name, each in found["reads"].items()}
    push, beside = found["push"], found["reads_beside_a_push"]
    return {
        "get1_ratio": round(p50["get1"] / p50["raw1"], 3),
        "get1_5views_ratio": round(p50["get1_5views"] / p50["raw1"], 3),
        "get100_ratio": round(p50["get100"] / p50["raw100"], 3),
        "get100_5views_ratio": round(p50["get100_5views"] / p50["raw100"], 3),
        "aget_ratio": round(p50["aget1"] / p50["get1"], 3),
        "push_ratio": round(push["push_rows_per_second"] / push["singles_rows_per_second"], 2),
        "push_read_p99_ratio": round(beside["beside_a_push"]["p99_ms"] / beside["idle"]["p99_ms"], 2),
        "import_ratio": round(found["import_s"]["client"] / found["import_s"]["driver"], 3),
        "get1_p99_ms": found["reads"]["get1"]["p99_ms"],
        "get100_p99_ms": found["reads"]["get100"]["p99_ms"],
    }


def measured(lab: Lab, options: argparse.Namespace, folder: Path) -> Figures:
    """Everything, one after the other."""
    found: Figures = {}
    with lab.client() as client:
        client.warmup()
        methods = methods_of(lab, client)
        warm_up(methods, lab, seconds=options.warm_up)
        series = interleaved(methods, lab, rounds=options.rounds)
    found["reads"] = {name: one.figures() for name, one in series.items()}
    _tell("reads", found["reads"])
    found["push"] = rates(lab, rows=options.push_rows, rounds=min(3, options.rounds))
    _tell("push", found["push"])
    found["at_rate"] = [
        at_rate(lab, processes=processes, per_second=options.rate, seconds=options.seconds) for processes in (1, 4)
    ]
    _tell("at a fixed rate", found["at_rate"])
    found["reads_beside_a_push"] = reads_beside_a_push(lab, seconds=options.seconds / 2, per_second=200)
    found["import_s"] = imports(max(3, options.rounds))
    told = {**ratios(found), **found}
    if not options.without_feast:
        try:
            told = {**beside_feast(lab, folder / "feast", options, found), **told}
        except Void as why:
            told["feast"] = {"void": str(why)}
    return {**told, **wide_views(lab, options)}


def wide_views(lab: Lab, options: argparse.Namespace) -> Figures:
    """A column per feature against packed rows; last, for it fills the node."""
    found = {"wide": wide(lab, rows=options.wide_rows, rounds=options.rounds)}
    _tell("wide", found["wide"])
    return found


def _tell(what: str, figures: object) -> None:
    print(f"{what}: {json.dumps(figures)}", file=sys.stderr)


def parsed() -> argparse.Namespace:
    """What to measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entities", type=int, default=20_000, help="of each view (default: 20 thousand)")
    parser.add_argument("--rounds", type=int, default=9, help="measured after one that warms up (default: 9)")
    parser.add_argument("--warm-up", type=float, default=60.0, help="seconds of reads before (default: 60)")
    parser.add_argument("--push-rows", type=int, default=20_000, help="a round (default: 20 thousand)")
    parser.add_argument("--rate", type=float, default=500.0, help="calls per second at a fixed rate (default: 500)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of a fixed rate (default: 60)")
    parser.add_argument("--feast-rows", type=int, default=1_000, help="that Feast writes a round (default: 1 thousand)")
    parser.add_argument("--wide-rows", type=int, default=5_000, help="of 200 doubles, a push (default: 5 thousand)")
    parser.add_argument("--only-wide", action="store_true", help="typed against packed views of 200 doubles alone")
    parser.add_argument("--without-feast", action="store_true", help="the product and the driver alone")
    parser.add_argument("--quick", action="store_true", help="a sixth of the rounds and seconds: the same order")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.push_rows = 3, options.seconds / 6, options.push_rows // 2
    return options


def main() -> None:
    """Measure, and print the figures."""
    options = parsed()
    settings = load_settings(HOME / "conf", "ci")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as made:
        folder = Path(made)
        with laboratory(settings, folder / "node", entities=options.entities) as lab:
            figures = wide_views(lab, options) if options.only_wide else measured(lab, options, folder)
            told = {**figures, **machine(["cassandra-driver"]), "entities": options.entities}
        # what a node holds in memory reaches its disk when it ends
        told["bytes_per_row"] = bytes_per_row(folder / "node", lab)
        for layout, size in bytes_per_wide_row(folder / "node", options.wide_rows).items():
            told["wide"][layout]["bytes_per_row"] = size
    if options.json:
        print(json.dumps(told, indent=2))
    else:
        print("\n".join(f"{name:22} {value}" for name, value in told.items() if isinstance(value, int | float)))


if __name__ == "__main__":
    main()
