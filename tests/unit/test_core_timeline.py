"""Which revision readers use at an instant."""

from __future__ import annotations

import pytest

from skewless.core.timeline import Pointer, Revision, Step, Timeline

A1, A2, B5, OTHER = Pointer("a_v1", 1, 10), Pointer("a_v1", 2, 20), Pointer("b_v1", 5, 0), Pointer("a_v2", 9, 30)
TIMELINE = Timeline(
    (
        Revision(1, 100, {"a": A1}),
        Revision(2, 200, {"a": A1, "b": B5}),
        Revision(3, 300, {"a": A2, "b": B5}),
        Revision(4, 400, {"a": A1, "b": B5}, kind="rollback"),
        Revision(5, 500, {"a": OTHER}),
    )
)


@pytest.mark.parametrize(
    ("instant_us", "number"), [(-1, None), (99, None), (100, 1), (199, 1), (200, 2), (399, 3), (400, 4), (10**18, 5)]
)
def test_timeline_at_an_instant_is_the_last_revision_visible_by_then(instant_us: int, number: int | None) -> None:
    found = TIMELINE.at(instant_us)
    assert (found.number if found else None) == number


def test_timeline_without_revisions_has_nothing() -> None:
    empty = Timeline()
    assert (empty.head, empty.at(0), empty.numbered(1), empty.steps("a")) == (None, None, None, ())
    assert empty.published("a", "a_v1") == frozenset()


def test_timeline_head_is_the_newest_even_before_it_is_visible() -> None:
    assert TIMELINE.head == TIMELINE.revisions[-1]
    assert TIMELINE.numbered(3) == TIMELINE.revisions[2]
    assert TIMELINE.numbered(6) is None


def test_timeline_steps_fold_revisions_that_do_not_move_the_view_and_keep_rollbacks() -> None:
    assert TIMELINE.steps("a") == (Step(100, 1, A1), Step(300, 3, A2), Step(400, 4, A1), Step(500, 5, OTHER))
    assert TIMELINE.steps("b") == (Step(200, 2, B5),)
    assert TIMELINE.steps("c") == ()


def test_timeline_step_that_moves_only_through_is_kept() -> None:
    further = Pointer("a_v1", 1, 11)
    timeline = Timeline((Revision(1, 100, {"a": A1}), Revision(2, 200, {"a": further})))
    assert timeline.steps("a") == (Step(100, 1, A1), Step(200, 2, further))


def test_timeline_published_generations_are_those_of_one_table() -> None:
    assert TIMELINE.published("a", "a_v1") == {1, 2}
    assert TIMELINE.published("a", "a_v2") == {9}
    assert TIMELINE.published("b", "a_v1") == frozenset()


@pytest.mark.parametrize(
    ("upto", "views", "number"),
    [
        (1, (), None),
        (2, ("b",), None),
        (3, ("a",), 2),  # not the first: the newest of those that stood at the older generation
        (3, ("b",), None),
        (3, (), 2),
        (4, ("a",), None),  # rolled back already: the revision before stood at a greater generation
    ],
)
def test_timeline_before_is_the_newest_revision_with_older_values_and_no_newer_ones(
    upto: int, views: tuple[str, ...], number: int | None
) -> None:
    found = Timeline(TIMELINE.revisions[:upto]).before(views)
    assert (found.number if found else None) == number
