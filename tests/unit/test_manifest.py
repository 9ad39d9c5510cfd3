"""The manifest of a training set as JSON, and views as the registry remembers them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from skewless import (
    DeltaSource,
    Entity,
    Feature,
    Float64,
    Int64,
    RowView,
    SnapshotView,
    Sum,
    Timestamp,
    WindowView,
    days,
)
from skewless.core.fingerprint import timeline_digest
from skewless.core.manifest import Manifest, PinnedTable
from skewless.core.timeline import Pointer, Revision, Timeline
from skewless.core.view import FeatureView
from skewless.errors import UsageError
from skewless.registry.documents import view_document
from skewless.registry.recorded import recorded_view

USER = Entity("user", keys={"user_id": Int64, "shop": Int64})
BUYS = DeltaSource("buys", path="raw/buys", event_timestamp="at", schema={"user_id": Int64, "at": Timestamp})
SHARED: dict[str, Any] = {"entity": USER, "version": 3, "offset": timedelta(hours=6), "ttl": days(2)}
VIEWS = (
    RowView(name="a", source=BUYS, transform=lambda rows: rows, features=(Feature("x", Float64),), **SHARED),
    RowView(
        name="d",
        source=BUYS,
        transform=lambda rows: rows,
        features=(Feature("x", Float64),),
        online_layout="packed",
        **SHARED,
    ),
    WindowView(name="b", source=BUYS, events=lambda rows: rows, aggregates={"y": Sum("x", over=days(7))}, **SHARED),
    SnapshotView(
        name="c",
        sources=(BUYS,),
        transform=lambda sources, as_of: sources["buys"],
        features=(Feature("z", Int64), Feature("w", Float64)),
        availability_delay=timedelta(hours=1),
        **{**SHARED, "ttl": None},
    ),
)


def _manifest() -> Manifest:
    return Manifest(
        project="demo",
        service="scoring",
        contract_hash="c0ffee",
        mode="as-served",
        time_column="timestamp",
        features=("a:x", "b:y"),
        views={"a": {"version": 3, "fingerprint": "f"}},
        tables={"a/history": PinnedTable("views/a/v3/history", "an id", 7)},
        timeline={"last_revision": 4},
        spine={"rows": 6, "content_hash": "5", "path": "/spine"},
        rows=6,
        counts={"a": {"rows": 6}},
        content_hash="7",
        created_us=1,
        seconds=0.5,
        engine="window",
        packages={"skewless": "0.1.0"},
        manifest_id="20240303T060000-abc",
        with_status=True,
        output={"path": "/out", "format": "parquet", "version": None},
    )


def test_manifest_comes_back_from_json_as_it_went_in() -> None:
    assert Manifest.from_json(json.loads(json.dumps(_manifest().to_json()))) == _manifest()


def test_manifest_of_an_earlier_release_says_nothing_of_what_came_since() -> None:
    document = _manifest().to_json()
    for name in ("manifest_id", "with_status", "output"):
        del document[name]
    assert Manifest.from_json(document) == replace(_manifest(), manifest_id="", with_status=False, output={})


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "no manifest of format 1"),
        ({**_manifest().to_json(), "format": 2}, "upgrade skewless"),
        ({"format": 1, "project": "demo"}, "lacks what a manifest has"),
        ({**_manifest().to_json(), "tables": 3}, "lacks what a manifest has"),
    ],
)
def test_what_is_no_manifest_is_refused_with_one_line(document: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        Manifest.from_json(document)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_recorded_view_is_read_like_the_one_that_was_applied(view: FeatureView) -> None:
    document = json.loads(json.dumps(view_document(view, {"plan": "p"})))
    again = recorded_view(document, availability_delay_us=view.delay_us)
    names = (
        "name",
        "version",
        "reference",
        "schedule",
        "ttl",
        "has_ticks",
        "delay_us",
        "feature_types",
        "online_layout",
    )
    for name in names:
        assert getattr(again, name) == getattr(view, name), name
    assert list(again.feature_names) == list(view.feature_names)
    assert list(again.entity.keys.items()) == list(view.entity.keys.items())


def test_digest_of_a_timeline_tells_what_concerns_the_views_and_no_more() -> None:
    def revision(number: int, at_us: int, **generations: int) -> Revision:
        return Revision(number, at_us, {f"{name}@1": Pointer("t", one, 5) for name, one in generations.items()})

    base = Timeline((revision(1, 10, a=1, b=1), revision(2, 20, a=2, b=1)))
    same = Timeline((revision(1, 10, a=1, b=9), revision(2, 20, a=2)))
    assert timeline_digest(base, ["a@1"]) == timeline_digest(same, ["a@1"])
    assert timeline_digest(base, ["a@1", "b@1"]) != timeline_digest(same, ["a@1", "b@1"])
    for other in (revision(2, 21, a=2), revision(2, 20, a=3), revision(3, 20, a=2)):
        assert timeline_digest(base, ["a@1"]) != timeline_digest(Timeline((base.revisions[0], other)), ["a@1"])
    assert base.until(1).revisions == base.revisions[:1]
    assert base.until(None).revisions == ()
