"""Numbers of generations under clocks that jump, and which record of a generation is the newer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from skewless.core.generation import Chunks, Generation, GenerationState, newest_states, next_number
from skewless.errors import ConfigError

SECOND = 1_000_000
PLANNED = Generation(
    number=7, view="spend", version=1, table="t", state=GenerationState.PLANNED, through_us=7, fingerprint="f",
    sources={}, source_ids={},
)  # fmt: skip


@pytest.mark.parametrize(
    ("previous", "now_us", "number"),
    [(0, 100, 100), (100, 101, 101), (100, 100, 101), (100, 99, 101), (100 * SECOND, 40 * SECOND, 100 * SECOND + 1)],
)
def test_number_is_the_clock_and_greater_than_the_one_before(previous: int, now_us: int, number: int) -> None:
    assert next_number(previous, now_us=now_us, skew_us=60 * SECOND) == number


def test_clock_further_behind_the_last_generation_than_allowed_is_refused() -> None:
    with pytest.raises(ConfigError, match="lies 61 s behind the last generation, more than the allowed 60 s"):
        next_number(100 * SECOND, now_us=39 * SECOND, skew_us=60 * SECOND)


def test_newest_record_is_of_the_later_state_and_of_more_chunks() -> None:
    begun = replace(PLANNED, chunks=Chunks(0, 10, 4))
    further = replace(begun, chunks=Chunks(0, 10, 4, done=2))
    made = replace(further, state=GenerationState.MATERIALIZED)
    assert newest_states([further, begun]) == newest_states([begun, further]) == (further,)
    assert newest_states([made, further]) == newest_states([begun, made]) == (made,)


def test_chunks_cover_their_range_without_a_gap_and_the_last_may_be_shorter() -> None:
    chunks = Chunks(3, 13, 4)
    assert [chunks.range_us(number) for number in range(chunks.count)] == [(3, 7), (7, 11), (11, 13)]
    assert Chunks(3, 11, 4).count == 2
