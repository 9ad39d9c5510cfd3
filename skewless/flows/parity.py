"""parity: the client's answers against the rule computed from history, cell by cell, with a certificate."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pyspark.sql import functions as F

from skewless.core.dtypes import DType, Timestamp
from skewless.core.fingerprint import digest
from skewless.core.names import feature_reference
from skewless.core.resolver import value_status
from skewless.core.service import FeatureService
from skewless.core.time import format_instant, from_us, to_us
from skewless.core.vector import Status
from skewless.core.view import FeatureView
from skewless.errors import UsageError
from skewless.flows.online_reading import open_client
from skewless.flows.parity_causes import Inquiry, Suspect
from skewless.flows.point_in_time import Pins, pinned
from skewless.flows.recover import synced_timeline
from skewless.flows.workshop import Workshop
from skewless.online.codec import Key, same_bits
from skewless.online.reader import Reader
from skewless.spark.dtypes import spark_schema

_TIME = "timestamp"
_CHUNK = 100
_SHOWN = 50
_DEADLINE_MS = 10_000
#: By the rule of three: seeing none in n draws bounds the rate by 3/n at 95 %.
_RULE_OF_THREE = 3.0


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One cell that differs.

    Attributes:
        keys: The entity.
        feature: `view:feature`, or a view for its event time.
        online: What the client answered.
        offline: What history says.
        cause: One of `Cause`.
    """

    keys: Mapping[str, object]
    feature: str
    online: str
    offline: str
    cause: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a comparison found; 0 mismatches is the only pass.

    Attributes:
        service: The service.
        contract_hash: Its fingerprint.
        revision: That the client answered with.
        at_us: The observation time of both sides.
        sampled: Entities compared.
        cells: Values and event times compared.
        mismatches: Cells that differ.
        causes: Cause → cells.
        upper_bound: Upper 95 % bound of the share of entities that differ; None when some do.
        examples: At most 50 mismatches.
        path: Where it is kept.
    """

    service: str
    contract_hash: str
    revision: int | None
    at_us: int
    sampled: int
    cells: int
    mismatches: int
    causes: Mapping[str, int]
    upper_bound: float | None
    examples: tuple[Mismatch, ...] = ()
    path: str = ""

    def to_json(self) -> dict[str, Any]:
        """Its JSON form, sealed by a hash of its own."""
        body = {key: value for key, value in asdict(self).items() if key != "path"}
        body["at"] = format_instant(from_us(self.at_us))
        sealed = {**body, "upper_bound": None if self.upper_bound is None else f"{self.upper_bound:.6g}"}
        return {**body, "hash": digest(json.loads(json.dumps(sealed, default=str), parse_float=str))}


def certify(shop: Workshop, service: FeatureService, *, sample: int | None = None) -> Certificate:
    """Compare the online answers of a service with history.

    Args:
        shop: The workshop.
        service: The service.
        sample: Entities to compare, chosen by the hash of the key; every entity ever served when None.

    Raises:
        UsageError: The environment has no online store, or nothing was ever served.
        DefinitionConflict: The service has other features than what was applied.
    """
    if shop.online is None:
        raise UsageError(f"Environment '{shop.settings.env}' has no online store to compare with.")
    contract = shop.contract_hash(service, shop.applied())
    pins = pinned(shop, service, synced_timeline(shop))
    keys = _entities(shop, pins, sample)
    if not keys:
        raise UsageError(f"Nothing of service '{service.name}' was ever served. Run `skewless run` first.")
    shop.say(f"{service.name}: comparing {len(keys):,} entities…")
    with open_client(shop) as client, client.snapshot() as pin:
        online, revision, at_us = _online(pin, service, keys)
        offline = _offline(shop, pins, keys, at_us=at_us)
        found = list(_differences(pins, zip(keys, online, offline, strict=True)))
        mismatches = list(_with_causes(shop, pins, pin, found, at_us=at_us)) if found else []
    certificate = Certificate(
        service=service.name,
        contract_hash=contract,
        revision=revision,
        at_us=at_us,
        sampled=len(keys),
        cells=len(keys) * (len(service.features) + len(pins.views)),
        mismatches=len(mismatches),
        causes=dict(Counter(one.cause for one in mismatches)),
        upper_bound=None if mismatches else min(1.0, _RULE_OF_THREE / len(keys)),
        examples=tuple(mismatches[:_SHOWN]),
    )
    return _kept(shop, certificate)


def _entities(shop: Workshop, pins: Pins, sample: int | None) -> list[dict[str, object]]:
    """The keys of every entity that was ever served to a view of the service, in a stable order."""
    names = list(dict.fromkeys(key for view in pins.views for key in view.entity.key_names))
    frames = [one.served.select(*names) for one in pins.values if list(one.view.entity.key_names) == names]
    if not frames:
        raise UsageError(f"The views of '{pins.service.name}' have different keys; parity over them is not built yet.")
    everyone = frames[0]
    for frame in frames[1:]:
        everyone = everyone.unionByName(frame)
    chosen = everyone.distinct().orderBy(F.xxhash64(*names), *names)
    if sample is not None:
        chosen = chosen.limit(sample)
    return [row.asDict() for row in chosen.collect()]


Answer = Mapping[str, tuple[str, object]]


def _online(
    pin: Reader, service: FeatureService, keys: Sequence[Mapping[str, object]]
) -> tuple[list[Answer], int | None, int]:
    """The client's answers, all of one revision at one instant."""
    answers: list[Answer] = []
    for start in range(0, len(keys), _CHUNK):
        batch = pin.get_many(service.name, keys[start : start + _CHUNK], deadline_ms=_DEADLINE_MS)
        answers += [_online_answer(vector) for vector in batch]
        revision, at_us = batch.revision, to_us(batch.at)
    return answers, revision, at_us


