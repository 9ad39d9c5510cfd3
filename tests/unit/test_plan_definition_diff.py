"""What `plan` says of definitions against what was applied."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from skewless.core.aggregate import Count, Mean, Ratio, Sum
from skewless.core.dtypes import Float64, Int64, String, Timestamp
from skewless.core.entity import Entity
from skewless.core.readiness import Marked
from skewless.core.rules import gxe
from skewless.core.service import Definitions, FeatureService
from skewless.core.source import DeltaSource
from skewless.core.time import days, hours, parse_instant
from skewless.core.view import Feature, FeatureView, RowView, WindowView
from skewless.plan.definition_diff import compare_definitions, consumers
from skewless.plan.definition_plan import DefinitionPlan, FieldChange
from skewless.registry.compiled import compile_definitions

HOUSEHOLD = Entity("household", {"household_id": Int64}, owner="growth@")
SALES = DeltaSource(
    "sales", "raw/sales", "sold_at", {"sold_at": Timestamp, "household_id": Int64, "amount": Float64, "store": String}
)
SPEND = WindowView(
    name="spend",
    entity=HOUSEHOLD,
    source=SALES,
    events=lambda sales: sales,
    aggregates={"spend_7d": Sum("amount", over=days(7)), "visits_7d": Count(over=days(7))},
    owner="growth@",
)
LAST = RowView(
    name="last_sale",
    entity=HOUSEHOLD,
    source=SALES,
    transform=lambda sales: sales,
    features=(Feature("amount", Float64), Feature("store", String)),
)
Transforms = Mapping[str, Mapping[str, str]]


def _documents(
    *views: FeatureView, services: tuple[FeatureService, ...] = (), transforms: Transforms | None = None
) -> Any:
    return compile_definitions(Definitions(views=views, services=services), transforms or {}).documents


def _plan(old: Any, new: Any, sealed: Mapping[str, str] | None = None) -> DefinitionPlan:
    return compare_definitions(old, new, sealed=sealed)


def test_plan_before_the_first_apply_adds_everything_in_a_stable_order() -> None:
    new = _documents(SPEND, LAST, services=(FeatureService("churn_v1", features=[SPEND, LAST.pick("store")]),))
    shuffled = dict(sorted(new.items(), reverse=True))
    expected = [
        "+ entity household",
        "+ source sales",
        "+ view last_sale v1 (2 features, daily)",
        "+ view spend v1 (2 features, daily)",
        "+ service churn_v1 (3 features)",
    ]
    assert _plan({}, new).describe() == expected
    assert _plan({}, shuffled).describe() == expected


def test_plan_of_equal_definitions_is_empty() -> None:
    plan = _plan(_documents(SPEND), _documents(replace(SPEND)))
    assert plan.is_empty
    assert (plan.describe(), plan.refusals, plan.warnings) == ([], (), ())


def test_plan_removed_definitions_are_shown() -> None:
    service = FeatureService("churn_v1", features=[SPEND])
    plan = _plan(_documents(SPEND, LAST, services=(service,)), _documents(LAST))
    assert plan.describe() == [
        "- view spend v1 (no longer refreshed; clients that pin it go on reading what was last published)",
        "- service churn_v1",
    ]
    assert plan.refusals == ()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"owner": "risk@"}, "~ view spend v1 (values unchanged: owner: growth@ → risk@)"),
        ({"description": "Euro"}, "~ view spend v1 (values unchanged: description: '' → Euro)"),
        ({"tags": ("pii",)}, "~ view spend v1 (values unchanged: tags: [] → ['pii'])"),
    ],
)
def test_plan_change_for_people_leaves_values_unchanged(change: dict[str, Any], line: str) -> None:
    plan = _plan(_documents(SPEND), _documents(replace(SPEND, **change)))
    assert plan.describe() == [line]
    assert [one.changes_values for one in plan.changes] == [False]
    assert plan.refusals == ()


def test_plan_change_of_quality_rules_leaves_values_unchanged() -> None:
    strict = replace(SPEND, quality=(gxe.ExpectColumnValuesToBeBetween(column="spend_7d", min_value=0.5),))
    (change,) = _plan(_documents(SPEND), _documents(strict)).changes
    assert (change.changes_values, change.refused, [one.path for one in change.fields]) == (False, None, ["quality"])


def test_plan_change_of_availability_delay_says_that_the_simulated_era_moves() -> None:
    lines = _plan(_documents(SPEND), _documents(replace(SPEND, availability_delay=hours(30)))).describe()
    assert lines[0] == "~ view spend v1 (values unchanged: availability_delay: 1 d → 1 d 6 h)"
    assert "simulated era" in lines[1]


def test_plan_of_a_start_that_moved_back_says_how_history_is_extended() -> None:
    late = replace(SPEND, start=parse_instant("2017-10-02"))
    lines = _plan(_documents(late), _documents(replace(SPEND, start=parse_instant("2016-10-02")))).describe()
    assert lines[0] == "~ view spend v1 (values unchanged: start: 2017-10-02 00:00 UTC → 2016-10-02 00:00 UTC)"
    assert "skewless backfill" in lines[1]


def test_plan_version_beside_another_is_added_and_shows_what_differs() -> None:
    wider = replace(SPEND, version=2, aggregates={**SPEND.aggregates, "spend_7d": Sum("amount", over=days(30))})
    plan = _plan(_documents(SPEND), _documents(SPEND, wider))
    assert plan.describe() == [
        "+ view spend v2 (2 features, daily, beside v1)",
        "    aggregates.spend_7d.over: 7 d → 30 d",
    ]
    (change,) = plan.changes
    assert (change.old_version, change.new_version, change.changes_values) == (None, 2, False)
    assert change.fields == (FieldChange("aggregates.spend_7d.over_us", 604_800_000_000, 2_592_000_000_000),)
    assert plan.refusals == ()


def test_plan_other_layout_under_the_same_version_is_refused_and_no_matter_of_values() -> None:
    (change,) = _plan(_documents(SPEND), _documents(replace(SPEND, online_layout="packed"))).changes
    assert not change.changes_values
    assert change.refused == (
        "view 'spend' version 1 was applied with another layout (online_layout: typed → packed), which is another "
        "table: readers of this version would find nothing in it; raise the version to 2."
    )
    both = replace(SPEND, online_layout="packed", ttl=days(1))
    (refusal,) = _plan(_documents(SPEND), _documents(both)).refusals
    assert "Values would change under a name that models trust" in refusal


def test_plan_other_layout_in_a_new_version_is_shown() -> None:
    packed = replace(SPEND, version=2, online_layout="packed")
    there, back = (
        (_documents(SPEND), _documents(SPEND, packed)),
        (_documents(packed), _documents(replace(SPEND, version=3))),
    )
    for (old, new), line in ((there, "typed → packed"), (back, "packed → typed")):
        plan = _plan(old, new)
        assert f"    online_layout: {line}" in plan.describe()
        assert ("daily, packed" in plan.describe()[0]) == line.endswith("packed")
        assert plan.refusals == ()


def test_plan_version_in_place_of_another_says_that_the_other_is_no_longer_refreshed() -> None:
    assert _plan(_documents(SPEND), _documents(replace(SPEND, version=10))).describe() == [
        "- view spend v1 (no longer refreshed; clients that pin it go on reading what was last published)",
        "+ view spend v10 (2 features, daily, after v1)",
    ]


def test_plan_versions_of_one_view_stand_in_the_order_of_their_numbers() -> None:
    views = [replace(SPEND, version=version) for version in (10, 2, 9)]
    plan = _plan({}, _documents(*views))
    assert [one.new_version for one in plan.changes if one.kind == "view"] == [2, 9, 10]
    assert (plan.refusals, plan.warnings) == ((), ())


def test_plan_several_fields_stand_on_lines_of_their_own() -> None:
    start = parse_instant("2017-10-02")
    changed = replace(SPEND, version=2, ttl=days(3), start=start, owner="risk@", every=hours(6))
    assert _plan(_documents(SPEND), _documents(SPEND, changed)).describe() == [
        "+ view spend v2 (2 features, every 6 h, beside v1)",
        "    every: 1 d → 6 h",
        "    ttl: none → 3 d",
        "    availability_delay: 1 d → 6 h",
        "    owner: growth@ → risk@",
        "    start: none → 2017-10-02 00:00 UTC",
    ]
    changed = replace(SPEND, owner="risk@", description="Euro")
    assert _plan(_documents(SPEND), _documents(changed)).describe() == [
        "~ view spend v1 (values unchanged)",
        "    description: '' → Euro",
        "    owner: growth@ → risk@",
    ]


def test_plan_features_are_compared_by_name_and_order() -> None:
    renamed = replace(LAST, version=2, features=(Feature("amount", Int64), Feature("shop", String)))
    (change,) = _plan(_documents(LAST), _documents(LAST, renamed)).changes
    assert [str(one) for one in change.fields[:3]] == [
        "features.amount: float64 → int64",
        "features.shop: none → string",
        "features.store: string → none",
    ]
    turned = replace(LAST, version=2, features=LAST.features[::-1])
    (change,) = _plan(_documents(LAST), _documents(LAST, turned)).changes
    assert str(change.fields[0]) == "features in order: amount, store → store, amount"


@pytest.mark.parametrize(
    "change",
    [{"ttl": days(1)}, {"every": hours(1)}, {"aggregates": {"spend_7d": Sum("amount", over=days(30))}}],
)
def test_plan_other_values_under_the_same_version_are_refused_with_both_sides(change: dict[str, Any]) -> None:
    old, new = _documents(SPEND), _documents(replace(SPEND, **change))
    (refusal,) = _plan(old, new).refusals
    assert "Values would change under a name that models trust; raise the version to 2." in refusal
    assert old["view/spend@1"]["fingerprint"][:12] in refusal
    assert new["view/spend@1"]["fingerprint"][:12] in refusal
    assert " → " in refusal


def test_plan_other_transform_under_the_same_version_is_refused_and_shows_where_they_part() -> None:
    text = "Filter (amount > 0) " + "x" * 300
    old = _documents(SPEND, transforms={"spend@1": {"plan": text + " RANGE 7 DAYS " + "y" * 200}})
    new = _documents(SPEND, transforms={"spend@1": {"plan": text + " RANGE 30 DAYS " + "y" * 200}})
    plan = _plan(old, new)
    assert "RANGE 7 DAYS" in plan.refusals[0]
    assert "RANGE 30 DAYS" in plan.refusals[0]
    assert max(len(line) for line in plan.describe()) < 700
    assert plan.changes[0].fields[0].old == text + " RANGE 7 DAYS " + "y" * 200


@pytest.mark.parametrize("key", ["source", "engine"])
def test_plan_other_text_of_a_transform_leaves_values_unchanged(key: str) -> None:
    old, new = ({"spend@1": {"plan": "p", "code": "c", key: text}} for text in ("a", "b"))
    plan = _plan(_documents(SPEND, transforms=old), _documents(SPEND, transforms=new))
    assert plan.describe() == [f"~ view spend v1 (values unchanged: transform.{key}: a → b)"]


@pytest.mark.parametrize("key", ["plan", "code"])
def test_plan_other_plan_or_code_of_a_transform_changes_values(key: str) -> None:
    old, new = ({"spend@1": {key: text}} for text in ("a", "b"))
    plan = _plan(_documents(SPEND, transforms=old), _documents(SPEND, transforms=new))
    assert plan.changes[0].changes_values
    assert plan.refusals


def test_plan_lowered_version_is_refused() -> None:
    (refusal,) = _plan(_documents(replace(SPEND, version=3)), _documents(replace(SPEND, version=2))).refusals
    assert "version 3 applied, the definition says 2" in refusal
    assert "Give it version 4" in refusal


@pytest.mark.parametrize(
    ("version", "fingerprint", "is_refused"),
    [(2, None, False), (2, "other", True), (1, None, True), (3, None, False)],
)
def test_plan_view_that_comes_back_meets_its_own_past(version: int, fingerprint: str | None, is_refused: bool) -> None:
    new = _documents(replace(SPEND, version=version))
    past = fingerprint or _documents(replace(SPEND, version=2))["view/spend@2"]["fingerprint"]
    sealed = {"view/spend@1": "old", "view/spend@2": past, "view/spend_more@9": "unrelated"}
    refusals = _plan({}, new, sealed).refusals
    assert bool(refusals) is is_refused
    if is_refused:
        assert "raise the version to 3" in refusals[0]


def test_plan_feature_removed_that_a_remaining_service_pins_is_refused() -> None:
    service = FeatureService("churn_v1", features=[SPEND])
    old = _documents(SPEND, services=(service,))
    narrow = replace(SPEND, version=2, aggregates={"visits_7d": Count(over=days(7))})
    new = {**_documents(narrow), "service/churn_v1": old["service/churn_v1"]}
    (refusal,) = _plan(old, new).refusals
    assert "version 1 would be gone, but churn_v1 pins spend@1:spend_7d" in refusal
    gone = {key: document for key, document in old.items() if key != "view/spend@1"}
    assert "version 1 would be gone, but churn_v1 pins spend@1:spend_7d" in _plan(old, gone).refusals[0]


@pytest.mark.parametrize(("pin", "is_refused"), [(("spend:visits_7d", 2), False), (("spend:visits_7d", 1), True),
    (("spend:spend_7d", 2), True), (("last_sale:store", 7), False)])  # fmt: skip
def test_plan_pin_holds_when_version_and_feature_are_both_there(pin: tuple[str, int], is_refused: bool) -> None:
    narrow = replace(SPEND, version=2, aggregates={"visits_7d": Count(over=days(7))})
    service = {"kind": "service", "name": "s", "meaning": {"features": [list(pin)]}, "about": {}}
    new = {**_documents(narrow), "service/s": service}
    assert bool(_plan({**_documents(SPEND), "service/s": service}, new).refusals) is is_refused
    beside = {**_documents(SPEND, narrow), "service/s": service}
    assert bool(_plan({}, beside).refusals) is (pin == ("spend:spend_7d", 2))


def test_plan_version_that_comes_back_with_its_old_meaning_is_accepted_beside_a_newer_one() -> None:
    wider = replace(SPEND, version=2, aggregates={"spend_7d": Sum("amount", over=days(30))})
    both = _documents(SPEND, wider)
    sealed = {key: document["fingerprint"] for key, document in both.items() if key.startswith("view/")}
    assert _plan(_documents(wider), both, sealed).refusals == ()
    assert "raise the version to 3" in _plan(_documents(wider), both, {**sealed, "view/spend@1": "other"}).refusals[0]


def test_plan_feature_removed_together_with_its_consumer_is_accepted() -> None:
    old = _documents(SPEND, services=(FeatureService("churn_v1", features=[SPEND]),))
    narrow = replace(SPEND, version=2, aggregates={"visits_7d": Count(over=days(7))})
    plan = _plan(old, _documents(narrow, services=(FeatureService("churn_v1", features=[narrow]),)))
    assert plan.refusals == ()
    assert plan.describe()[-4:] == [
        "~ service churn_v1 (values change)",
        "    features.spend:spend_7d: 1 → none",
        "    features.spend:visits_7d: 1 → 2",
        "    note: the contract changes: clients that pin the old contract hash go on with the old one",
    ]


def test_plan_source_and_entity_changes_say_whether_values_change() -> None:
    late = replace(SALES, lateness=hours(6))
    patient = replace(SALES, ready=Marked("raw/done"))
    lines = _plan(_documents(LAST), _documents(replace(LAST, source=patient))).describe()
    assert lines == ["~ source sales (values unchanged: ready: none → marked complete in raw/done (complete_through))"]
    moved = replace(SALES, tie_break=("store",))
    lines = _plan(_documents(LAST), _documents(replace(LAST, source=late))).describe()
    assert lines == ["~ source sales (values unchanged: lateness: 0 s → 6 h)"]
    plan = _plan(_documents(LAST), _documents(replace(LAST, source=moved, version=2)))
    assert [(one.action, one.changes_values) for one in plan.changes] == [
        ("change", True),
        ("remove", False),
        ("add", False),
    ]
    assert "sources.sales.tie_break" in [one.path for one in plan.changes[2].fields]


def test_plan_new_view_with_the_meaning_of_an_old_one_is_warned_about() -> None:
    service = FeatureService("churn_v1", features=[SPEND])
    old = _documents(SPEND, services=(service,))
    twin = replace(SPEND, name="outlay", ttl=days(3), owner="risk@", version=4, online_layout="packed")
    plan = _plan(old, _documents(SPEND, twin, services=(service,)))
    (warning,) = plan.warnings
    assert warning.startswith("view 'outlay' means the same as view 'spend' (owner: growth@; consumed by: churn_v1).")
    assert plan.describe()[-1] == f"warning: {warning}"
    assert plan.refusals == ()


def test_plan_two_new_views_of_one_meaning_are_warned_about_once() -> None:
    plan = _plan({}, _documents(SPEND, replace(SPEND, name="outlay")))
    assert len(plan.warnings) == 1
    assert "view 'spend' means the same as view 'outlay'" in plan.warnings[0]


def test_plan_duplicate_that_was_applied_already_is_not_warned_about_again() -> None:
    both = (SPEND, replace(SPEND, name="outlay"))
    changed = (SPEND, replace(SPEND, name="outlay", owner="risk@"))
    assert _plan(_documents(*both), _documents(*changed)).warnings == ()


def test_plan_renamed_view_is_no_duplicate_of_the_one_it_replaces() -> None:
    assert _plan(_documents(SPEND), _documents(replace(SPEND, name="outlay"))).warnings == ()


def test_plan_view_with_another_transform_is_no_duplicate() -> None:
    views = (SPEND, replace(SPEND, name="outlay"))
    plan = _plan({}, _documents(*views, transforms={"spend@1": {"plan": "a"}, "outlay@1": {"plan": "b"}}))
    assert plan.warnings == ()


def test_plan_json_form_is_json_and_equal_for_equal_plans() -> None:
    old, new = _documents(SPEND), _documents(replace(SPEND, ttl=days(1)))
    body = _plan(old, new).to_json()
    assert json.loads(json.dumps(body)) == body == _plan(old, new).to_json()
    assert body["refused"] is True
    assert body["changes"][0]["fields"] == [{"path": "ttl_us", "old": None, "new": 86_400_000_000}]  # type: ignore[index]


def test_consumers_are_the_services_that_pin_a_view() -> None:
    services = tuple(FeatureService(name, features=[SPEND]) for name in ("b", "a"))
    documents = _documents(SPEND, LAST, services=services)
    assert consumers(documents, "spend@1") == ("a", "b")
    assert consumers(documents, "last_sale@1") == ()


def test_aggregates_read_as_words() -> None:
    where = "amount > 0"
    view = replace(
        SPEND,
        aggregates={
            "total": Sum("amount", over=days(7), where=where),
            "visits": Count(over=hours(36)),
            "mean": Mean("amount", over=days(7), where=where),
            "share": Ratio(Count(where=where), Count(), over=days(30)),
            "basket": Ratio(Sum("amount"), Count("store"), over=days(30)),
        },
    )
    assert _documents(view)["view/spend@1"]["words"]["aggregates"] == {
        "total": "sum of amount over 7 d where amount > 0",
        "visits": "count of rows over 1 d 12 h",
        "mean": "mean of amount over 7 d where amount > 0",
        "share": "(count of rows where amount > 0) / (count of rows) over 30 d",
        "basket": "sum of amount / count of store over 30 d",
    }
