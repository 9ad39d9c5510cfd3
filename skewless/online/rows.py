"""Served rows: from Arrow batches (or anything with `to_pydict`) to the driver's values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from skewless.core.names import STATE
from skewless.core.serving import ServedView
from skewless.online.codec import STATE_ABSENT, Key, checked_part, encoder, state_code
from skewless.online.errors import BadRow
from skewless.online.packing import Packer

EVENT_US = "event_us"
KEEP_GENERATION = "_keep_gen"


class RowBatch(Protocol):
    """What we need of an Arrow record batch."""

    def to_pydict(self) -> dict[str, list[Any]]:
        """Column name → values."""


@dataclass(frozen=True, slots=True)
class StoredRow:
    """One served row in the driver's values.

    Attributes:
        key: Of the entity.
        event_us: The time that the row speaks for; None when absent.
        state: None present, 1 deleted, 2 absent.
        values: Those of the table's columns in their order, features or the one blob of a packed row; None is null.
    """

    key: Key
    event_us: int | None
    state: int | None
    values: tuple[Any, ...]


def served_rows(view: ServedView, batches: Iterable[RowBatch]) -> Iterator[StoredRow]:
    """Read batches with the columns keys, `event_us`, `_state` and features.

    Raises:
        BadRow: A column is missing, or a row cannot be what its view declares.
        BadKeys: A key part is null or of another type.
    """
    encoders = [(place, encode) for place, encode in _encoders(view) if encode is not None]
    pack = Packer(view.features).pack if view.is_packed else None
    for batch in batches:
        columns = batch.to_pydict()
        features = _columns(view, columns, tuple(view.features))
        events, states = _columns(view, columns, (EVENT_US, STATE))
        keys = batch_keys(view, columns)
        rows = zip(*features, strict=True) if features else iter(())
        for key, event_us, state, values in zip(keys, events, states, rows, strict=True):
            if encoders:
                values = _encoded(values, encoders)  # noqa: PLW2901 - the same row, converted
            code = state_code(state)
            if pack is not None:
                values = (_packed(values, code, pack),)  # noqa: PLW2901 - as above
            yield _stored(key, event_us, code, values)


def _packed(values: tuple[Any, ...], state: int | None, pack: Callable[[tuple[Any, ...]], bytes]) -> bytes | None:
    # A present row has bytes, also when all is null, so that their loss is seen. Others need not.
    return pack(values) if state is None or any(value is not None for value in values) else None


def _stored(key: Key, event_us: int | None, state: int | None, values: tuple[Any, ...]) -> StoredRow:
    if event_us is None and state != STATE_ABSENT:
        message = f"The served row of key {key} has no event_us, which only absent rows may lack. Give its event time."
        raise BadRow(message)
    return StoredRow(key, event_us, state, values)


def served_keys(view: ServedView, batches: Iterable[RowBatch]) -> Iterator[Key]:
    """Read the keys of batches; other columns are ignored."""
    for batch in batches:
        yield from batch_keys(view, batch.to_pydict())


def kept_generations(view: ServedView, batches: Iterable[RowBatch]) -> Iterator[tuple[Key, int]]:
    """Read keys with the generation that must stay readable (`_keep_gen`)."""
    for batch in batches:
        columns = batch.to_pydict()
        yield from zip(batch_keys(view, columns), *_columns(view, columns, (KEEP_GENERATION,)), strict=True)


def batch_keys(view: ServedView, columns: dict[str, list[Any]]) -> Iterator[Key]:
    """The keys of a batch's rows in their order.

    Raises:
        BadRow: A key column is missing.
        BadKeys: A key part is null or of another type.
    """
    parts = [
        [checked_part(name, dtype, value) for value in column]
        for (name, dtype), column in zip(view.keys.items(), _columns(view, columns, tuple(view.keys)), strict=True)
    ]
    return iter(zip(*parts, strict=True))


def _columns(view: ServedView, columns: dict[str, list[Any]], names: tuple[str, ...]) -> list[list[Any]]:
    missing = [name for name in names if name not in columns]
    if missing:
        message = (
            f"Rows for table '{view.table}' lack the columns {missing}; they have {sorted(columns)}. "
            "Select keys, event_us, _state and every feature before pushing."
        )
        raise BadRow(message)
    return [columns[name] for name in names]


def _encoders(view: ServedView) -> Iterator[tuple[int, Any]]:
    for place, dtype in enumerate(view.features.values()):
        yield place, encoder(dtype)


def _encoded(values: tuple[Any, ...], encoders: list[tuple[int, Any]]) -> tuple[Any, ...]:
    changed = list(values)
    for place, encode in encoders:
        if changed[place] is not None:
            changed[place] = encode(changed[place])
    return tuple(changed)
