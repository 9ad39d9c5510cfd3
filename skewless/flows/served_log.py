"""The served-vector log: what services were given, kept as JSON lines, and replayed against the offline rule."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from skewless.core.dtypes import DType, Int64, Timestamp
from skewless.core.resolver import value_status
from skewless.core.service import FeatureService
from skewless.core.time import from_us, to_us
from skewless.core.vector import Status
from skewless.flows.point_in_time import Pins, pinned
from skewless.flows.recover import synced_timeline
from skewless.flows.workshop import Workshop
from skewless.online.served_log import ServedRecord
from skewless.spark.dtypes import spark_schema

_TIME, _LINE = "timestamp", "_line"
#: In this order: a datetime is a date too.
_SPELLED: tuple[tuple[tuple[type, ...], Callable[[Any], object]], ...] = (
    ((float,), float.hex),
    ((datetime,), to_us),
    ((date, Decimal), str),
    ((bytes, bytearray), lambda value: bytes(value).hex()),
)


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay found.

    Attributes:
        reads: Records replayed.
        cells: Values compared.
        differences: Cells that differ, the first 50 in words.
        mismatches: How many differ.
    """

    reads: int
    cells: int
    mismatches: int
    differences: tuple[str, ...]


@contextmanager
def kept_log(file: Path) -> Iterator[Callable[[ServedRecord], None]]:
    """Append records to a file of JSON lines while the block runs."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lines:
        yield lambda record: print(json.dumps(_to_json(record), sort_keys=True), file=lines)


def replay(shop: Workshop, service: FeatureService, file: Path) -> Replay:
    """Answer every logged read again from the offline store, as served, and compare to the bit.

    Args:
        shop: The workshop.
        service: The service; records of others are skipped.
        file: JSON lines of `kept_log`.
    """
    records = [record for record in map(json.loads, file.read_text().splitlines()) if record["service"] == service.name]
    pins = pinned(shop, service, synced_timeline(shop))
    answers = _offline(shop, pins, records)
    found: list[str] = []
    cells = 0
    for line, record in enumerate(records):
        for feature, (status, value) in record["answers"].items():
            cells += 1
            other = answers[line][feature]
            if [status, value] != list(other):
                found.append(f"{record['keys']} {feature} at {record['at']}: served {status} {value}, offline {other}")
        if record["revision"] != answers[line]["revision"]:
            found.append(f"{record['keys']} at {record['at']}: revision {record['revision']}, offline another")
    return Replay(len(records), cells, len(found), tuple(found[:50]))


def _offline(shop: Workshop, pins: Pins, records: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    keys: dict[str, DType] = {key: dtype for view in pins.views for key, dtype in view.entity.keys.items()}
    schema = spark_schema({**keys, _TIME: Timestamp, _LINE: Int64})
    rows = [
        (*(record["keys"][key] for key in keys), from_us(record["at_us"]), line) for line, record in enumerate(records)
    ]
    spine = shop.session.createDataFrame(rows, schema)
    told = pins.join(spine, time_column=_TIME, as_served=True)
    return {row[_LINE]: _answers(answers, pins) for row, answers in pins.collected(told, _LINE)}


def _answers(answers: Mapping[str, Mapping[str, Any]], pins: Pins) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for ref in pins.service.features:
        answer = answers[ref.view]
        value = answer["values"][ref.feature] if answer["values"] is not None else None
        told[str(ref)] = (value_status(Status(answer["status"]), value).value, _plain(value))
        told["revision"] = answer["revision"]
    return told


def _to_json(record: ServedRecord) -> Mapping[str, Any]:
    answers = {name: (record.statuses[name].value, _plain(value)) for name, value in record.values.items()}
    return {
        "service": record.service,
        "keys": dict(record.keys),
        "at_us": record.at_us,
        "at": from_us(record.at_us).isoformat(),
        "revision": record.revision,
        "answers": answers,
    }


def _plain(value: object) -> object:
    """A value as JSON that no two different values share within one type; floats in hexadecimal, to the bit."""
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    for kinds, spelled in _SPELLED:
        if isinstance(value, kinds):
            return spelled(value)
    return value
