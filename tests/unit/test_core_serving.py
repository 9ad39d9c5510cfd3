"""The serving manifest and the names of Cassandra tables."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from skewless.core.aggregate import Count
from skewless.core.dtypes import Array, Decimal, Float64, Int64, String, Timestamp, Vector
from skewless.core.entity import Entity
from skewless.core.service import FeatureService
from skewless.core.serving import ServingManifest, served_view, serving_manifest, table_name
from skewless.core.source import DeltaSource
from skewless.core.time import days, hours
from skewless.core.view import Feature, RowView, WindowView
from skewless.errors import UsageError

USER = Entity("user", {"region": String, "user_id": Int64})
CLICKS = DeltaSource("clicks", "raw/clicks", "at", {"at": Timestamp})
ROW = RowView(
    name="click",
    entity=USER,
    source=CLICKS,
    transform=len,
    features=(Feature("z", Vector(3)), Feature("a", Array(Decimal(10, 2)))),
    ttl=hours(36),
)
WINDOW = WindowView(
    name="clicking",
    entity=USER,
    source=CLICKS,
    events=len,
    aggregates={"clicks_7d": Count(over=days(7))},
    offset=hours(2),
)


def _manifest(row: RowView = ROW) -> ServingManifest:
    service = FeatureService("churn", features=[WINDOW, row.pick("a")])
    views = {view.reference: served_view("demo", view, f"fingerprint of {view.name}") for view in (row, WINDOW)}
    return serving_manifest("demo", service, views, "c0ffee")


def test_manifest_comes_back_from_json_as_it_went_in() -> None:
    manifest = _manifest()
    again = ServingManifest.from_json(manifest.to_json())
    assert again == manifest
    assert again.to_json() == manifest.to_json()
    assert json.loads(manifest.to_json())["format"] == 1


def test_manifest_of_typed_views_does_not_speak_of_layouts() -> None:
    told = json.loads(_manifest().to_json())
    assert {key for view in told["views"] for key in view} == {
        "name", "version", "table", "keys", "features", "ttl_us", "schedule_us", "fingerprint",
    }  # fmt: skip
    assert {view.layout for view in ServingManifest.from_json(json.dumps(told)).views} == {"typed"}


def test_manifest_with_a_packed_view_has_a_format_that_older_clients_refuse() -> None:
    manifest = _manifest(replace(ROW, online_layout="packed"))
    told = json.loads(manifest.to_json())
    assert told["format"] == 2
    assert [view.get("layout") for view in told["views"]] == [None, "packed"]
    again = ServingManifest.from_json(manifest.to_json())
    assert again == manifest
    assert [view.is_packed for view in again.views] == [False, True]


def test_manifest_with_an_unknown_layout_is_refused() -> None:
    text = _manifest(replace(ROW, online_layout="packed")).to_json()
    with pytest.raises(UsageError, match="layout 'woven', which this release does not know"):
        ServingManifest.from_json(text.replace('"packed"', '"woven"'))


def test_manifest_keeps_orders_types_ttl_and_ticks() -> None:
    manifest = ServingManifest.from_json(_manifest().to_json())
    assert manifest.features == (("clicking", "clicks_7d"), ("click", "a"))
    window, row = manifest.views
    assert (window.name, row.name) == ("clicking", "click")
    assert list(row.keys) == ["region", "user_id"]
    assert list(row.features.items()) == [("z", Vector(3)), ("a", Array(Decimal(10, 2)))]
    assert (row.ttl_us, row.schedule) == (36 * 3_600_000_000, None)
    assert (window.ttl_us, window.schedule) == (None, WINDOW.schedule)


@pytest.mark.parametrize("name", ["a", "spend", "a" * 48, "user_orders_of_the_last_thirty_days_by_region_and"[:48]])
@pytest.mark.parametrize("version", [1, 10, 123_456])
def test_table_name_fits_into_48_characters_and_says_view_and_version(name: str, version: int) -> None:
    table = table_name("demo", replace(ROW, name=name, version=version))
    assert len(table) <= 48
    assert table.startswith(name[:20])
    assert f"__v{version}_" in table


def test_table_name_of_long_names_with_one_prefix_differ() -> None:
    names = [f"{'a' * 46}_{digit}" for digit in range(10)]
    tables = {table_name("demo", replace(ROW, name=name)) for name in names}
    assert len(tables) == 10
    assert {len(table) for table in tables} == {48}


def test_table_name_changes_with_whatever_decides_its_columns() -> None:
    one, two = ROW.features
    variants = [
        table_name("demo", ROW),
        table_name("other", ROW),
        table_name("demo", replace(ROW, version=2)),
        table_name("demo", replace(ROW, features=(two, one))),
        table_name("demo", replace(ROW, features=(one, replace(two, dtype=Float64)))),
        table_name("demo", replace(ROW, online_layout="packed")),
        table_name("demo", replace(ROW, online_layout="packed", features=(two, one))),
        table_name("demo", replace(ROW, entity=Entity("user", {"user_id": Int64, "region": String}))),
        table_name("demo", replace(ROW, entity=Entity("user", {"region": String, "user_id": String}))),
    ]
    assert len(set(variants)) == len(variants)


def test_table_name_of_a_typed_view_is_the_one_that_it_had_before_there_was_a_choice() -> None:
    assert [table_name("demo", view) for view in (ROW, WINDOW)] == ["click__v1_1a0e2624", "clicking__v1_f6181a0d"]


def test_table_name_stays_when_only_texts_and_ttl_change() -> None:
    assert table_name("demo", replace(ROW, owner="risk@", ttl=None)) == table_name("demo", ROW)
