"""Rows written per second: single inserts in a window, as usually advised, and the push."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from time import perf_counter

from cassandra.concurrent import execute_concurrent_with_args

from online_bench.lab import EVENT_US, KEYSPACE, Lab, batches, vector_of
from online_bench.load import at_rate, started_pushing
from online_bench.reads import Figures
from skewless.core.serving import ServedView
from skewless.online import cql
from skewless.online.writer import write_rows

_WINDOW = 256
_CAP = 2_000


def rates(lab: Lab, *, rows: int, rounds: int) -> Figures:
    """Rows per second of both ways, medians of interleaved rounds after one that warms up."""
    singles, pushed = lab.scratch("singles"), lab.scratch("pushed")
    keys = range(rows)
    found: dict[str, list[float]] = {"singles": [], "push": []}
    for number in range(1, rounds + 2):
        seconds = {"singles": _inserted(lab, singles, keys, number), "push": _pushed(lab, pushed, keys, number)}
        if number > 1:
            for name, one in seconds.items():
                found[name].append(rows / one)
    return {f"{name}_rows_per_second": round(median(each)) for name, each in found.items()}


def reads_beside_a_push(lab: Lab, *, seconds: float, per_second: float) -> Figures:
    """Reads at a fixed rate alone, and beside a push that is held to a rate."""
    idle = at_rate(lab, processes=1, per_second=per_second, seconds=seconds)
    rows = range(int(_CAP * (seconds + 15)))
    process = started_pushing(lab, lab.scratch("beside"), generation=1, rows=rows, cap=_CAP)
    beside = at_rate(lab, processes=1, per_second=per_second, seconds=seconds)
    if process.exitcode is not None:
        raise AssertionError("the push ended before the reads did")
    process.terminate()
    process.join()
    return {"idle": idle, "beside_a_push": beside, "push_rows_per_second": _CAP}


def _inserted(lab: Lab, view: ServedView, keys: Sequence[int], generation: int) -> float:
    statement = lab.session.prepare(cql.insert_row(KEYSPACE, view))
    rows = [(key, generation, EVENT_US, None, *vector_of(key, 0, generation), generation) for key in keys]
    begun = perf_counter()
    for done, result in execute_concurrent_with_args(lab.session, statement, rows, concurrency=_WINDOW):
        if not done:
            raise AssertionError(result)
    return perf_counter() - begun


def _pushed(lab: Lab, view: ServedView, keys: Sequence[int], generation: int) -> float:
    rows = list(batches(0, keys, generation))
    begun = perf_counter()
    for _ in write_rows(lab.target, view, generation, rows):
        pass
    return perf_counter() - begun