def _online_answer(vector: Any) -> Answer:
    told: dict[str, tuple[str, object]] = {
        feature: (vector.status[feature].value, value) for feature, value in vector.values.items()
    }
    return {**told, **{view: ("event_time", _as_us(at)) for view, at in vector.event_time.items()}}


def _offline(shop: Workshop, pins: Pins, keys: Sequence[Mapping[str, object]], *, at_us: int) -> list[Answer]:
    """The rule's answers from history at the generation that readers use at the instant; served rows play no part."""
    view_keys: dict[str, DType] = {key: dtype for view in pins.views for key, dtype in view.entity.keys.items()}
    schema = spark_schema({**view_keys, _TIME: Timestamp})
    rows = [(*(key[name] for name in view_keys), from_us(at_us)) for key in keys]
    spine = shop.session.createDataFrame(rows, schema)
    told = pins.at(at_us).of_entities(spine).join(spine, time_column=_TIME, as_served=False)
    found = {tuple(row[name] for name in view_keys): answers for row, answers in pins.collected(told, *view_keys)}
    return [_offline_answer(found[tuple(key[name] for name in view_keys)], pins) for key in keys]


def _offline_answer(answers: Mapping[str, Mapping[str, Any]], pins: Pins) -> Answer:
    told: dict[str, tuple[str, object]] = {}
    for view in pins.views:
        answer = answers[view.name]
        for feature in pins.service.features_of(view.name):
            value = answer["values"][feature] if answer["values"] is not None else None
            status = value_status(Status(answer["status"]), value)
            told[feature_reference(view.name, feature)] = (status.value, value)
        told[view.name] = ("event_time", answer["event_us"])
    return told


@dataclass(frozen=True, slots=True)
class _Difference:
    """A cell that both sides know otherwise; `feature` is None for the event time."""

    keys: Mapping[str, object]
    view: FeatureView
    feature: str | None
    online: tuple[str, object]
    offline: tuple[str, object]

    @property
    def key(self) -> Key:
        """The entity."""
        return tuple(self.keys.values())


def _differences(pins: Pins, answered: Iterable[tuple[Mapping[str, object], Answer, Answer]]) -> Iterator[_Difference]:
    cells = [(feature_reference(view.name, one.name), view, one) for view in pins.views for one in view.features]
    for keys, online, offline in answered:
        for name, view, feature in cells:
            if name in online and not _is_same_cell(feature.dtype, online[name], offline[name]):
                yield _Difference(keys, view, feature.name, online[name], offline[name])
        for view in pins.views:
            if online[view.name] != offline[view.name]:
                yield _Difference(keys, view, None, online[view.name], offline[view.name])


def _is_same_cell(dtype: DType, online: tuple[str, object], offline: tuple[str, object]) -> bool:
    return online[0] == offline[0] and same_bits(dtype, online[1], offline[1])


def _with_causes(
    shop: Workshop, pins: Pins, pin: Reader, found: Sequence[_Difference], *, at_us: int
) -> Iterator[Mismatch]:
    """Name the cause of each difference; the client tells once per entity how it came by its answer."""
    entities = {one.key: one.keys for one in found}
    explained = {
        key: {one.view: one for one in pin.explain(pins.service.name, keys).views} for key, keys in entities.items()
    }
    suspects = {
        (one.key, one.view.name): Suspect(one.view, one.key, explained[one.key][one.view.name]) for one in found
    }
    inquiry = Inquiry(shop, pins, tuple(suspects.values()), at_us=at_us)
    for one in found:
        cause = inquiry.cause(suspects[one.key, one.view.name], one.feature, one.online)
        feature = one.view.name if one.feature is None else feature_reference(one.view.name, one.feature)
        left, right = (f"{status} {value!r}" for status, value in (one.online, one.offline))
        yield Mismatch(one.keys, feature, left, right, cause.value)


def _as_us(at: datetime | None) -> int | None:
    return None if at is None else to_us(at)


def _kept(shop: Workshop, certificate: Certificate) -> Certificate:
    folder = shop.settings.state / "parity"
    folder.mkdir(parents=True, exist_ok=True)
    stamp = from_us(certificate.at_us).strftime("%Y%m%dT%H%M%S")
    file: Path = folder / f"{certificate.service}-r{certificate.revision}-{stamp}.json"
    text = json.dumps(certificate.to_json(), indent=2, sort_keys=True, default=str)
    file.write_text(text + "\n")
    fields = {name: getattr(certificate, name) for name in certificate.__dataclass_fields__}
    return Certificate(**{**fields, "path": str(file)})
