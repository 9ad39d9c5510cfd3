"""Fingerprints hold what decides values, all of it and nothing else."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skewless.core.aggregate import Aggregate, Count, Ratio, Sum
from skewless.core.dtypes import Float32, Float64, Int64, String, Timestamp
from skewless.core.entity import Entity
from skewless.core.fingerprint import canonical_json, contract_hash, digest, view_meaning
from skewless.core.rules import gxe
from skewless.core.service import FeatureService
from skewless.core.source import DeltaSource
from skewless.core.time import days, hours, parse_instant
from skewless.core.view import Feature, FeatureView, RowView, SnapshotView, WindowView

USER = Entity("user", {"user_id": Int64, "region": String})
CLICKS = DeltaSource("clicks", "raw/clicks", "at", {"at": Timestamp, "user_id": Int64, "price": Float64})
ROW = RowView(
    name="click", entity=USER, source=CLICKS, transform=len, features=(Feature("price", Float64), Feature("no", Int64))
)
SPEND = Sum("price", over=days(7))
WINDOW = WindowView(
    name="clicking",
    entity=USER,
    source=CLICKS,
    events=len,
    aggregates={"spend": SPEND, "share": Ratio(Count(where="price > 1"), Count(), over=days(7))},
)
SNAPSHOT = SnapshotView(
    name="s",
    entity=USER,
    sources=(CLICKS,),
    transform=lambda frames, _: frames,
    features=(Feature("f", Int64),),
    lookback={"clicks": days(30)},
)
TRANSFORM = {"plan": "p", "code": "c"}


def _fingerprint(view: FeatureView, transform: dict[str, str] | None = None) -> str:
    return digest(view_meaning(view, TRANSFORM if transform is None else transform))


@pytest.mark.parametrize("view", [ROW, WINDOW, SNAPSHOT], ids=lambda view: view.kind)
@pytest.mark.parametrize(
    "change",
    [
        {"owner": "risk@"}, {"description": "Text."}, {"tags": ("pii",)}, {"start": parse_instant("2017-10-02")},
        {"quality": (gxe.ExpectColumnValuesToNotBeNull(column="price"),)},
        {"entity": replace(USER, owner="risk@", description="Text.")},
    ],
    ids=str,
)  # fmt: skip
def test_fingerprint_does_not_see_what_is_for_people(view: FeatureView, change: dict[str, Any]) -> None:
    assert _fingerprint(replace(view, **change)) == _fingerprint(view)


def test_fingerprint_of_a_typed_view_is_the_one_that_it_had_before_there_was_a_choice() -> None:
    assert _fingerprint(ROW) == "ba24bfc4ea70b11e4317f5242833f8e2e226dbd9438fb65973e46c672ab34d1a"
    assert _fingerprint(replace(ROW, online_layout="packed")) != _fingerprint(ROW)


def test_fingerprint_does_not_see_texts_of_sources_and_features() -> None:
    source = replace(CLICKS, owner="risk@", description="Text.", lateness=hours(3))
    features = tuple(replace(feature, description="Text.", tags=("pii",)) for feature in ROW.features)
    assert _fingerprint(replace(ROW, source=source, features=features)) == _fingerprint(ROW)
    assert _fingerprint(replace(WINDOW, descriptions={"spend": "Text."})) == _fingerprint(WINDOW)


def test_fingerprint_does_not_see_the_order_in_which_a_schema_is_written() -> None:
    schema = dict(reversed(list(CLICKS.schema.items())))
    assert _fingerprint(replace(ROW, source=replace(CLICKS, schema=schema))) == _fingerprint(ROW)


@pytest.mark.parametrize("view", [ROW, WINDOW, SNAPSHOT], ids=lambda view: view.kind)
@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"}, {"version": 2}, {"ttl": days(1)}, {"every": hours(1)}, {"offset": hours(1)},
        {"entity": replace(USER, name="person")},
        {"entity": replace(USER, keys={"user_id": Int64})},
        {"entity": replace(USER, keys={"user_id": String, "region": String})},
        {"entity": replace(USER, keys={"region": String, "user_id": Int64})},
    ],
    ids=str,
)  # fmt: skip
def test_fingerprint_sees_every_shared_field_that_decides_values(view: FeatureView, change: dict[str, Any]) -> None:
    assert _fingerprint(replace(view, **change)) != _fingerprint(view)


@pytest.mark.parametrize(
    "source",
    [
        replace(CLICKS, name="visits"),
        replace(CLICKS, path="raw/other"),
        replace(CLICKS, tie_break=("price",)),
        replace(CLICKS, tie_break=("user_id", "price")),
        replace(CLICKS, schema={**CLICKS.schema, "price": Float32}),
        replace(CLICKS, schema={**CLICKS.schema, "more": Int64}),
        replace(CLICKS, event_timestamp="landed", schema={**CLICKS.schema, "landed": Timestamp}),
    ],
)
def test_fingerprint_sees_every_field_of_a_source_that_decides_values(source: DeltaSource) -> None:
    assert _fingerprint(replace(ROW, source=source)) != _fingerprint(ROW)
    renamed = replace(SNAPSHOT, sources=(source,), lookback={source.name: days(30)})
    assert _fingerprint(renamed) != _fingerprint(SNAPSHOT)


@pytest.mark.parametrize(
    "spend",
    [
        Sum("price", over=days(30)),
        Sum("other", over=days(7)),
        Sum("price", over=days(7), where="price > 0"),
        Sum("price", over=days(7), scale=2),
        Sum("price", over=days(7), dtype=Int64),
        Count("price", over=days(7)),
        Ratio(SPEND, Count()),
        Ratio(SPEND, Count("price")),
    ],
)
def test_fingerprint_sees_every_field_of_an_aggregate(spend: Aggregate) -> None:
    changed = replace(WINDOW, aggregates={**WINDOW.aggregates, "spend": spend})
    assert _fingerprint(changed) != _fingerprint(WINDOW)


def test_fingerprint_sees_the_parts_of_a_ratio() -> None:
    shares = [Ratio(Count(where="a"), Count()), Ratio(Count(), Count(where="a")), Ratio(Count(where="b"), Count())]
    views = [replace(WINDOW, aggregates={"share": replace(share, over=days(7))}) for share in shares]
    assert len({_fingerprint(view) for view in views}) == 3


def test_fingerprint_sees_feature_types_names_and_order() -> None:
    one, two = ROW.features
    others = [(two, one), (one,), (replace(one, dtype=Float32), two), (replace(one, name="cost"), two)]
    assert len({_fingerprint(ROW), *(_fingerprint(replace(ROW, features=features)) for features in others)}) == 5


def test_fingerprint_sees_the_transform_and_the_lookback() -> None:
    assert len({_fingerprint(ROW, one) for one in ({}, {"plan": "p"}, {"plan": "q"}, TRANSFORM)}) == 4
    lookbacks = ({"clicks": days(30)}, {"clicks": days(31)}, {})
    assert len({_fingerprint(replace(SNAPSHOT, lookback=lookback)) for lookback in lookbacks}) == 3


_ELSEWHERE = """
import tests.unit.test_core_fingerprint as here
print(*(here._fingerprint(view) for view in (here.ROW, here.WINDOW, here.SNAPSHOT)))
"""


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_fingerprint_is_the_same_in_processes_that_hash_differently(seed: str) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", _ELSEWHERE],
        cwd=Path(__file__).parents[2],
        env={"PYTHONHASHSEED": seed},
        check=True,
        capture_output=True,
        text=True,
    )
    assert answer.stdout.split() == [_fingerprint(view) for view in (ROW, WINDOW, SNAPSHOT)]


def test_fingerprint_of_a_known_view_never_changes() -> None:
    """A change here orphans every applied registry: raise the format and migrate, or undo it."""
    assert _fingerprint(ROW)[:16] == "ba24bfc4ea70b11e"
    assert _fingerprint(WINDOW)[:16] == "20305ff1ded65b3c"
    assert _fingerprint(SNAPSHOT)[:16] == "06df94a4f24a983a"


def test_contract_hash_sees_features_order_and_view_fingerprints_only() -> None:
    both = FeatureService("s", features=[ROW, WINDOW])
    prints = {"click@1": "1", "clicking@1": "2", "click@2": "3"}
    same = FeatureService("s", features=[ROW, WINDOW], owner="a", description="b", tags=["c"])
    assert contract_hash(same, {**prints, "click@2": "4"}) == contract_hash(both, prints)
    others = [
        contract_hash(FeatureService("t", features=[ROW, WINDOW]), prints),
        contract_hash(FeatureService("s", features=[WINDOW, ROW]), prints),
        contract_hash(FeatureService("s", features=[ROW.pick("no"), WINDOW]), prints),
        contract_hash(both, {**prints, "click@1": "9"}),
    ]
    assert len({contract_hash(both, prints), *others}) == 5


def test_canonical_json_has_one_spelling() -> None:
    assert canonical_json({"b": (1, True, None), "a": "ä\n"}) == '{"a":"\\u00e4\\n","b":[1,true,null]}'


@pytest.mark.parametrize(
    "value",
    [1.5, float("nan"), {"a": [1, (2.0,)]}, {"a": {1}}, b"x", object()],
    ids=["number", "nan", "nested", "set", "bytes", "object"],
)
def test_canonical_json_refuses_what_has_no_single_spelling(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)
