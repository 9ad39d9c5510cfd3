"""What definitions refuse, each in one line that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from skewless.core.aggregate import Count, CountDistinct, Mean, Ratio, Sum
from skewless.core.dtypes import Decimal, DType, Float32, Float64, Int64, String, Timestamp, Vector
from skewless.core.entity import Entity
from skewless.core.readiness import Within
from skewless.core.rules import Scope, Severity, gxe
from skewless.core.service import Definitions, FeatureService, unknown_name
from skewless.core.source import DeltaSource
from skewless.core.time import days, hours
from skewless.core.view import Feature, FeatureRef, RowView, SnapshotView, WindowView
from skewless.errors import DefinitionError, SkewlessError, UsageError

USER = Entity("user", {"user_id": Int64, "region": String})
CLICKS = DeltaSource("clicks", "raw/clicks", "at", {"at": Timestamp, "user_id": Int64, "price": Float64, "no": Int64})


def _row(**change: Any) -> RowView:
    given: dict[str, Any] = {"features": (Feature("price", Float64), Feature("no", Int64)), **change}
    return RowView(name=given.pop("name", "click"), entity=USER, source=CLICKS, transform=len, **given)


def _window(**change: Any) -> WindowView:
    given: dict[str, Any] = {"aggregates": {"clicks_7d": Count(over=days(7))}, **change}
    return WindowView(name=given.pop("name", "clicking"), entity=USER, source=CLICKS, events=len, **given)


def _snapshot(*sources: DeltaSource) -> SnapshotView:
    return SnapshotView(
        name="s", entity=USER, sources=sources, transform=lambda frames, _: frames, features=(Feature("f", Int64),)
    )


REFUSED: list[tuple[Callable[[], object], str]] = [
    (lambda: Entity("User", {"id": Int64}), r"Entity name 'User' is not legal"),
    (lambda: Entity("user", {}), r"Entity 'user' has no keys\. Name at least one"),
    (lambda: Entity("user", {"event_timestamp": Int64}), r"Key of entity 'user': name 'event_timestamp' is kept"),
    (lambda: DeltaSource("s", "p", "at", {}), r"needs its event time 'at' in its schema.*it is None"),
    (lambda: DeltaSource("s", "p", "at", {"at": Int64}), r"as a Timestamp \(it is int64\)"),
    (lambda: replace(CLICKS, tie_break=("nothing",)), r"breaks ties by \['nothing'\], which its schema does not have"),
    (lambda: replace(CLICKS, tie_break=("no", "no")), r"Tie-break column 'no' occurs twice in source 'clicks'"),
    (lambda: Within(-hours(1)), r"would wait for events after the tick"),
    (lambda: _row(name="click__x"), r"Feature view name 'click__x' holds '__'"),
    (lambda: _row(version=0), r"has version 0\. Versions are 1, 2, 3"),
    (lambda: _row(ttl=timedelta(0)), r"nothing would ever be served\. Use None for 'never'"),
    (lambda: _row(ttl=-days(1)), r"nothing would ever be served"),
    (lambda: _row(every=timedelta(0)), r"never ticks"),
    (lambda: _row(offset=days(1)), r"less than the period"),
    (lambda: _row(start=datetime(2017, 1, 1)), r"has no time zone"),  # noqa: DTZ001 - the point of the case
    (lambda: _row(features=()), r"View 'click' has no features"),
    (lambda: _row(features=(Feature("a", Int64), Feature("a", String))), r"Feature 'a' occurs twice in view 'click'"),
    (lambda: _row(features=(Feature("region", Int64),)), r"named like its keys: \['region'\]"),
    (lambda: _row(availability_delay=-hours(1)), r"values would be known before their time"),
    (lambda: _row(quality=("not null",)), r"quality rule 'not null' is not one of ours"),
    (lambda: _row(online_layout="woven"), r"online_layout 'woven'. Use one of typed, packed"),
    (
        lambda: replace(_row(), online_layout="packed", entity=Entity("parcel", {"packed": Int64})),
        r"is packed and has a key 'packed'.* Rename the key",
    ),
    (lambda: Feature("gen", Int64), r"Feature name 'gen' is kept"),
    (lambda: _window(aggregates={}), r"View 'clicking' has no features"),
    (lambda: _window(aggregates={"n": Count()}), r"Aggregate 'n' of view 'clicking' has no window"),
    (lambda: _window(aggregates={"n": Count(over=-days(1))}), r"has no window"),
    (lambda: _window(aggregates={"N": Count(over=days(1))}), r"Feature name 'N' is not legal"),
    (lambda: _snapshot(CLICKS, CLICKS), r"Source 'clicks' occurs twice in view 's'"),
    (lambda: replace(_snapshot(CLICKS), lookback={"clicks": days(0)}), r"looks back no time into \['clicks'\]"),
    (lambda: Sum("price", scale=-1), r"Scale -1 of an aggregate of 'price': give 0 to 15 digits"),
    (lambda: Mean("price", scale=16), r"Scale 16 of an aggregate"),
    (lambda: Sum("price", dtype=String), r"Sum\('price'\) gives Float64 or Int64, not string"),
    (lambda: Ratio(Mean("price"), Count()), r"it does not nest"),
    (lambda: Ratio(Count(over=days(1)), Count(over=days(2))), r"look at different windows"),
    (lambda: Ratio(Count(over=days(1)), Count(), over=days(2)), r"look at different windows"),
    (lambda: _row().pick("prise"), r"View 'click' has no features \['prise'\]; it has \['price', 'no'\]"),
    (lambda: FeatureService("S", features=[_row()]), r"Feature service name 'S' is not legal"),
    (lambda: FeatureService("s", features=_row()), r"Service 's' takes a list: features=\[click\]"),
    (lambda: FeatureService("s", features=[]), r"Service 's' has no features"),
    (lambda: FeatureService("s", features=[_row(), _row().pick("no")]), r"Feature 'click:no' occurs twice"),
    (
        lambda: FeatureService("s", features=[_row().pick("no"), _row(version=2).pick("price")]),
        r"View 'click' occurs twice in service 's' in two versions",
    ),
    (lambda: Definitions(views=[_row(), _row(version=2), _row(ttl=days(1))]), r"View 'click@1' occurs twice"),
    (
        lambda: Definitions(views=[_row()], services=[FeatureService("click", features=[_row()])]),
        r"View or service 'click' occurs twice",
    ),
    (
        lambda: Definitions(views=[_row(version=2)], services=[FeatureService("s", features=[_row()])]),
        r"Service 's' wants click:price of version 1, which is not defined",
    ),
    (
        lambda: Definitions(views=[], services=[FeatureService("s", features=[_row()])]),
        r"wants click:price of version 1, which is not defined",
    ),
    (
        lambda: Definitions(views=[_row(), replace(_window(), entity=Entity("user", {"user_id": Int64}))]),
        r"Entity 'user' occurs twice in feature_defs with different meanings",
    ),
    (
        lambda: Definitions(views=[_row(), replace(_window(), source=replace(CLICKS, path="raw/other"))]),
        r"Source 'clicks' occurs twice in feature_defs with different meanings",
    ),
    (lambda: gxe.ExpectColumnToExist(column="a", severity="fatal"), r"Severity is critical, warning or info"),
    (lambda: gxe.ExpectColumnToExist(column="a", scope="all"), r"scope changed or current"),
]


@pytest.mark.parametrize(("define", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_definition_that_makes_no_sense_is_refused_in_one_line(define: Callable[[], object], message: str) -> None:
    with pytest.raises(SkewlessError, match=message) as caught:
        define()
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("dtype", [Float64, Float32, Timestamp, Decimal(10, 2), Vector(3)], ids=str)
def test_entity_key_of_doubtful_equality_is_refused(dtype: DType) -> None:
    with pytest.raises(DefinitionError, match="whose equality leaves doubt"):
        Entity("user", {"id": dtype})


def test_entity_keys_keep_their_order() -> None:
    assert USER.key_names == ("user_id", "region")


def test_view_kinds_differ_in_ticks_and_sources() -> None:
    assert (_row().kind, _row().has_ticks, _row().sources) == ("row", False, (CLICKS,))
    assert (_window().kind, _window().has_ticks, _window().sources) == ("window", True, (CLICKS,))
    assert (_snapshot(CLICKS).kind, _snapshot(CLICKS).has_ticks) == ("snapshot", True)


def test_view_availability_delay_defaults_to_one_period() -> None:
    assert _row(every=hours(6)).delay_us == 6 * 3_600_000_000
    assert _row(every=hours(6), availability_delay=timedelta(0)).delay_us == 0


def test_view_pick_of_nothing_is_all_of_it() -> None:
    assert _row().pick() == (FeatureRef("click", 1, "price"), FeatureRef("click", 1, "no"))
    assert [str(ref) for ref in _row().pick("no")] == ["click:no"]


def test_window_view_features_follow_its_aggregates() -> None:
    total, share = Sum("no", over=days(7), dtype=Int64), Ratio(Count(where="no > 1"), Count(), over=days(7))
    view = _window(aggregates={"total": total, "share": share}, descriptions={"total": "All."})
    assert view.features == (Feature("total", Int64, "All."), Feature("share", Float64))


def test_window_view_tile_is_the_greatest_common_divisor_of_period_and_windows() -> None:
    view = _window(every=hours(6), aggregates={"a": Count(over=days(1)), "b": Mean("price", over=hours(4))})
    assert view.tile_us == 2 * 3_600_000_000


def test_aggregate_types_and_parts() -> None:
    assert Count().dtype == CountDistinct("no").dtype == Int64
    assert (Sum("price").dtype, Sum("price").scale) == (Float64, 6)
    assert (Sum("no", dtype=Int64).dtype, Sum("no", dtype=Int64).scale) == (Int64, 0)
    assert Count(over=days(1)).windows() == (Count(over=days(1)),)


def test_aggregate_mean_is_the_sum_over_the_count_of_the_same_rows() -> None:
    mean = Mean("price", over=days(7), where="no > 1", scale=2)
    assert mean.windows() == (
        Sum("price", over=days(7), where="no > 1", scale=2),
        Count("price", over=days(7), where="no > 1"),
    )
    assert (mean.over, mean.dtype) == (days(7), Float64)


@pytest.mark.parametrize(
    "ratio",
    [
        Ratio(Count(over=days(7)), Count("no")),
        Ratio(Count(), Count("no", over=days(7))),
        Ratio(Count(over=days(7)), Count("no", over=days(7)), over=days(7)),
    ],
)
def test_aggregate_ratio_gives_both_parts_the_window_that_was_said_once(ratio: Any) -> None:
    assert ratio == Ratio(Count(), Count("no"), over=days(7))
    assert [part.over for part in ratio.windows()] == [days(7), days(7)]


def test_service_flattens_views_and_picks_in_order() -> None:
    service = FeatureService("s", features=[_window(), _row().pick("no")], tags=["a"])
    assert [str(ref) for ref in service.features] == ["clicking:clicks_7d", "click:no"]
    assert service.view_names == ("clicking", "click")
    assert (service.features_of("click"), service.features_of("other"), service.tags) == (("no",), (), ("a",))


def test_definitions_find_what_they_hold_and_name_what_was_probably_meant() -> None:
    service = FeatureService("churn", features=[_window(), _row()])
    definitions = Definitions(views=[_row(), _window()], services=[service])
    assert (definitions.entities, definitions.sources) == ((USER,), (CLICKS,))
    assert definitions.view("clicking").name == "clicking"
    assert definitions.service("churn") == service
    assert [view.name for view in definitions.views_of(service)] == ["clicking", "click"]
    with pytest.raises(UsageError, match=r"There is no view 'clikc'\. Did you mean 'click'\?"):
        definitions.view("clikc")
    with pytest.raises(UsageError, match=r"There is no service 'xyz'\. Known: churn\."):
        definitions.service("xyz")
    assert unknown_name("view", "a", []) == "There is no view 'a'. Known: none yet."


def test_definitions_hold_versions_of_a_view_side_by_side_and_services_keep_to_theirs() -> None:
    one, two, ten = _row(), _row(version=2, ttl=days(1)), _row(version=10)
    old, new = FeatureService("old", features=[one]), FeatureService("new", features=[two.pick("price")])
    definitions = Definitions(views=[one, ten, two, _window()], services=[old, new])
    assert definitions.views_of(old) == (one,)
    assert definitions.views_of(new) == (two,)
    assert (old.view_references, new.view_references) == (("click@1",), ("click@2",))
    assert (definitions.view("click"), definitions.view("click@2")) == (ten, two)
    assert definitions.views_named("click") == (one, ten, two)
    assert definitions.views_named("click@1") == (one,)
    assert [definitions.short(name) for name in ("click@2", "clicking@1", "clicking@2")] == [
        "click@2",
        "clicking",
        "clicking@2",
    ]
    for spelling in ("click@3", "click@01", "click@", "@1", "click@one"):
        with pytest.raises(UsageError, match=rf"There is no view '{spelling}'"):
            definitions.view(spelling)


def test_rule_records_an_expectation_by_name_with_sorted_arguments() -> None:
    rule = gxe.ExpectColumnValuesToBeBetween(min_value=0, column="price", severity="warning")
    assert (rule.column, rule.severity, rule.effective_scope) == ("price", Severity.WARNING, Scope.CHANGED)
    assert rule.title == "ExpectColumnValuesToBeBetween(column='price', min_value=0)"
    with pytest.raises(AttributeError):
        gxe.column_values_between  # noqa: B018 - asking is the test


@pytest.mark.parametrize(
    ("expectation", "scope"),
    [
        ("ExpectTableRowCountToBeBetween", Scope.CURRENT),
        ("ExpectColumnMeanToBeBetween", Scope.CURRENT),
        ("ExpectColumnDistinctValuesToBeInSet", Scope.CURRENT),
        ("ExpectColumnValuesToNotBeNull", Scope.CHANGED),
    ],
)
def test_rule_scope_defaults_by_what_it_judges_and_yields_to_what_was_said(expectation: str, scope: Scope) -> None:
    assert getattr(gxe, expectation)(column="a").effective_scope is scope
    for said in Scope:
        assert getattr(gxe, expectation)(column="a", scope=said.value).effective_scope is said
