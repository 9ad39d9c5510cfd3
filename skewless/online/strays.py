"""All that lies in a view's table, whoever it belongs to: for an inquiry, not for serving."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from skewless.core.serving import ServedView
from skewless.online import cql
from skewless.online.codec import Key, key_from_driver


def stored_keys(session: Any, keyspace: str, view: ServedView) -> Iterator[Key]:
    """The key of every entity of a table, page by page."""
    is_wrapped = cql.is_wrapped(view)
    for row in session.execute(cql.select_keys(keyspace, view), timeout=None):
        yield key_from_driver(row[0], is_wrapped=is_wrapped)


def heads_of(session: Any, keyspace: str, view: ServedView, key: Key) -> list[tuple[int, int | None]]:
    """Generation and event time (microseconds; None when absent) of every row of an entity."""
    statement = session.prepare(cql.select_heads(keyspace, view))
    bound = statement.bind((key if cql.is_wrapped(view) else key[0],))
    return [(row[0], row[1]) for row in session.execute(bound)]
