"""The rules of the join (design 01 §4, §6), one test each: history and served rows in, one answer per spine row out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless.core.dtypes import Float64, Int64, Timestamp
from skewless.core.entity import Entity
from skewless.core.source import DeltaSource
from skewless.core.time import days
from skewless.core.timeline import Pointer, Revision, Timeline
from skewless.core.view import Feature, FeatureView, RowView, SnapshotView
from skewless.spark.point_in_time.inputs import ViewValues
from skewless.spark.point_in_time.join import joined as joined_by
from skewless.spark.point_in_time.using import Engine, Using
from tests.support.frames import assert_same_rows, frame, moment, rows_of

pytestmark = [pytest.mark.spark, pytest.mark.usefixtures("interpreted")]

USER = Entity("user", {"user_id": Int64})
SOURCE = DeltaSource("buys", path="raw/buys", event_timestamp="at", schema={"at": Timestamp})
FEATURES = (Feature("spend", Float64), Feature("visits", Int64))
HISTORY = "user_id bigint, event_timestamp timestamp, _gen bigint, _flag string, spend double, visits bigint"
SERVED = "user_id bigint, _gen bigint, event_timestamp timestamp, spend double, visits bigint, _state string"
SPINE = "user_id bigint, at timestamp, label string"
TABLE = "spend__v1_00000000"
#: 2017-10-02T00:00Z.
T0 = 1_506_902_400_000_000
DAY = 86_400_000_000

#: Every rule holds of every engine; `make test-rules` asks all of them, which takes a minute more.
_ENGINES = list(Engine) if os.environ.get("EVERY_ENGINE") else [Engine.WINDOW]
USING = Using()


@pytest.fixture(autouse=True, params=_ENGINES, ids=[one.value for one in _ENGINES])
def using(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "USING", Using(request.param, buckets=2))


Said = tuple[int, int, int, str, "float | None", "int | None"]
Sent = tuple[int, int, "int | None", "float | None", "int | None", str]


def row_view(**changes: Any) -> RowView:
    return RowView(
        **{
            "name": "spend",
            "entity": USER,
            "source": SOURCE,
            "transform": lambda rows: rows,
            "features": FEATURES,
            **changes,
        }
    )


def tick_view(**changes: Any) -> SnapshotView:
    given = {"sources": (SOURCE,), "transform": lambda _, __: None, "features": FEATURES}
    return SnapshotView(**{"name": "spend", "entity": USER, **given, **changes})


def joined(spine: DataFrame, values: Sequence[ViewValues], *, as_served: bool) -> DataFrame:
    return joined_by(spine, values, time_column="at", as_served=as_served, using=USING)


def values(
    spark: SparkSession,
    *,
    history: Sequence[Said] = (),
    served: Sequence[Sent] = (),
    published: Sequence[tuple[int, int]] = (),
    view: FeatureView | None = None,
    through_us: int = T0 + 100 * DAY,
) -> ViewValues:
    """A view of (key, event, generation, flag, spend, visits); `published` is (instant, generation pointed at)."""
    chosen = view or row_view()
    revisions = [
        Revision(number, from_us, {chosen.name: Pointer(TABLE, generation, through_us)})
        for number, (from_us, generation) in enumerate(published, start=1)
    ]
    timeline = Timeline(tuple(revisions))
    steps = timeline.steps(chosen.name)
    said = [(key, moment(event_us), *rest) for key, event_us, *rest in history]
    sent = [(key, gen, moment(event_us), *rest) for key, gen, event_us, *rest in served]
    return ViewValues(
        view=chosen,
        history=frame(spark, HISTORY, said),
        served=frame(spark, SERVED, sent),
        published=timeline.published(chosen.name, TABLE),
        steps=steps,
        newest=steps[-1] if steps else None,
        revisions=tuple((one.visible_from_us, one.number) for one in revisions),
        withdraws=any("retracted" in said for said in history),
    )


def spine_of(spark: SparkSession, *rows: tuple[int | None, int | None]) -> DataFrame:
    return frame(spark, SPINE, [(key, moment(at_us), f"{key}@{at_us}") for key, at_us in rows])


def event_time(spark: SparkSession, known: ViewValues, *rows: tuple[int | None, int | None]) -> list[tuple[Any, ...]]:
    """(key, instant, status, spend) of a classic join."""
    return _told(joined(spine_of(spark, *rows), [known], as_served=False))


def as_served(spark: SparkSession, known: ViewValues, *rows: tuple[int | None, int | None]) -> list[tuple[Any, ...]]:
    """(key, instant, status, spend) of what readers were given."""
    return _told(joined(spine_of(spark, *rows), [known], as_served=True))


def _told(answered: DataFrame) -> list[tuple[Any, ...]]:
    return rows_of(answered.select("user_id", "at", "spend.status", F.col("spend.values.spend").alias("value")))


ONE_VALUE: list[Said] = [(1, T0, 5, "", 1.5, 1)]
ALWAYS = [(T0 - 50 * DAY, 5)]


def test_value_at_the_very_instant_counts(spark: SparkSession) -> None:
    known = values(spark, history=ONE_VALUE, published=ALWAYS)
    assert_same_rows(event_time(spark, known, (1, T0)), [(1, T0, "PRESENT", 1.5)])


def test_value_one_microsecond_after_the_instant_does_not_count(spark: SparkSession) -> None:
    known = values(spark, history=ONE_VALUE, published=ALWAYS)
    assert_same_rows(event_time(spark, known, (1, T0 - 1)), [(1, T0 - 1, "NOT_FOUND", None)])


def test_value_whose_age_meets_the_ttl_exactly_is_expired(spark: SparkSession) -> None:
    known = values(spark, history=ONE_VALUE, published=ALWAYS, view=row_view(ttl=days(1)))
    assert_same_rows(event_time(spark, known, (1, T0 + DAY)), [(1, T0 + DAY, "EXPIRED", None)])


def test_value_whose_age_misses_the_ttl_by_a_microsecond_is_present(spark: SparkSession) -> None:
    known = values(spark, history=ONE_VALUE, published=ALWAYS, view=row_view(ttl=days(1)))
    at_us = T0 + DAY - 1
    assert_same_rows(event_time(spark, known, (1, at_us)), [(1, at_us, "PRESENT", 1.5)])


def test_value_of_a_tick_view_ages_from_the_last_tick_that_was_evaluated(spark: SparkSession) -> None:
    view = tick_view(ttl=days(1))
    known = values(spark, history=ONE_VALUE, published=ALWAYS, view=view, through_us=T0 + 3 * DAY)
    asked = [(1, T0 + 3 * DAY + 5), (1, T0 + 4 * DAY - 1), (1, T0 + 4 * DAY)]
    told = [(*asked[0], "PRESENT", 1.5), (*asked[1], "PRESENT", 1.5), (*asked[2], "EXPIRED", None)]
    assert_same_rows(event_time(spark, known, *asked), told)


def test_values_of_equal_event_time_are_settled_by_the_newest_generation(spark: SparkSession) -> None:
    history: list[Said] = [(1, T0, 7, "", 7.0, 1), (1, T0, 5, "", 5.0, 1), (1, T0, 6, "", 6.0, 1)]
    known = values(spark, history=history, published=[(T0, 5), (T0 + 1, 6), (T0 + 2, 7)])
    assert_same_rows(event_time(spark, known, (1, T0)), [(1, T0, "PRESENT", 7.0)])


def test_spine_row_of_a_null_key_stays_and_is_not_found(spark: SparkSession) -> None:
    known = values(spark, history=ONE_VALUE, served=[(1, 5, T0, 1.5, 1, "")], published=[(T0 + 5, 5)])
    asked = [(None, T0), (None, T0 + 9), (1, T0 + 9)]
    told = [(None, T0, "NOT_FOUND", None), (None, T0 + 9, "NOT_FOUND", None), (1, T0 + 9, "PRESENT", 1.5)]
    assert_same_rows(as_served(spark, known, *asked), told)


def test_spine_row_of_a_null_time_stays_and_is_not_found(spark: SparkSession) -> None:
    known = values(spark, history=ONE_VALUE, served=[(1, 5, T0, 1.5, 1, "")], published=ALWAYS)
    told = [(1, None, "NOT_FOUND", None), (None, None, "NOT_FOUND", None)]
    assert_same_rows(as_served(spark, known, (1, None), (None, None)), told)
    assert_same_rows(event_time(spark, known, (1, None), (None, None)), told)


def test_spine_rows_that_repeat_all_come_back(spark: SparkSession) -> None:
    known = values(spark, history=ONE_VALUE, published=ALWAYS)
    told = [(1, T0, "PRESENT", 1.5)] * 3 + [(2, T0, "NOT_FOUND", None)] * 2
    assert_same_rows(event_time(spark, known, (1, T0), (2, T0), (1, T0), (2, T0), (1, T0)), told)


def test_late_row_is_not_visible_before_the_publish_that_brought_it(spark: SparkSession) -> None:
    served: list[Sent] = [(1, 5, T0, 5.0, 1, ""), (1, 6, T0 + 10, 6.0, 1, "")]
    known = values(spark, served=served, published=[(T0 + 20, 5), (T0 + 40, 6)])
    told = [(1, T0 + 39, "PRESENT", 5.0), (1, T0 + 40, "PRESENT", 6.0)]
    assert_same_rows(as_served(spark, known, (1, T0 + 39), (1, T0 + 40)), told)


def test_correction_is_visible_from_its_publish_on_and_not_before(spark: SparkSession) -> None:
    history: list[Said] = [(1, T0, 5, "", 5.0, 1), (1, T0, 6, "", 6.0, 1)]
    served: list[Sent] = [(1, 5, T0, 5.0, 1, ""), (1, 6, T0, 6.0, 1, "")]
    known = values(spark, history=history, served=served, published=[(T0 + 20, 5), (T0 + 40, 6)])
    asked = [(1, T0 + 39), (1, T0 + 40)]
    assert_same_rows(as_served(spark, known, *asked), [(*asked[0], "PRESENT", 5.0), (*asked[1], "PRESENT", 6.0)])
    assert_same_rows(event_time(spark, known, *asked), [(*one, "PRESENT", 6.0) for one in asked])


def test_retracted_statement_gives_way_to_the_one_before_it(spark: SparkSession) -> None:
    history: list[Said] = [(1, T0, 5, "", 5.0, 1), (1, T0 + 9, 5, "", 9.0, 1), (1, T0 + 9, 6, "retracted", None, None)]
    known = values(spark, history=history, published=[(T0 + 20, 5), (T0 + 40, 6)])
    assert_same_rows(event_time(spark, known, (1, T0 + 50)), [(1, T0 + 50, "PRESENT", 5.0)])


def test_nulls_of_the_winning_row_stay_and_never_mix_with_an_older_row(spark: SparkSession) -> None:
    known = values(spark, history=[(1, T0, 5, "", 1.5, 1), (1, T0 + 1, 5, "", None, 2)], published=ALWAYS)
    told = joined(spine_of(spark, (1, T0 + 1)), [known], as_served=False)
    assert_same_rows(told.select("spend.status", "spend.values"), [("PRESENT", (None, 2))])


def test_deleted_entity_is_deleted_even_when_it_is_old(spark: SparkSession) -> None:
    history: list[Said] = [(1, T0, 5, "", 1.5, 1), (1, T0 + 1, 5, "deleted", None, None)]
    known = values(spark, history=history, published=ALWAYS, view=row_view(ttl=days(1)))
    told = [(1, T0, "PRESENT", 1.5), (1, T0 + 9 * DAY, "DELETED", None)]
    assert_same_rows(event_time(spark, known, (1, T0), (1, T0 + 9 * DAY)), told)


@contextmanager
def zone_of(spark: SparkSession, zone: str) -> Iterator[None]:
    spark.conf.set("spark.sql.session.timeZone", zone)
    try:
        yield
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_clock_change_shifts_no_answer(spark: SparkSession, zone: str) -> None:
    """A day is 24 hours, also the one of 25 (5 November 2017 in New York): for ttl, delay and tick alike."""
    york = ZoneInfo("America/New_York")
    noon = round(datetime(2017, 11, 4, 12, tzinfo=york).timestamp()) * 1_000_000
    row = values(spark, history=[(1, noon, 5, "", 1.5, 1)], published=ALWAYS, view=row_view(ttl=days(1)))
    first = [(noon + 60 * DAY, 5)]
    simulated = values(
        spark, history=[(1, noon, 5, "", 1.5, 1)], published=first, view=row_view(availability_delay=days(1))
    )
    with zone_of(spark, zone):
        expired = [(1, noon + DAY - 1, "PRESENT", 1.5), (1, noon + DAY, "EXPIRED", None)]
        assert_same_rows(event_time(spark, row, (1, noon + DAY - 1), (1, noon + DAY)), expired)
        delayed = [(1, noon + DAY - 1, "NOT_FOUND", None), (1, noon + DAY, "PRESENT", 1.5)]
        assert_same_rows(as_served(spark, simulated, (1, noon + DAY - 1), (1, noon + DAY)), delayed)


def test_rollback_answers_what_the_older_generation_said(spark: SparkSession) -> None:
    served: list[Sent] = [(1, 5, T0, 5.0, 1, ""), (1, 6, T0, 6.0, 1, ""), (2, 6, T0, 2.0, 1, "")]
    known = values(spark, served=served, published=[(T0 + 10, 5), (T0 + 20, 6), (T0 + 30, 5)])
    asked = [(1, T0 + 29), (2, T0 + 29), (1, T0 + 30), (2, T0 + 30)]
    told = ["PRESENT", "PRESENT", "PRESENT", "NOT_FOUND"], [6.0, 2.0, 5.0, None]
    assert_same_rows(as_served(spark, known, *asked), [(*one, *rest) for one, *rest in zip(asked, *told, strict=True)])


def test_time_before_the_first_publish_is_simulated_with_the_delay(spark: SparkSession) -> None:
    history: list[Said] = [(1, T0, 5, "", 5.0, 1), (1, T0 + DAY, 6, "", 6.0, 1)]
    served: list[Sent] = [(1, 5, T0, 5.0, 1, ""), (1, 6, T0 + DAY, 6.0, 1, "")]
    known = values(spark, history=history, served=served, published=[(T0 + 9 * DAY, 5), (T0 + 20 * DAY, 6)])
    asked = [(1, T0 + DAY - 1), (1, T0 + DAY), (1, T0 + 2 * DAY), (1, T0 + 9 * DAY - 1), (1, T0 + 9 * DAY)]
    told = joined(spine_of(spark, *asked), [known], as_served=True)
    found = told.select(
        "at", "spend.status", F.col("spend.values.spend").alias("value"), "spend.is_simulated", "spend.revision"
    )
    expected = [
        (T0 + DAY - 1, "NOT_FOUND", None, True, None),
        (T0 + DAY, "PRESENT", 5.0, True, None),
        (T0 + 2 * DAY, "PRESENT", 6.0, True, None),
        (T0 + 9 * DAY - 1, "PRESENT", 6.0, True, None),
        (T0 + 9 * DAY, "PRESENT", 5.0, False, 1),
    ]
    assert_same_rows(found, expected)


@pytest.mark.parametrize("as_served", [True, False])
def test_spine_columns_named_like_our_own_are_untouched(spark: SparkSession, as_served: bool) -> None:
    known = values(spark, history=ONE_VALUE, served=[(1, 5, T0, 1.5, 1, "")], published=ALWAYS)
    ours = ["_gen", "_flag", "_state", "_at_us", "_era", "_side", "_carry", "_row", "_step", "_winner", "_observed_us"]
    ours += ["event_timestamp", "status", "values", "a.dotted name", "Größe"]
    spine = spine_of(spark, (1, T0), (9, T0)).select("*", *(F.lit(f"my {name}").alias(name) for name in ours))
    told = joined(spine, [known], as_served=as_served)
    assert told.columns == [*spine.columns, "spend"]
    assert_same_rows(told.drop("spend"), rows_of(spine))
    assert_same_rows(told.select("spend.status"), [("PRESENT",), ("NOT_FOUND",)])


def test_unpublished_view_says_so_and_counts_nothing(spark: SparkSession) -> None:
    known = values(spark, history=ONE_VALUE, served=[(1, 5, T0, 1.5, 1, "")])
    told = [(1, T0, "UNPUBLISHED", None), (None, T0, "NOT_FOUND", None), (1, None, "NOT_FOUND", None)]
    assert_same_rows(as_served(spark, known, (1, T0), (None, T0), (1, None)), told)
    assert_same_rows(event_time(spark, known, (1, T0), (None, T0), (1, None)), told)


def test_unpublished_view_tells_the_revision_of_the_others(spark: SparkSession) -> None:
    known = replace(values(spark), revisions=((T0, 1), (T0 + 10, 2)))
    told = joined(spine_of(spark, (1, T0 - 1), (1, T0), (1, T0 + 10)), [known], as_served=True)
    assert_same_rows(told.select("at", "spend.revision"), [(T0 - 1, None), (T0, 1), (T0 + 10, 2)])


def test_revision_that_moves_other_views_only_is_told_and_changes_no_value(spark: SparkSession) -> None:
    known = values(spark, served=[(1, 5, T0, 1.5, 1, "")], published=[(T0, 5)])
    known = replace(known, revisions=((T0, 1), (T0 + 10, 2)))
    told = joined(spine_of(spark, (1, T0 + 9), (1, T0 + 10)), [known], as_served=True)
    found = told.select("at", "spend.revision", "spend.generation", F.col("spend.values.spend").alias("value"))
    assert_same_rows(found, [(T0 + 9, 1, 5, 1.5), (T0 + 10, 2, 5, 1.5)])


def test_refused_generation_never_counts(spark: SparkSession) -> None:
    history: list[Said] = [
        (1, T0, 5, "", 5.0, 1),
        (1, T0, 6, "", 66.0, 1),
        (1, T0 + 1, 6, "", 66.0, 1),
        (1, T0 + 2, 7, "", 7.0, 1),
    ]
    served: list[Sent] = [(1, 5, T0, 5.0, 1, ""), (1, 6, T0 + 1, 66.0, 1, ""), (1, 7, T0 + 2, 7.0, 1, "")]
    known = values(spark, history=history, served=served, published=[(T0 + 10, 5), (T0 + 30, 7)])
    assert_same_rows(event_time(spark, known, (1, T0 + 1)), [(1, T0 + 1, "PRESENT", 5.0)])
    told = [(1, T0 + 29, "PRESENT", 5.0), (1, T0 + 30, "PRESENT", 7.0)]
    assert_same_rows(as_served(spark, known, (1, T0 + 29), (1, T0 + 30)), told)


def test_mode_without_eras_marks_nothing_as_simulated(spark: SparkSession) -> None:
    known = values(spark, history=ONE_VALUE, published=ALWAYS)
    told = joined(spine_of(spark, (1, T0), (1, None)), [known], as_served=False)
    assert_same_rows(told.select("spend.is_simulated"), [(False,), (False,)])


def test_ticks_with_an_offset_count_from_it(spark: SparkSession) -> None:
    view = tick_view(ttl=days(1), every=days(1), offset=timedelta(hours=6))
    known = values(spark, history=[(1, T0 + DAY // 4, 5, "", 1.5, 1)], published=ALWAYS, view=view)
    told = joined(spine_of(spark, (1, T0 + DAY), (1, T0 + DAY + DAY // 4)), [known], as_served=False)
    assert_same_rows(told.select("spend.age_us"), [(3 * DAY // 4,), (0,)])
