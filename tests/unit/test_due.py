"""What is looked at again when a source cannot tell what changed: everything."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from skewless.flows.due import _changes

SEEN = {"kind": "materialize", "sources": {"orders": 3}, "source_ids": {"orders": "this"}}


def told(changed: Any, *, table_id: str = "this", **seen: Any) -> tuple[Any, list[str]]:
    said: list[str] = []
    situation = SimpleNamespace(view=SimpleNamespace(name="spend"), seen=SimpleNamespace(**{**SEEN, **seen}))
    sources = SimpleNamespace(
        pins={"orders": SimpleNamespace(table_id=table_id)}, changes_since=lambda name, version: changed[name, version]
    )
    return _changes(SimpleNamespace(say=said.append), situation, sources, ["orders"]), said  # type: ignore[arg-type]


def test_changes_since_the_version_that_was_read_are_taken() -> None:
    assert told({("orders", 3): "rows"}) == ({"orders": "rows"}, [])


@pytest.mark.parametrize(
    ("changed", "table_id", "says"),
    [
        ({("orders", 3): "rows"}, "another", "spend: source 'orders' was replaced by another table since version 3."),
        ({("orders", 3): None}, "this", "spend: source 'orders' no longer tells what changed since version 3."),
    ],
    ids=["replaced", "vacuumed"],
)
def test_source_that_cannot_tell_what_changed_is_evaluated_as_a_whole(changed: Any, table_id: str, says: str) -> None:
    assert told(changed, table_id=table_id) == (None, [says])


def test_view_that_was_reverted_is_evaluated_as_a_whole() -> None:
    assert told({("orders", 3): "rows"}, kind="revert") == (None, [])
