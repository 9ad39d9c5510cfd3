"""Ways to read vectors, each timed call by call in interleaved rounds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from time import perf_counter, process_time
from typing import Any, Protocol

from cassandra.concurrent import execute_concurrent_with_args

from online_bench.lab import FEATURES, Lab, vector_of
from skewless.online import OnlineClient, cql

Figures = dict[str, Any]


class Method(Protocol):
    """One way to read."""

    @property
    def name(self) -> str:
        """How it is called."""

    def sample(self, keys: Sequence[Sequence[int]]) -> list[float]:
        """Seconds of each call, one call for each list of keys."""

    def check(self, keys: Sequence[int]) -> None:
        """Raise AssertionError unless a call gives exactly what was written."""


@dataclass(frozen=True)
class Called:
    """A way to read that is a function.

    Attributes:
        name: How it is called.
        call: Keys → whatever it gives.
        vectors: That → view by view and key by key the values.
        lab: What was written.
    """

    name: str
    call: Callable[[Sequence[int]], Any]
    vectors: Callable[[Any], list[list[list[float]]]]
    lab: Lab

    def sample(self, keys: Sequence[Sequence[int]]) -> list[float]:
        """Seconds of each call."""
        found = []
        for some in keys:
            begun = perf_counter()
            self.call(some)
            found.append(perf_counter() - begun)
        return found

    def check(self, keys: Sequence[int]) -> None:
        """Raise AssertionError unless a call gives exactly what was written."""
        expect(self.vectors(self.call(keys)), keys, self.lab)


@dataclass(frozen=True)
class Awaited:
    """`aget` in a running event loop, one call after the other."""

    name: str
    client: OnlineClient
    lab: Lab

    def sample(self, keys: Sequence[Sequence[int]]) -> list[float]:
        """Seconds of each call."""

        async def timed() -> list[float]:
            found = []
            for some in keys:
                begun = perf_counter()
                await self.client.aget("one", {"user_id": some[0]})
                found.append(perf_counter() - begun)
            return found

        return asyncio.run(timed())

    def check(self, keys: Sequence[int]) -> None:
        """Raise AssertionError unless a call gives exactly what was written."""
        vector = asyncio.run(self.client.aget("one", {"user_id": keys[0]}))
        read: list[Any] = list(vector.values.values())
        expect([[read]], keys[:1], self.lab)


def expect(found: list[list[list[float]]], keys: Sequence[int], lab: Lab) -> None:
    """Compare what was read, view by view and key by key, with what was written."""
    for number, of_view in enumerate(found):
        wanted = [vector_of(key, number, lab.generation) for key in keys]
        if of_view != wanted:
            message = f"view {number} of keys {list(keys)[:3]}… gave {of_view[:1]}, not {wanted[:1]}"
            raise AssertionError(message)


@dataclass
class Series:
    """What was measured of one method.

    Attributes:
        seconds: Of each call.
        cpu_s: Of this process, all calls together.
    """

    seconds: list[float] = field(default_factory=list)
    cpu_s: float = 0.0

    def figures(self) -> Figures:
        """Percentiles in milliseconds, and what a call cost the client."""
        return {**percentiles(self.seconds), "cpu_ms": round(self.cpu_s / len(self.seconds) * 1_000, 3)}


def percentiles(seconds: Sequence[float]) -> Figures:
    """p50, p99 and p99.9 in milliseconds, each a value that occurred, and how many there were."""
    ordered = sorted(seconds)
    found: Figures = {
        name: round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1_000, 3)
        for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99), ("p999_ms", 0.999))
    }
    return {**found, "calls": len(ordered)}


def warm_up(methods: Mapping[Method, int], lab: Lab, *, seconds: float) -> None:
    """Read for some time, until Java has compiled what the node runs often."""
    rng, until = Random(4), perf_counter() + seconds
    while perf_counter() < until:
        for method, size in methods.items():
            method.sample([rng.sample(range(lab.entities), size) for _ in range(20)])


def interleaved(methods: Mapping[Method, int], lab: Lab, *, rounds: int) -> dict[str, Series]:
    """Time every method in each round, in an order of chance; one more round comes first and does not count.

    Args:
        methods: Method → keys per call.
        lab: Whose entities are asked for.
        rounds: How many count.
    """
    rng, found = Random(5), {method.name: Series() for method in methods}
    for number in range(rounds + 1):
        for method, size in sorted(methods.items(), key=lambda _: rng.random()):
            calls = 400 if size == 1 else 60
            keys = [rng.sample(range(lab.entities), size) for _ in range(calls)]
            method.check(keys[0])
            cpu = process_time()
            seconds = method.sample(keys)
            if number:
                found[method.name].seconds += seconds
                found[method.name].cpu_s += process_time() - cpu
    return found


def methods_of(lab: Lab, client: OnlineClient) -> dict[Method, int]:
    """The raw driver's ways and ours → keys per call."""
    one = lab.session.prepare(cql.select_newest(lab.target.keyspace, lab.views[0], FEATURES))

    def raw(keys: Sequence[int]) -> Any:
        return [lab.session.execute(one, (keys[0], lab.generation)).one()]

    def concurrent(keys: Sequence[int]) -> Any:
        asked = [(key, lab.generation) for key in keys]
        told = execute_concurrent_with_args(lab.session, one, asked, concurrency=100)
        return [result.one() for _, result in told]

    def got(service: str) -> Callable[[Sequence[int]], Any]:
        return lambda keys: client.get(service, {"user_id": keys[0]})

    def got_many(service: str) -> Callable[[Sequence[int]], Any]:
        return lambda keys: client.get_many(service, [{"user_id": key} for key in keys])

    def of_rows(rows: Any) -> list[list[list[float]]]:
        return [[list(row[3:]) for row in rows]]

    def of_vector(vector: Any) -> list[list[list[float]]]:
        return [[part] for part in _parted(list(vector.values.values()))]

    def of_batch(batch: Any) -> list[list[list[float]]]:
        columns = _parted(list(batch.values.values()))
        return [[list(row) for row in zip(*part, strict=True)] for part in columns]

    return {
        Called("raw1", raw, of_rows, lab): 1,
        Called("get1", got("one"), of_vector, lab): 1,
        Called("get1_5views", got("five"), of_vector, lab): 1,
        Awaited("aget1", client, lab): 1,
        Called("raw100", concurrent, of_rows, lab): 100,
        Called("get100", got_many("one"), of_batch, lab): 100,
        Called("get100_5views", got_many("five"), of_batch, lab): 100,
    }


def _parted(columns: list[Any]) -> list[list[Any]]:
    """Columns view by view."""
    return [columns[first : first + len(FEATURES)] for first in range(0, len(columns), len(FEATURES))]
