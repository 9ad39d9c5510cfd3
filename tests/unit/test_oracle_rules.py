"""The oracle's rule by hand-computed tables: one rule per test, times in µs, one feature `v`.

Unless a test says otherwise: generation 100 is published as revision 1, visible from 110; generation 200 as revision 2,
visible from 210; a row is (event time, generation, value, flag); the view is a row view without a ttl.
"""

from __future__ import annotations

from typing import Any

from tests.support.oracle import (
    ABORTED,
    DELETED,
    REFUSED,
    RETRACTED,
    Answer,
    Generation,
    Revision,
    Row,
    World,
    as_known,
    as_served,
    event_time,
)

KEY = (1, "a")
G100, G200 = Generation(100, through_us=100), Generation(200, through_us=200)
R1, R2 = Revision(1, 110, 100), Revision(2, 210, 200)


def world(*rows: tuple, generations: tuple = (G100, G200), revisions: tuple = (R1, R2), **rules: Any) -> World:
    said = tuple(Row(KEY, row[0], row[1], {"v": row[2]}, *row[3:]) for row in rows)
    return World(("v",), said, generations, revisions, **rules)


def told(answer: Answer) -> tuple[str, Any]:
    return answer.statuses["v"], answer.values["v"]


def served(given: World, at_us: int | None, key: tuple = KEY) -> tuple[str, Any]:
    return told(as_served(given, key, at_us))


def test_value_at_the_instant_counts() -> None:
    assert told(event_time(world((50, 100, "old"), (60, 100, "new")), KEY, 60)) == ("PRESENT", "new")


def test_value_one_microsecond_later_does_not_count() -> None:
    assert told(event_time(world((50, 100, "old"), (61, 100, "new")), KEY, 60)) == ("PRESENT", "old")


def test_entity_without_rows_is_not_found() -> None:
    assert served(world((50, 100, "x")), 150, key=(1, "b")) == ("NOT_FOUND", None)


def test_null_key_or_null_time_is_not_found() -> None:
    given = world((50, 100, "x"))
    assert served(given, 150, key=(1, None)) == ("NOT_FOUND", None)
    assert served(given, 150, key=(None, "a")) == ("NOT_FOUND", None)
    assert served(given, None) == ("NOT_FOUND", None)


def test_null_key_or_null_time_is_not_found_even_of_an_unpublished_view() -> None:
    given = world((50, 100, "x"), revisions=())
    answers = served(given, 150, key=(1, None)), served(given, None), served(given, 150)
    assert [status for status, _ in answers] == ["NOT_FOUND", "NOT_FOUND", "UNPUBLISHED"]


def test_ttl_met_exactly_expires_and_withholds_the_value() -> None:
    assert served(world((50, 100, "x"), ttl_us=100), 150) == ("EXPIRED", None)


def test_ttl_missed_by_one_microsecond_does_not_expire() -> None:
    assert served(world((50, 100, "x"), ttl_us=100), 149) == ("PRESENT", "x")


def test_ttl_none_never_expires() -> None:
    assert served(world((50, 100, "x")), 10**15) == ("PRESENT", "x")


def test_deleted_row_is_deleted_even_when_older_than_ttl() -> None:
    assert served(world((50, 100, None, DELETED), ttl_us=1), 150) == ("DELETED", None)


def test_null_value_is_null_and_too_old_null_is_expired() -> None:
    given = world((50, 100, None), ttl_us=100)
    assert served(given, 149) == ("NULL", None)
    assert served(given, 150) == ("EXPIRED", None)


def test_late_row_is_not_visible_before_its_publish() -> None:
    given = world((50, 100, "old"), (90, 200, "late"))
    assert served(given, 209) == ("PRESENT", "old")
    assert served(given, 210) == ("PRESENT", "late")
    assert told(event_time(given, KEY, 150)) == ("PRESENT", "late")


def test_late_row_older_than_the_current_one_changes_nothing() -> None:
    assert served(world((50, 100, "x"), (40, 200, "late")), 220) == ("PRESENT", "x")


