"""The kernel of windows at observation times by itself, without Spark: random events and spines against brute force.

Flipped one at a time in observed_kernel.py, and seen to fail: an event at the observation counted; one at the beginning
of the window not counted; observations one place late; ranks of the wrong side; one number too few behind the last
observation; keys of several columns told by the last one; null keys taken for known ones; equal times out of order.
Equal by these tests: no rank of its own behind the last observation, for what neither entered nor left before has done
both for the next key.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from skewless.spark.observed_kernel import ASKS, ObservedKernel
from skewless.spark.window_kernel import TIME
from skewless.spark.window_ranges import Part, Value
from tests.support.bits import bits
from tests.support.oracle_windows import Agg, value_at

KINDS = (
    "count", "count_distinct", "sum", "stddev", "min", "max", "first", "last", "quantile", "last_n", "top_k",
)  # fmt: skip
SHARES = ("0", "0.1", "0.5", "0.95", "1")
POOL = (None, 0, 1, 1, 2, -7, 2**40, -(2**53))
SCHEMA = pa.schema(
    {"a": pa.string(), "b": pa.string(), TIME: pa.int64(), ASKS: pa.bool_(), "n": pa.int64(), "c0": pa.int64()}
)

#: (a, b), time, value.
Said = tuple[tuple[str, str], int, int | None]
#: (a, b), time.
Asked = tuple[tuple[str | None, str | None], int | None]


def told(
    parts: Sequence[Part], said: Sequence[Said], asked: Sequence[Asked], *, rows: int = 5, rng: Random | None = None
) -> list[tuple[Any, ...]]:
    """What the kernel tells of each asked row, in their order."""
    table = [(*key, time, False, number, None) for key, time, number in said]
    table += [(*key, time, True, None, place) for place, (key, time) in enumerate(asked)]
    if rng is not None:
        rng.shuffle(table)
    columns = zip(*table, strict=True) if table else [[] for _ in SCHEMA]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    values = tuple(Value(f"f{place}", (part,)) for place, part in enumerate(parts))
    kernel = ObservedKernel(("a", "b"), values, ("n",), ("c0",), is_ordered=rng is None, limit=10**9)
    found = []
    for batch in kernel(pa.table(arrays, schema=SCHEMA).to_batches(max_chunksize=rows)):
        found += list(zip(*(column.to_pylist() for column in batch.columns), strict=True))
    return [values for _, *values in sorted(found, key=lambda row: row[0])]


def expected(parts: Sequence[Part], said: Sequence[Said], asked: Sequence[Asked]) -> list[list[Any]]:
    found = []
    for key, time in asked:
        own = [(event_us, {"n": number}) for one, event_us, number in said if one == key]
        aggregates = [
            Agg(
                one.kind,
                one.over_us,
                one.column,
                scale=0 if one.kind == "stddev" else None,
                ties=("n",),
                n=one.n,
                q=one.q,
            )
            for one in parts
        ]
        is_whole = time is not None and None not in key
        found.append([value_at(own, one, time) if is_whole else None for one in aggregates])
    return found


def drawn(rng: Random) -> tuple[list[Said], list[Asked]]:
    """Events of a few keys, also at equal times, and observations at them, a window later, and a microsecond beside."""
    keys = [("a|b", "c"), ("a", "b|c"), ("", "a"), ("a", ""), ("null", "c"), ("ä", "c"), ("ä", "\u0000")]
    shift, stretch = rng.choice((0, -20, 1_506_816_000_000_000)), rng.choice((1, 1, 10**6, 2**58))
    shift = 0 if stretch == 2**58 else shift
    said = []
    for key in rng.sample(keys, rng.randrange(0, 5)):
        for _ in range(rng.choice((1, 2, 5, 20))):
            said.append((key, shift + rng.randrange(12) * stretch, rng.choice(POOL)))
    said.sort(key=lambda one: (one[0], one[1], one[2] is not None, one[2] or 0))
    asked: list[Asked] = []
    for _ in range(rng.randrange(0, 30)):
        time = shift + (rng.randrange(16) - 2) * stretch + rng.choice((0, 0, 1, -1))
        asked += [(rng.choice(keys), time)] * rng.choice((1, 1, 2))
    asked += [((None, "c"), shift), (("a", None), shift), (("a", "b|c"), None)][: rng.randrange(4)]
    return said, asked


@pytest.mark.parametrize("seed", range(400))
def test_kernel_gives_what_brute_force_gives(seed: int) -> None:
    rng = Random(seed)
    said, asked = drawn(rng)
    stretch = 1 if not said else max(1, max(abs(time) for _, time, _ in said) // 12)
    n, q = rng.randrange(1, 4), rng.choice(SHARES)
    parts = [
        Part(kind, rng.choice(("n", None)) if kind == "count" else "n", over, 0, n, q)
        for kind in rng.sample(KINDS, rng.randrange(1, 5))
        for over in {rng.randint(1, 5), rng.randint(1, 4) * min(stretch, 2**58)}
    ]
    if not {one.kind for one in parts} & {"first", "last", "last_n"}:
        assert bits(told(parts, said, asked, rng=Random(seed))) == bits(expected(parts, said, asked))
    assert bits(told(parts, said, asked)) == bits(expected(parts, said, asked))


def test_an_event_at_the_observation_does_not_count_and_one_at_the_beginning_of_the_window_does() -> None:
    said = [(("a", "b"), time, 1) for time in (89, 90, 99, 100)]
    count = [Part("count", None, 10)]
    assert told(count, said, [(("a", "b"), 100)]) == [[2]]
    assert told(count, said[:1], [(("a", "b"), 100)]) == [[0]]
    assert told(count, said[1:2], [(("a", "b"), 100)]) == [[1]]
    assert told(count, said[3:], [(("a", "b"), 100), (("a", "b"), 101)]) == [[0], [1]]


def test_events_of_one_instant_stand_in_the_order_in_which_they_come() -> None:
    said = [(("a", "b"), time, number) for number in range(5_000) for time in (5, 3)]
    parts = [Part("last_n", "n", 10, n=3), Part("first", "n", 10)]
    assert told(parts, said, [(("a", "b"), 4), (("a", "b"), 6)], rows=999) == [[[4_999, 4_998, 4_997], 0]] * 2


def test_a_window_longer_than_time_holds_every_earlier_event() -> None:
    said = [(("a", "b"), time, 1) for time in (-(2**57), 0, 5)]
    assert told([Part("count", None, 2**70)], said, [(("a", "b"), 5)]) == [[2]]


def test_a_bucket_larger_than_the_limit_is_refused_before_it_takes_all_memory() -> None:
    kernel = ObservedKernel(("a", "b"), (Value("f", (Part("count", None, 1),)),), (), (), is_ordered=False, limit=10)
    batch = pa.RecordBatch.from_pylist([{"a": "a", "b": "b", TIME: 1, ASKS: True}], schema=SCHEMA)
    with pytest.raises(MemoryError, match="by one key"):
        list(kernel([batch]))
