"""All that lies in a view's table, whoever it belongs to: for an inquiry, not for serving."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from skewless.core.serving import ServedView
from skewless.online import cql
from skewless.online.codec import Key, decoder, key_from_driver
from skewless.online.errors import DamagedRow
from skewless.online.packing import Unpacker


def stored_keys(session: Any, keyspace: str, view: ServedView) -> Iterator[Key]:
    """The key of every entity of a table, page by page."""
    is_wrapped = cql.is_wrapped(view)
    for row in session.execute(cql.select_keys(keyspace, view), timeout=None):
        yield key_from_driver(row[0], is_wrapped=is_wrapped)


def rows_of(
    session: Any, keyspace: str, view: ServedView, key: Key
) -> Iterator[tuple[int, int | None, tuple[Any, ...]]]:
    """Every row of an entity: generation, event time (microseconds; None when absent), values as clients get them.

    A packed row that is damaged is left out: it has no values.
    """
    statement = session.prepare(cql.select_rows(keyspace, view))
    decoders = [decoder(dtype) for dtype in view.features.values()]
    unpacker = Unpacker(view.features, tuple(view.features)) if view.is_packed else None
    for gen, event_us, *cells in session.execute(statement.bind((key if cql.is_wrapped(view) else key[0],))):
        stored = cells if unpacker is None else _unpacked(unpacker, cells[0])
        if stored is not None:
            pairs = zip(decoders, stored, strict=True)
            yield gen, event_us, tuple(one if one is None or decode is None else decode(one) for decode, one in pairs)


def _unpacked(unpacker: Unpacker, blob: bytes | None) -> Sequence[Any] | None:
    if blob is None:  # of a row that says deleted or absent
        return unpacker.nothing
    try:
        return unpacker.unpack(blob)
    except DamagedRow:
        return None