def test_correction_is_visible_after_its_publish_and_not_before() -> None:
    given = world((50, 100, "wrong"), (50, 200, "right"))
    assert served(given, 209) == ("PRESENT", "wrong")
    assert served(given, 210) == ("PRESENT", "right")


def test_retraction_uncovers_the_earlier_value() -> None:
    given = world((40, 100, "earlier"), (50, 100, "mistake"), (50, 200, None, RETRACTED))
    assert served(given, 209) == ("PRESENT", "mistake")
    assert served(given, 210) == ("PRESENT", "earlier")


def test_retraction_of_the_only_value_leaves_nothing() -> None:
    assert served(world((50, 100, "mistake"), (50, 200, None, RETRACTED)), 210) == ("NOT_FOUND", None)


def test_retraction_of_a_deletion_brings_the_value_back() -> None:
    given = world((40, 100, "x"), (50, 100, None, DELETED), (50, 200, None, RETRACTED))
    assert served(given, 209) == ("DELETED", None)
    assert served(given, 210) == ("PRESENT", "x")


def test_statement_after_a_retraction_stands_again() -> None:
    given = world((50, 100, None, RETRACTED), (50, 200, "again"))
    assert served(given, 110) == ("NOT_FOUND", None)
    assert served(given, 210) == ("PRESENT", "again")


def test_deleted_entity_that_returns_is_present_again() -> None:
    given = world((40, 100, "x"), (50, 100, None, DELETED), (60, 200, "back"))
    assert served(given, 209) == ("DELETED", None)
    assert served(given, 210) == ("PRESENT", "back")
    assert told(event_time(given, KEY, 59)) == ("DELETED", None)


def test_rollback_answers_old_rows_from_its_instant_on() -> None:
    given = world((50, 100, "old"), (50, 200, "bad"), revisions=(R1, R2, Revision(3, 300, 100)))
    assert served(given, 299) == ("PRESENT", "bad")
    assert served(given, 300) == ("PRESENT", "old")
    assert served(given, 250) == ("PRESENT", "bad"), "the past stays what it was"


def test_rollback_makes_newest_mean_the_generation_pointed_at() -> None:
    given = world((50, 100, "old"), (50, 200, "bad"), revisions=(R1, R2, Revision(3, 300, 100)))
    assert told(event_time(given, KEY, 60)) == ("PRESENT", "old")
    assert served(given, 60) == ("PRESENT", "old")


def test_roll_forward_answers_new_rows_again() -> None:
    moves = (R1, R2, Revision(3, 300, 100), Revision(4, 400, 200))
    assert served(world((50, 100, "old"), (50, 200, "new"), revisions=moves), 400) == ("PRESENT", "new")


def test_aborted_and_refused_generations_never_count() -> None:
    fates = (G100, Generation(120, ABORTED), Generation(130, REFUSED), G200)
    given = world((50, 100, "x"), (50, 120, "aborted"), (60, 130, "refused"), (70, 200, "y"), generations=fates)
    assert served(given, 209) == ("PRESENT", "x")
    assert served(given, 210) == ("PRESENT", "y")
    assert told(event_time(given, KEY, 60)) == ("PRESENT", "x")


def test_first_publish_instant_belongs_to_the_served_era() -> None:
    given = world((50, 100, "x"), delay_us=1_000)
    before, at = as_served(given, KEY, 109), as_served(given, KEY, 110)
    assert (told(before), before.simulated, before.revision) == (("NOT_FOUND", None), True, None)
    assert (told(at), at.simulated, at.revision) == (("PRESENT", "x"), False, 1)


def test_simulated_era_waits_for_the_delay() -> None:
    given = world((50, 100, "x"), delay_us=30)
    assert served(given, 79) == ("NOT_FOUND", None)
    assert served(given, 80) == ("PRESENT", "x")


def test_simulated_era_uses_the_newest_generation() -> None:
    assert served(world((50, 100, "wrong"), (50, 200, "right")), 60) == ("PRESENT", "right")


