"""Definitions become documents; documents come back from the store as they went in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skewless.core.aggregate import Count, Sum
from skewless.core.clock import ManualClock
from skewless.core.dtypes import Float64, Int64, Timestamp
from skewless.core.entity import Entity
from skewless.core.fingerprint import contract_hash, digest, view_meaning
from skewless.core.rules import gxe
from skewless.core.service import Definitions, FeatureService
from skewless.core.source import DeltaSource
from skewless.core.time import days, from_us, hours
from skewless.core.view import Feature, SnapshotView, WindowView
from skewless.errors import DefinitionConflict
from skewless.registry.compiled import CompiledProject, apply_compiled, compile_definitions, load_applied
from skewless.registry.heads import HeadChange, HeadMoved, Heads
from skewless.registry.local import LocalStore
from skewless.registry.objects import ObjectDamaged

CLOCK = ManualClock(1_506_902_400_000_000)
HOUSEHOLD = Entity("household", {"household_id": Int64}, owner="growth@", description="Who shops.")
SALES = DeltaSource("sales", "raw/sales", "sold_at", {"sold_at": Timestamp, "household_id": Int64, "amount": Float64})
SPEND = WindowView(
    name="spend",
    entity=HOUSEHOLD,
    source=SALES,
    events=lambda sales: sales,
    aggregates={"spend_7d": Sum("amount", over=days(7)), "visits_7d": Count(over=days(7))},
    descriptions={"spend_7d": "Dollars in seven days."},
    quality=(gxe.ExpectColumnValuesToBeBetween(column="spend_7d", min_value=0.5, severity="warning"),),
    ttl=days(30),
    owner="growth@",
    tags=("money",),
)
LATEST = SnapshotView(
    name="latest",
    entity=HOUSEHOLD,
    sources=(SALES,),
    transform=lambda frames, as_of: frames["sales"],
    features=(Feature("segment", Int64, "Of five.", ("pii",)),),
    every=hours(6),
    offset=hours(2),
)
CHURN = FeatureService("churn_v1", features=[SPEND, LATEST.pick("segment")], owner="crm@")
TRANSFORM = {"plan": "Project", "code": "c0de", "source": "lambda sales: sales", "engine": "4.2.0"}


@pytest.fixture
def heads(tmp_path: Path) -> Heads:
    return Heads(LocalStore(tmp_path))


def _compiled(*views: Any, services: tuple[FeatureService, ...] = ()) -> CompiledProject:
    return compile_definitions(Definitions(views=views, services=services), {"spend@1": TRANSFORM})


ALL = _compiled(SPEND, LATEST, services=(CHURN,))


def test_compile_gives_one_document_per_definition_in_layers() -> None:
    assert list(ALL.documents) == [
        "entity/household", "source/sales", "view/spend@1", "view/latest@1", "service/churn_v1",
    ]  # fmt: skip


def test_compile_view_document_holds_what_people_are_shown() -> None:
    view = ALL.documents["view/spend@1"]
    assert (view["kind"], view["name"], view["version"]) == ("view", "spend", 1)
    assert view["about"] == {
        "owner": "growth@",
        "description": "",
        "tags": ["money"],
        "quality": [
            {
                "rule": "ExpectColumnValuesToBeBetween(column='spend_7d', min_value=0.5)",
                "severity": "warning",
                "scope": "changed",
            }
        ],
        "features": {
            "spend_7d": {"description": "Dollars in seven days.", "tags": []},
            "visits_7d": {"description": "", "tags": []},
        },
        "availability_delay_us": 86_400_000_000,
        "start_us": None,
        "transform": {"source": "lambda sales: sales", "engine": "4.2.0"},
    }
    assert view["words"] == {
        "schedule": "daily",
        "ttl": "30 d",
        "availability_delay": "1 d",
        "aggregates": {"spend_7d": "sum of amount over 7 d", "visits_7d": "count of rows over 7 d"},
    }
    assert view["meaning"]["features"] == [["spend_7d", "float64"], ["visits_7d", "int64"]]


def test_compile_snapshot_view_says_its_lookback_and_feature_tags() -> None:
    latest = ALL.documents["view/latest@1"]
    assert latest["words"]["lookback"] == {}
    assert latest["words"]["schedule"] == "every 6 h at +2 h"
    assert latest["about"]["features"]["segment"] == {"description": "Of five.", "tags": ["pii"]}


def test_compile_fingerprint_takes_plan_and_code_of_the_transform_only() -> None:
    meaning = view_meaning(SPEND, {"plan": "Project", "code": "c0de"})
    assert ALL.fingerprints["spend@1"] == digest(meaning)
    assert ALL.documents["view/spend@1"]["meaning"] == meaning
    other = compile_definitions(Definitions(views=(SPEND,)), {"spend@1": {**TRANSFORM, "source": "x", "engine": "5"}})
    assert other.fingerprints["spend@1"] == ALL.fingerprints["spend@1"]
    for key in ("plan", "code"):
        changed = compile_definitions(Definitions(views=(SPEND,)), {"spend@1": {**TRANSFORM, key: "x"}})
        assert changed.fingerprints["spend@1"] != ALL.fingerprints["spend@1"]


def test_compile_meaning_hash_leaves_out_name_version_ttl_and_layout() -> None:
    twin = replace(SPEND, name="outlay", version=7, ttl=None, online_layout="packed")
    documents = compile_definitions(
        Definitions(views=(SPEND, twin, replace(SPEND, name="other", every=hours(1)))),
        dict.fromkeys(("spend@1", "outlay@7", "other@1"), TRANSFORM),
    ).documents
    spend, outlay, other = (documents[f"view/{name}"] for name in ("spend@1", "outlay@7", "other@1"))
    assert spend["meaning_hash"] == outlay["meaning_hash"] != other["meaning_hash"]
    assert spend["fingerprint"] != outlay["fingerprint"]


def test_compile_service_carries_the_contract_hash_of_its_views() -> None:
    assert ALL.contract_hashes == {"churn_v1": contract_hash(CHURN, ALL.fingerprints)}
    assert ALL.documents["service/churn_v1"]["meaning"]["features"] == [
        ["spend:spend_7d", 1], ["spend:visits_7d", 1], ["latest:segment", 1],
    ]  # fmt: skip


def test_applied_before_the_first_apply_is_empty(heads: Heads) -> None:
    applied = load_applied(heads, "demo")
    assert applied.is_empty
    assert (applied.number, applied.applied_at, applied.applied_by, applied.documents) == (0, None, None, {})
    assert (applied.names("view"), applied.fingerprints, applied.document("view", "spend@1")) == ((), {}, None)


def test_applied_comes_back_from_the_store_as_it_went_in(heads: Heads) -> None:
    written = apply_compiled(heads, ALL, applied=load_applied(heads, "demo"), author="ann", clock=CLOCK, note="first")
    read = load_applied(heads, "demo")
    assert read == written
    assert json.loads(json.dumps(ALL.documents)) == read.documents
    assert (read.number, read.applied_at, read.applied_by) == (1, from_us(CLOCK.instant_us), "ann")
    assert (read.fingerprints, read.contract_hashes) == (ALL.fingerprints, ALL.contract_hashes)
    assert read.names("view") == ("latest@1", "spend@1")
    assert read.plan(ALL).is_empty


def test_apply_of_what_is_applied_moves_no_head(heads: Heads) -> None:
    first = apply_compiled(heads, ALL, applied=load_applied(heads, "demo"), author="ann", clock=CLOCK)
    assert apply_compiled(heads, ALL, applied=first, author="bob", clock=CLOCK) == first
    assert heads.read("demo") == first.head


def test_apply_on_a_head_that_moved_is_refused_even_without_changes(heads: Heads) -> None:
    empty = load_applied(heads, "demo")
    first = apply_compiled(heads, ALL, applied=empty, author="ann", clock=CLOCK)
    with pytest.raises(HeadMoved, match="ann applied head 1"):
        apply_compiled(heads, _compiled(SPEND), applied=empty, author="bob", clock=CLOCK)
    apply_compiled(heads, _compiled(SPEND), applied=first, author="bob", clock=CLOCK)
    with pytest.raises(HeadMoved, match="bob applied head 2"):
        apply_compiled(heads, ALL, applied=first, author="ann", clock=CLOCK)


def test_apply_of_other_values_under_one_version_is_refused_and_changes_nothing(heads: Heads) -> None:
    first = apply_compiled(heads, ALL, applied=load_applied(heads, "demo"), author="ann", clock=CLOCK)
    changed = _compiled(replace(SPEND, ttl=days(1)), LATEST, services=(CHURN,))
    with pytest.raises(DefinitionConflict, match=r"ttl: 30 d → 1 d.* raise the version to 2"):
        apply_compiled(heads, changed, applied=first, author="bob", clock=CLOCK)
    assert load_applied(heads, "demo") == first


def test_apply_of_a_removed_view_with_other_values_under_its_old_version_is_refused(heads: Heads) -> None:
    first = apply_compiled(heads, ALL, applied=load_applied(heads, "demo"), author="ann", clock=CLOCK)
    without = apply_compiled(heads, _compiled(LATEST), applied=first, author="ann", clock=CLOCK)
    with pytest.raises(DefinitionConflict, match="Values would change"):
        apply_compiled(heads, _compiled(replace(SPEND, ttl=days(1))), applied=without, author="bob", clock=CLOCK)
    again = apply_compiled(heads, _compiled(SPEND), applied=without, author="bob", clock=CLOCK)
    assert again.fingerprints["spend@1"] == first.fingerprints["spend@1"]


def test_applied_older_heads_stay_readable(heads: Heads) -> None:
    first = apply_compiled(heads, ALL, applied=load_applied(heads, "demo"), author="ann", clock=CLOCK)
    apply_compiled(heads, _compiled(LATEST), applied=first, author="bob", clock=CLOCK)
    newest, oldest = heads.history("demo")
    assert load_applied(heads, "demo", head=newest).names("view") == ("latest@1",)
    assert load_applied(heads, "demo", head=oldest) == first


def test_applied_versions_of_one_view_are_documents_of_their_own_and_removed_ones_stay_known(heads: Heads) -> None:
    wider = replace(SPEND, version=2, ttl=days(1))
    both = _compiled(SPEND, wider)
    first = apply_compiled(heads, both, applied=load_applied(heads, "demo"), author="ann", clock=CLOCK)
    assert first.names("view") == ("spend@1", "spend@2")
    assert first.fingerprints["spend@1"] != first.fingerprints["spend@2"]
    without = apply_compiled(heads, _compiled(wider), applied=first, author="ann", clock=CLOCK)
    assert (without.names("view"), without.view_versions) == (("spend@2",), ("spend@1", "spend@2"))


def test_applied_head_of_before_view_versions_were_keys_reads_the_same(heads: Heads) -> None:
    names = {key.partition("@")[0]: heads.objects.put(document) for key, document in ALL.documents.items()}
    heads.advance(None, names, change=HeadChange("demo", "ann"), clock=CLOCK)
    assert load_applied(heads, "demo").plan(ALL).is_empty


def test_applied_object_that_was_edited_is_an_error(heads: Heads, tmp_path: Path) -> None:
    first = apply_compiled(heads, ALL, applied=load_applied(heads, "demo"), author="ann", clock=CLOCK)
    assert first.head is not None
    path = tmp_path / "objects" / f"{first.head.names['view/spend@1']}.json"
    path.write_bytes(path.read_bytes().replace(b"604800000000", b"604800000001"))
    with pytest.raises(ObjectDamaged, match="edited or half-written"):
        load_applied(heads, "demo")
