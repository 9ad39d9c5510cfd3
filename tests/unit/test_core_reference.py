"""The one spelling of a view version."""

from __future__ import annotations

import pytest

from skewless.core.reference import (
    is_meant,
    reference_order,
    short_reference,
    view_name,
    view_reference,
    view_version,
)


def test_reference_is_taken_apart_into_what_it_was_made_of() -> None:
    reference = view_reference("spend", 12)
    assert reference == "spend@12"
    assert (view_name(reference), view_version(reference)) == ("spend", 12)
    assert view_name("spend") == "spend"


@pytest.mark.parametrize(
    ("spelling", "is_it"),
    [("spend", True), ("spend@1", True), ("spend@12", False), ("spend@", False), ("spen", False), ("", False)],
)
def test_reference_is_meant_by_its_name_and_by_itself_only(spelling: str, is_it: bool) -> None:
    assert is_meant("spend@1", spelling) is is_it


@pytest.mark.parametrize(
    ("known", "short"),
    [
        (["spend@1"], "spend"),
        (["spend@1", "spender@2"], "spend"),
        (["spend@1", "spend@2"], "spend@1"),
        (["spend@2"], "spend@1"),
        ([], "spend@1"),
    ],
)
def test_reference_is_short_where_no_other_version_is_known(known: list[str], short: str) -> None:
    assert short_reference("spend@1", known) == short


def test_references_stand_in_the_order_of_their_numbers() -> None:
    assert sorted(["b@10", "b@9", "a@11", "b"], key=reference_order) == ["a@11", "b", "b@9", "b@10"]
