"""Which names are legal."""

from __future__ import annotations

import pytest

from skewless.core.names import RESERVED, checked_name, feature_column, feature_reference, unique_names
from skewless.errors import DefinitionError


@pytest.mark.parametrize("name", ["a", "spend_7d", "a" * 48, "a_", "event_timestamps"])
def test_name_on_the_pattern_is_returned(name: str) -> None:
    assert checked_name(name, what="Feature") == name


@pytest.mark.parametrize(
    "name",
    ["", "7d", "_a", "A", "spend-7d", "a b", "a\n", "ä", "а", "a" * 49, 'a"', "a`", "a;--", "a.b", "../a", None, 7],
)  # fmt: skip
def test_name_off_the_pattern_is_refused_in_one_line(name: object) -> None:
    with pytest.raises(DefinitionError, match=r"Feature name .* is not legal\. Use 1 to 48") as caught:
        checked_name(name, what="Feature")  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", sorted(name for name in RESERVED if not name.startswith("_")))
def test_name_of_a_platform_column_is_refused(name: str) -> None:
    with pytest.raises(DefinitionError, match="kept for the platform's own columns"):
        checked_name(name, what="Feature")


@pytest.mark.parametrize("name", ["a__b", "a__", "a___b"])
def test_name_with_the_separator_is_refused(name: str) -> None:
    with pytest.raises(DefinitionError, match="separates view and feature"):
        checked_name(name, what="Feature")


def test_unique_names_keep_their_order_and_refuse_a_repeat() -> None:
    assert unique_names(["b", "a"], what="Feature", where="view 'v'") == ("b", "a")
    with pytest.raises(DefinitionError, match="Feature 'b' occurs twice in view 'v'"):
        unique_names(["b", "a", "b"], what="Feature", where="view 'v'")


def test_feature_has_a_column_in_training_sets_and_a_reference_in_vectors() -> None:
    assert feature_column("spend", "total") == "spend__total"
    assert feature_reference("spend", "total") == "spend:total"
