"""g(T) of many revisions: in buckets of time, against a bisection in Python."""

from __future__ import annotations

from bisect import bisect_right
from random import Random

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from skewless.core.timeline import Pointer, Step
from skewless.spark.point_in_time.inputs import Reach, ViewValues
from skewless.spark.point_in_time.told import told_field, with_told
from tests.support.frames import assert_same_rows, frame

pytestmark = [pytest.mark.spark, pytest.mark.usefixtures("interpreted")]

FIRST, LAST = 1_506_902_400_000_000, 1_509_494_400_000_000


def told_of(spark: SparkSession, instants: list[int], every: int) -> ViewValues:
    """A view that every so many of the revisions moves."""
    nothing = frame(spark, "user_id bigint", [])
    steps = tuple(Step(at, 0, Pointer("t", at - 1, at - 2)) for at in instants[::every])
    numbered = tuple((at, number) for number, at in enumerate(instants, start=1))
    view = None
    return ViewValues(view, nothing, nothing, frozenset(), steps, None, numbered)  # type: ignore[arg-type]


@pytest.mark.parametrize("crowded", [False, True], ids=["spread", "crowded"])
def test_ten_thousand_revisions_are_looked_up_as_a_bisection_does(spark: SparkSession, crowded: bool) -> None:
    rng = Random(11)
    # crowded: nearly all within a second, so that one bucket holds them
    span = (FIRST + 10**12, FIRST + 10**12 + 10**6) if crowded else (FIRST - 10**11, LAST + 10**11)
    instants = sorted({rng.randrange(*span) for _ in range(10_000)})
    values = [told_of(spark, instants, 1), told_of(spark, instants, 7)]
    asked = [None, FIRST, LAST, *rng.sample(range(FIRST, LAST), 300)]
    within = [one for one in instants if FIRST < one < LAST]
    asked += [one + shift for one in rng.sample(within, 300) for shift in (-1, 0, 1)]
    placed = frame(spark, "at bigint", [(one,) for one in asked])
    told = with_told(placed, values, Reach(len(asked), 0, FIRST, LAST), at="at")
    fields = [told_field(place, name) for place in (0, 1) for name in ("generation", "through_us", "revision")]
    assert_same_rows(
        told.select("at", *(field.alias(f"f{number}") for number, field in enumerate(fields))),
        [(one, *_bisected(instants, one, 1), *_bisected(instants, one, 7)) for one in asked],
    )
    assert_same_rows(told.select(F.count("*").alias("rows")), [(len(asked),)])


def _bisected(instants: list[int], at: int | None, every: int) -> tuple[int | None, int | None, int | None]:
    if at is None:
        return None, None, None
    moved = instants[::every]
    step, revision = bisect_right(moved, at), bisect_right(instants, at)
    pointer = (moved[step - 1] - 1, moved[step - 1] - 2) if step else (None, None)
    return (*pointer, revision or None)