def test_simulated_age_counts_from_the_time_itself_not_from_the_delayed_one() -> None:
    given = world((50, 100, "x"), delay_us=20, ttl_us=40)
    assert served(given, 89) == ("PRESENT", "x")
    assert served(given, 90) == ("EXPIRED", None)


def test_simulated_mark_follows_the_time_alone() -> None:
    given = world((50, 100, "x"))
    assert as_served(given, (1, None), 109).simulated
    assert not as_served(given, (1, None), 110).simulated
    assert not as_served(given, KEY, None).simulated


def test_view_without_revision_is_unpublished_in_every_mode() -> None:
    given = world((50, 100, "x"), revisions=(Revision(1, 110, None),))
    answers = (as_served(given, KEY, 150), event_time(given, KEY, 150), as_known(given, KEY, 150, known_us=150))
    assert [(told(one), one.simulated) for one in answers] == [(("UNPUBLISHED", None), False)] * 3


def test_revision_of_other_views_before_the_first_publish_is_still_simulated() -> None:
    given = world((50, 100, "x"), revisions=(Revision(1, 105, None), Revision(2, 110, 100)))
    assert as_served(given, KEY, 107).simulated


def test_as_known_takes_the_generation_of_then_and_the_time_asked_for() -> None:
    given = world((50, 100, "wrong"), (50, 200, "right"), (60, 100, "newer"))
    assert told(as_known(given, KEY, 55, known_us=209)) == ("PRESENT", "wrong")
    assert told(as_known(given, KEY, 55, known_us=210)) == ("PRESENT", "right")
    assert told(as_known(given, KEY, 55, known_us=109)) == ("UNPUBLISHED", None)


def test_tick_view_unchanged_value_is_not_old() -> None:
    given = world((40, 100, "x"), every_us=10, ttl_us=15)
    assert served(given, 114) == ("PRESENT", "x"), "known to hold through tick 100, not only since tick 40"


def test_tick_view_expires_when_its_pipeline_stops() -> None:
    given = world((40, 100, "x"), revisions=(R1,), every_us=10, ttl_us=50)
    assert served(given, 149) == ("PRESENT", "x")
    assert served(given, 150) == ("EXPIRED", None)


def test_tick_view_freshness_ends_at_the_last_tick_before_the_instant() -> None:
    given = world((40, 100, "x"), every_us=10, offset_us=3, ttl_us=10)
    assert event_time(given, KEY, 72).age_us == 9
    assert event_time(given, KEY, 73).age_us == 0


def test_tick_view_rolled_back_is_as_old_as_the_generation_pointed_at() -> None:
    given = world((40, 100, "x"), revisions=(R1, R2, Revision(3, 300, 100)), every_us=10)
    assert [as_served(given, KEY, at_us).age_us for at_us in (299, 300)] == [99, 200]


def test_winner_keeps_its_own_nulls() -> None:
    rows = (Row(KEY, 50, 100, {"v": "old", "w": 1}), Row(KEY, 60, 100, {"v": None, "w": 2}))
    answer = as_served(World(("v", "w"), rows, (G100,), (R1,)), KEY, 150)
    assert (answer.statuses, answer.values) == ({"v": "NULL", "w": "PRESENT"}, {"v": None, "w": 2})


def test_withheld_value_still_tells_its_event_time_and_age() -> None:
    answer = as_served(world((50, 100, "x"), ttl_us=1), KEY, 150)
    assert (answer.event_us, answer.age_us, answer.generation, answer.revision) == (50, 100, 100, 1)


def test_event_before_1970_is_an_event_like_any_other() -> None:
    given = world((-1_000_001, 100, "x"), (-1, 100, "y"))
    assert told(event_time(given, KEY, -1_000_001)) == ("PRESENT", "x")
    assert told(event_time(given, KEY, -2)) == ("PRESENT", "x")
    assert told(event_time(given, KEY, 0)) == ("PRESENT", "y")
