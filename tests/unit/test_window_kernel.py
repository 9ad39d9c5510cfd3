"""The kernel of windows by itself, without Spark: random definitions and events against brute force.

Flipped one at a time in window_kernel.py and window_ranges.py, and seen to fail: either side of a binary search; the
tile's end; ticks rounded down; a window left one tick early; the clip at the floor; the last tick left out; `after_us`
given again; the first row of a key compared with the key before; null taken for 0; a stay's end for its beginning; a
level of the sparse table left out; first taken for last; one value enough for a deviation, or n below; a key cut in
two; the check for 64 bits; codes of negative doubles not turned round; a rank rounded down, or of 0; the latest from
the wrong end; the rarest for the most frequent; lists of other length or other values taken for the same; one value too
many. Equal by these tests: touching stays told as two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import gcd
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from skewless.spark.window_kernel import AFTER, TIME, WindowKernel, by_time, whole_keys
from skewless.spark.window_ranges import Part, Value
from skewless.spark.window_values import Code
from tests.support.bits import bits
from tests.support.oracle_windows import Agg, Event, window_values

KINDS = (
    "count", "count_distinct", "sum", "stddev", "min", "max", "first", "last", "quantile", "last_n", "top_k",
)  # fmt: skip
SHARES = ("0", "0.1", "0.5", "0.95", "1")
POOL = (None, 0, 1, 1, 2, -7, 2**40, -(2**53))


def drawn(rng: Random, *, every: int) -> list[Event]:
    """Events of a few keys, sorted as Spark would sort them: by key, time, value."""
    found: list[Event] = []
    for key in range(rng.randrange(1, 5)):
        for _ in range(rng.choice((1, 2, 5, 20))):
            found.append(((key,), rng.randrange(-3 * every, 9 * every), {"n": rng.choice(POOL)}))
    return sorted(found, key=lambda one: (one[0], one[1], one[2]["n"] is not None, one[2]["n"] or 0))


def batches(events: list[Event], *, rows: int, after: Mapping[int, int] | None = None) -> Iterator[pa.RecordBatch]:
    keys, times = [key[0] for key, _, _ in events], [event_us for _, event_us, _ in events]
    numbers = pa.array([columns["n"] for _, _, columns in events], pa.int64())
    columns = {"key": pa.array(keys, pa.int64()), TIME: pa.array(times, pa.int64()), "_n": numbers}
    if after is not None:
        columns[AFTER] = pa.array([after[key] for key in keys], pa.int64())
    yield from pa.table(columns).to_batches(max_chunksize=rows)


def told(
    kernel: WindowKernel, events: list[Event], *, rows: int = 7, after: Mapping[int, int] | None = None
) -> list[tuple[Any, ...]]:
    found = []
    for batch in kernel(batches(events, rows=rows, after=after)):
        columns = [batch.column(0), batch.column(1).cast(pa.int64()), *batch.columns[2:]]
        found += list(zip(*(column.to_pylist() for column in columns), strict=True))
    return found


@pytest.mark.parametrize("seed", range(400))
def test_kernel_gives_what_brute_force_gives(seed: int) -> None:
    rng = Random(seed)
    every, offset = rng.choice((1, 2, 5, 12)), rng.randrange(0, 5)
    longest = 3 * every
    kinds = [(kind, rng.randint(1, longest)) for kind in rng.sample(KINDS, rng.randrange(1, 5))]
    events, through = drawn(rng, every=every), rng.randrange(0, 12) * every
    start = rng.choice((None, rng.randrange(-2, 6) * every))
    n, q = rng.randrange(1, 4), rng.choice(SHARES)
    aggregates = {f"f{place}": aggregate(kind, over, n=n, q=q) for place, (kind, over) in enumerate(kinds)}
    rules = {"every_us": every, "offset_us": offset % every, "through_us": through, "start_us": start}
    full = [(*key, tick, *values.values()) for key, tick, values in window_values(events, aggregates, **rules)]
    after = {key: rng.randrange(-1, 8) * every + rng.randrange(every) for key in range(5)}
    after = rng.choice((None, after, dict.fromkeys(after, after[0])))
    expected = [row for row in full if after is None or row[1] > after[row[0]]]
    tile = gcd(every, *(over for _, over in kinds))
    if after is not None:
        # what the product reads of a key: a longest window and a tile before the last tick that is known of it
        reach = max(over for _, over in kinds) + tile
        known = {key: instant - (instant - offset) % every for key, instant in after.items()}
        events = [event for event in events if event[1] >= known[event[0][0]] - reach]
    kernel = WindowKernel(
        keys=("key",),
        values=tuple(
            Value(f"f{place}", (Part(kind, "_n", over, 0, n, q),)) for place, (kind, over) in enumerate(kinds)
        ),
        every_us=every,
        offset_us=offset % every,
        tile_us=tile,
        floor_us=floor(start, after and min(after.values()), every=every, offset=offset % every),
        through_us=through,
    )
    if not {kind for kind, _ in kinds} & {"first", "last", "last_n"}:
        # Spark sorts by key alone then
        events = sorted(events, key=lambda one: (one[0], rng.random()))
    assert bits(tuple(told(kernel, events, after=after))) == bits(tuple(expected))


def aggregate(kind: str, over: int, *, n: int, q: str) -> Agg:
    is_scaled = kind == "stddev"
    return Agg(kind, over, "n", scale=0 if is_scaled else None, ties=("n",), n=n, q=q)


def floor(start: int | None, after: int | None, *, every: int, offset: int) -> int | None:
    """As `window_view` chooses it: the last known tick, or the first to be evaluated."""
    first = None if start is None else start + (offset - start) % every
    if after is None:
        return first
    known = after - (after - offset) % every
    return known if first is None else max(first, known)


@pytest.mark.parametrize("unit", [1, 2**60])
def test_rows_of_a_key_are_put_in_the_order_of_their_times(unit: int) -> None:
    times = [[3, 1, 2], [0], [2, -2]]
    rows = pa.table(
        {
            "key": [key for key, some in enumerate(times) for _ in some],
            TIME: [one * unit for some in times for one in some],
        }
    )
    found = by_time(rows, ["key"])
    assert found["key"].to_pylist() == rows["key"].to_pylist()
    assert found[TIME].to_pylist() == [one * unit for some in times for one in sorted(some)]
    assert by_time(found, ["key"]).equals(found)


def test_sum_of_integers_past_64_bits_is_refused_and_a_wrapped_running_total_is_not() -> None:
    def kernel(over: int) -> WindowKernel:
        return WindowKernel(("key",), (Value("f", (Part("sum", "_n", over),)),), 1, 0, 1, None, 9)

    events = [((0,), time, {"n": 2**62}) for time in range(4)]
    assert [row[2] for row in told(kernel(1), events)] == [2**62, None]
    with pytest.raises(OverflowError, match="64 bits"):
        told(kernel(2), events)


def test_rows_of_a_key_stay_together_whatever_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skewless.spark.window_kernel._ROWS", 4)
    events = [((key,), time, {"n": 1}) for key, count in enumerate((1, 9, 2, 2, 6)) for time in range(count)]
    found = [table["key"].to_pylist() for table in whole_keys(batches(events, rows=3), ["key"])]
    assert [key for one in found for key in one] == [key for (key,), _, _ in events]
    assert all(set(one).isdisjoint(other) for place, one in enumerate(found) for other in found[place + 1 :])


@pytest.mark.parametrize(
    "values",
    [
        pa.array([0.0, -0.0, float("nan"), float("inf"), -1.5, float("-inf"), 1e-300]),
        pa.array(["b", "", "a", "ä", "B"]),
        pa.array([True, False]),
        pa.array([3, 1, 2], pa.int32()),
        pa.array([2**50, -(2**50)], pa.timestamp("us", tz="UTC")),
        pa.array([5, -5], pa.date32()),
        pa.array([1.5, 0.25], pa.float32()),
    ],
)
def test_codes_are_in_the_order_of_values_and_lead_back_to_the_same_bits(values: pa.Array) -> None:
    code = Code.of(pa.chunked_array([values]))
    absent = code.codes < code.codes.min()
    assert bits(tuple(code.values(code.codes, absent).to_pylist())) == bits(tuple(values.to_pylist()))
    numbers = values.to_pylist()
    spelled = sorted(range(len(numbers)), key=lambda place: order(numbers[place]))
    assert [int(one) for one in code.codes.argsort()] == spelled


def order(value: Any) -> tuple[Any, ...]:
    if isinstance(value, float):
        return (1,) if value != value else (0, value, str(value) != "-0.0")  # noqa: PLR0124 - only NaN differs
    return (value.encode(),) if isinstance(value, str) else (value,)
