"""What to read for a service, and how rows become answers by the one rule of the contract."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from skewless.core.dtypes import DType
from skewless.core.names import feature_reference
from skewless.core.resolver import fresh_us, row_status, value_status
from skewless.core.serving import ServedView, ServingManifest
from skewless.core.time import from_us
from skewless.core.timeline import Pointer
from skewless.core.vector import Status
from skewless.online.codec import STATE_ABSENT, STATE_DELETED, Key, checked_part, decoder
from skewless.online.errors import BadKeys, DamagedRow
from skewless.online.packing import Unpacker
from skewless.online.transport import StoredTuple

_log = logging.getLogger(__name__)


class Answer(NamedTuple):
    """What one view says of one entity, for the features that the service wants."""

    values: tuple[Any, ...]
    status: tuple[Status, ...]
    event_time: datetime | None = None
    age: timedelta | None = None
    row_generation: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ViewPlan:
    """How to read one view for a service.

    Attributes:
        view: What is read.
        entity: Place of its keys among the plan's entities.
        features: That the service wants.
        references: Their names in a vector.
        unpack: How they are taken out of a packed row; None when each has a column.
        decoders: (position, function) of the features that need one.
        present: The statuses of a row without nulls.
        empty: The answer without a row, by status.
    """

    view: ServedView
    entity: int
    features: tuple[str, ...]
    references: tuple[str, ...]
    unpack: Callable[[bytes | None], tuple[Any, ...]] | None
    decoders: tuple[tuple[int, Callable[[Any], Any]], ...]
    present: tuple[Status, ...]
    empty: Mapping[Status, Answer]

    def answers(
        self, rows: Mapping[Key, StoredTuple | None], pointer: Pointer, now_us: int
    ) -> dict[Key | None, Answer]:
        """Apply the rule to the newest row at or before the pointer of each entity."""
        judged: dict[tuple[int, int | None], tuple[Status, datetime, timedelta]] = {}
        answers: dict[Key | None, Answer] = {}
        for key, row in rows.items():
            if row is None or row[2] == STATE_ABSENT or row[1] is None:
                answers[key] = self.empty[Status.NOT_FOUND]
                continue
            case = (row[1], row[2])
            verdict = judged.get(case)
            if verdict is None:
                verdict = judged[case] = self._judged(*case, pointer, now_us)
            answers[key] = self._answer(row, verdict)
        return answers

    def _answer(self, row: StoredTuple, verdict: tuple[Status, datetime, timedelta]) -> Answer:
        try:
            values, statuses = self._cells(row, verdict[0])
        except DamagedRow as damage:
            _log.error("table %s, generation %s: %s", self.view.table, row[0], damage)
            return self.empty[Status.ERROR]._replace(row_generation=row[0])
        return Answer(values, statuses, verdict[1], verdict[2], row[0])

    def _judged(
        self, event_us: int, state: int | None, pointer: Pointer, now_us: int
    ) -> tuple[Status, datetime, timedelta]:
        view = self.view
        fresh = fresh_us(event_us=event_us, instant_us=now_us, through_us=pointer.through_us, schedule=view.schedule)
        age_us = now_us - fresh
        status = row_status(is_known=True, is_deleted=state == STATE_DELETED, age_us=age_us, ttl_us=view.ttl_us)
        return status, from_us(event_us), timedelta(microseconds=age_us)

    def _cells(self, row: StoredTuple, status: Status) -> tuple[tuple[Any, ...], tuple[Status, ...]]:
        if status is not Status.PRESENT:
            empty = self.empty[status]
            return empty.values, empty.status
        values = row[3 : 3 + len(self.features)] if self.unpack is None else self.unpack(row[3])
        if self.decoders:
            changed = list(values)
            for place, decode in self.decoders:
                if changed[place] is not None:
                    changed[place] = decode(changed[place])
            values = tuple(changed)
        if None not in values:
            return values, self.present
        return values, tuple([value_status(status, value) for value in values])


@dataclass(frozen=True, slots=True, eq=False)
class ServicePlan:
    """How to read one service.

    Attributes:
        manifest: What it serves.
        references: Its features in the order of the vector.
        types: Reference → type.
        key_types: Every key column of its views.
        entities: Key columns with their types, once for all views that share them.
        views: One plan per view.
    """

    manifest: ServingManifest
    references: tuple[str, ...]
    types: Mapping[str, DType]
    key_types: Mapping[str, DType]
    entities: tuple[tuple[tuple[str, DType], ...], ...]
    views: tuple[ViewPlan, ...]

    def entity_keys(self, keys: Sequence[Mapping[str, object]]) -> tuple[tuple[Key | None, ...], ...]:
        """Per entity the key of each request; None where a part is null, which no entity has.

        Raises:
            BadKeys: A part is missing, unknown or of another type.
        """
        for each in keys:
            self._check_names(each)
        return tuple(tuple(_key_of(entity, each) for each in keys) for entity in self.entities)

    def _check_names(self, keys: Mapping[str, object]) -> None:
        if not isinstance(keys, Mapping):
            raise BadKeys(f"Keys are a mapping of key column to value, not {type(keys).__name__} {keys!r}.")
        if keys.keys() == self.key_types.keys():
            return
        needed = ", ".join(f"{name} ({dtype})" for name, dtype in self.key_types.items())
        missing = sorted(self.key_types.keys() - keys.keys())
        unknown = sorted(map(str, keys.keys() - self.key_types.keys()))
        message = (
            f"Service '{self.manifest.service}' is asked by {needed}; missing: {missing or 'none'}, "
            f"unknown: {unknown or 'none'}. Give exactly its keys."
        )
        raise BadKeys(message)


def service_plan(manifest: ServingManifest) -> ServicePlan:
    """Work out once what every call needs."""
    key_types: dict[str, DType] = {}
    for view in manifest.views:
        key_types.update(view.keys)
    types = {view.name: view.features for view in manifest.views}
    entities = tuple(dict.fromkeys(tuple(view.keys.items()) for view in manifest.views))
    return ServicePlan(
        manifest=manifest,
        references=tuple(feature_reference(*pair) for pair in manifest.features),
        types={feature_reference(view, feature): types[view][feature] for view, feature in manifest.features},
        key_types=key_types,
        entities=entities,
        views=tuple(_view_plan(view, manifest, entities.index(tuple(view.keys.items()))) for view in manifest.views),
    )


def _view_plan(view: ServedView, manifest: ServingManifest, entity: int) -> ViewPlan:
    features = tuple(feature for name, feature in manifest.features if name == view.name)
    decoders = [(place, decoder(view.features[feature])) for place, feature in enumerate(features)]
    nothing = (None,) * len(features)
    return ViewPlan(
        view=view,
        entity=entity,
        features=features,
        references=tuple(feature_reference(view.name, feature) for feature in features),
        unpack=Unpacker(view.features, features).unpack if view.is_packed else None,
        decoders=tuple((place, decode) for place, decode in decoders if decode is not None),
        present=(Status.PRESENT,) * len(features),
        empty={status: Answer(nothing, (status,) * len(features)) for status in Status},
    )


def _key_of(entity: tuple[tuple[str, DType], ...], keys: Mapping[str, object]) -> Key | None:
    if any(keys[name] is None for name, _ in entity):
        return None
    return tuple([checked_part(name, dtype, keys[name]) for name, dtype in entity])
