"""Calls at a fixed rate from one or more client processes: what a closed loop hides, a stall makes visible."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Sequence
from random import Random
from time import perf_counter, process_time
from typing import Any

from online_bench.lab import KEYSPACE, PROJECT, Lab
from online_bench.reads import Figures, percentiles
from skewless.core.vector import Status
from skewless.online import OnlineClient

#: Arguments that travel to a client process: host, port, entities, calls per second, seconds, seed.
Job = tuple[str, int, int, float, float, int]


def at_rate(lab: Lab, *, processes: int, per_second: float, seconds: float) -> Figures:
    """Ask for one vector at a time, so often over all processes together, whatever the answers take.

    Latencies count from the moment at which a call was due: one that had to wait for another is late.
    """
    host, port = lab.target.contact_points[0], lab.target.port
    jobs: list[Job] = [
        (host, port, lab.entities, per_second / processes, seconds, number) for number in range(processes)
    ]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        parts = pool.map(_paced, jobs, chunksize=1)
    latencies = [one for told, _, _ in parts for one in told]
    cpu_ms = sum(cpu for _, cpu, _ in parts) / max(1, len(latencies)) * 1_000
    wrong = sum(bad for _, _, bad in parts)
    return {
        **percentiles(latencies),
        "cpu_ms": round(cpu_ms, 3),
        "processes": processes,
        "per_second": per_second,
        "not_present": wrong,
    }


def _paced(job: Job) -> tuple[list[float], float, int]:
    return asyncio.run(_asked(job))


async def _asked(job: Job) -> tuple[list[float], float, int]:
    host, port, entities, per_second, seconds, seed = job
    rng, latencies, bad = Random(seed), [], [0]
    client = OnlineClient.connect([host], project=PROJECT, port=port, keyspace=KEYSPACE, deadline_ms=5_000.0)
    client.warmup(["one"])
    for _ in range(200):
        await client.aget("one", {"user_id": rng.randrange(entities)})

    async def one(due: float) -> None:
        vector = await client.aget("one", {"user_id": rng.randrange(entities)})
        latencies.append(perf_counter() - due)
        bad[0] += any(status is not Status.PRESENT for status in vector.status.values())

    begun, cpu = perf_counter(), process_time()
    asked: list[asyncio.Task[None]] = []
    for number in range(int(per_second * seconds)):
        due = begun + number / per_second
        pause = due - perf_counter()
        await asyncio.sleep(max(0.0, pause))
        asked.append(asyncio.create_task(one(due)))
    await asyncio.gather(*asked)
    spent = process_time() - cpu
    client.close()
    return latencies, spent, bad[0]


def started_pushing(lab: Lab, view: Any, *, generation: int, rows: Sequence[int], cap: int) -> Any:
    """A throttled push from a process of its own; it is running when this returns, and is joined by the caller."""
    host, port = lab.target.contact_points[0], lab.target.port
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_pushed, args=(host, port, view, generation, rows, cap, ready))
    process.start()
    if not ready.wait(30):
        raise AssertionError("the pushing process did not start")
    return process


def _pushed(host: str, port: int, view: Any, generation: int, rows: Sequence[int], cap: int, ready: Any) -> None:  # noqa: PLR0913, PLR0917 - a process takes what it needs one by one
    from online_bench.lab import batches  # noqa: PLC0415 - the child alone
    from skewless.online import OnlineTarget  # noqa: PLC0415 - the child alone
    from skewless.online.writer import write_rows  # noqa: PLC0415 - the child alone

    target = OnlineTarget((host,), port, KEYSPACE, rows_per_second_cap=cap)
    ready.set()
    for _ in write_rows(target, view, generation, batches(0, rows, generation)):
        pass
