from __future__ import annotations

from skewless.core.vector import Status
from tests.online.shop import SECOND, T0, Shop, keys_of, rows_of


def spend(shop: Shop, user: int = 1) -> object:
    return shop.client().get("svc", {"user_id": user}).values["spend:spend"]


def test_rows_of_an_unpublished_generation_are_never_seen(shop: Shop) -> None:
    view = shop.view()
    shop.serve(view)
    shop.put(view, 5, (1, T0, "", 5.0, 1))
    shop.publish((view, 5))
    shop.put(view, 6, (1, T0, "", 6.0, 1), (2, T0, "", 6.0, 1))
    assert spend(shop) == 5.0
    assert shop.client().get("svc", {"user_id": 2}).status["spend:spend"] is Status.NOT_FOUND


def test_pointer_above_the_newest_row_answers_that_row(shop: Shop) -> None:
    view = shop.view()
    shop.serve(view)
    shop.put(view, 5, (1, T0, "", 5.0, 1))
    shop.publish((view, 9))
    vector = shop.client().get("svc", {"user_id": 1})
    assert (vector.values["spend:spend"], vector.generation) == (5.0, {"spend": 9})


def test_rollback_to_an_older_generation_answers_its_row_again(shop: Shop) -> None:
    view = shop.view()
    shop.serve(view)
    for generation in (5, 6):
        shop.put(view, generation, (1, T0, "", float(generation), 1))
        shop.publish((view, generation), at_us=T0 + generation)
    shop.clock.instant_us = T0 + SECOND
    assert spend(shop) == 6.0
    shop.publish((view, 5), at_us=T0 + SECOND, kind="rollback")
    assert spend(shop) == 5.0


def test_revision_moves_all_its_views_at_one_instant(shop: Shop) -> None:
    one, two = shop.view("one"), shop.view("two")
    shop.serve(one, two)
    for generation in (5, 6):
        for view in (one, two):
            shop.put(view, generation, (1, T0, "", float(generation), 1))
    shop.publish((one, 5), (two, 5))
    client = shop.client()
    shop.publish((one, 6), (two, 6), at_us=T0 + 2 * SECOND)
    seen = []
    for instant_us in (T0, T0 + 2 * SECOND - 1, T0 + 2 * SECOND):
        shop.clock.instant_us = instant_us
        vector = client.get("svc", {"user_id": 1})
        seen.append((vector.values["one:spend"], vector.values["two:spend"], vector.revision))
    assert seen == [(5.0, 5.0, 1), (5.0, 5.0, 1), (6.0, 6.0, 2)]


def test_abandoned_generation_without_purge_leaks_into_the_next_one(shop: Shop) -> None:
    # Why recovery must purge before anything else may publish: 7 <= 8.
    view = shop.view()
    shop.serve(view)
    shop.put(view, 5, (1, T0, "", 5.0, 1), (2, T0, "", 5.0, 1))
    shop.put(view, 7, (1, T0, "", 777.0, 1))
    shop.put(view, 8, (2, T0, "", 8.0, 1))
    shop.publish((view, 8))
    assert spend(shop) == 777.0


def test_abandoned_generation_after_purge_leaves_nothing_behind(shop: Shop) -> None:
    view = shop.view()
    shop.serve(view)
    shop.put(view, 5, (1, T0, "", 5.0, 1), (2, T0, "", 5.0, 1))
    shop.put(view, 7, (1, T0, "", 777.0, 1))
    # The purge is told every key that the push would have written, also those that it never reached.
    purged = shop.purge(view, 7, keys_of(view, [(1,), (2,), (3,)]))
    shop.put(view, 8, (2, T0, "", 8.0, 1))
    shop.publish((view, 8))
    assert purged["written"] == 3
    assert (spend(shop, 1), spend(shop, 2)) == (5.0, 8.0)
    assert shop.client().get("svc", {"user_id": 3}).status["spend:spend"] is Status.NOT_FOUND


def test_purge_run_twice_changes_nothing_more(shop: Shop) -> None:
    view = shop.view()
    shop.put(view, 5, (1, T0, "", 5.0, 1))
    shop.put(view, 7, (1, T0, "", 7.0, 1))
    for _ in range(2):
        shop.purge(view, 7, keys_of(view, [(1,)]))
    assert shop.verify(view, 5, rows_of(view, [(1, T0, "", 5.0, 1)]))["mismatches"] == 0
    assert shop.verify(view, 7, rows_of(view, [(1, T0, "", 7.0, 1)]))["first"] == [
        "spend[user_id=1]: the row is missing"
    ]


def test_write_repeated_and_cut_differently_gives_the_same_rows(shop: Shop) -> None:
    view = shop.view()
    rows = [(user, T0, "", float(user), user) for user in range(50)]
    first = shop.write(view, 5, rows_of(view, rows))
    shop.write(view, 5, rows_of(view, rows[:7]), rows_of(view, rows[7:]))
    assert first["written"] == 50
    assert shop.verify(view, 5, rows_of(view, rows)) == {"checked": 50, "mismatches": 0, "first": []}


def test_write_without_rows_writes_nothing(shop: Shop) -> None:
    view = shop.view()
    assert shop.write(view, 5)["written"] == 0
    assert shop.write(view, 5, rows_of(view, []))["written"] == 0


def test_verification_names_each_cell_that_differs(shop: Shop) -> None:
    view = shop.view()
    shop.put(view, 5, (1, T0, "", 0.0, 1), (2, T0, "deleted", None, None), (3, T0, "", 3.0, 3))
    served = [(1, T0, "", -0.0, None), (2, T0 + 1, "", None, None), (3, T0, "", 3.0, 3), (4, T0, "", 4.0, 4)]
    result = shop.verify(view, 5, rows_of(view, served))
    assert (result["checked"], result["mismatches"]) == (4, 5)
    assert sorted(result["first"]) == [
        "spend[user_id=1]: spend is 0.0 online, -0.0 in the served table",
        "spend[user_id=1]: visits is 1 online, None in the served table",
        "spend[user_id=2]: _state is 1 online, None in the served table",
        f"spend[user_id=2]: event_us is {T0} online, {T0 + 1} in the served table",
        "spend[user_id=4]: the row is missing",
    ]


def test_verification_keeps_the_first_twenty_descriptions_and_counts_all(shop: Shop) -> None:
    view = shop.view()
    result = shop.verify(view, 5, rows_of(view, [(user, T0, "", 1.0, 1) for user in range(100)]))
    assert (result["checked"], result["mismatches"], len(result["first"])) == (100, 100, 20)
