"""The test vectors of the online contract, and how their spellings become Python's values and back."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from skewless.core.clock import ManualClock
from skewless.core.dtypes import DType, Int64
from skewless.core.serving import ServedView, ServingManifest
from skewless.core.time import Schedule
from skewless.core.timeline import Pointer, Revision
from skewless.core.vector import Status
from skewless.online import OnlineClient
from skewless.online.options import ClientOptions
from skewless.online.rows import StoredRow
from skewless.online.transport import Gather, Read, Snapshot, Transport, TransportHealth

FILE = Path(__file__).resolve().parents[2] / "docs" / "contract" / "vectors.json"
VECTORS: dict[str, Any] = json.loads(FILE.read_text())
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_AS_THEY_ARE = {"bool", "int32", "string"}


def parsed(dtype: DType, text: Any) -> Any:
    """A value as the writer is given it: timestamps are microseconds."""
    if dtype.element is not None:
        return [parsed(dtype.element, each) for each in text]
    if dtype.kind == "vector":
        return [_float_of(">f", each) for each in text]
    if dtype.kind in _AS_THEY_ARE:
        return text
    return {
        "int64": int,
        "timestamp": int,
        "float32": lambda bits: _float_of(">f", bits),
        "float64": lambda bits: _float_of(">d", bits),
        "bytes": bytes.fromhex,
        "date": date.fromisoformat,
        "decimal": Decimal,
    }[dtype.kind](text)


def spelled(dtype: DType, value: Any) -> Any:
    """A value that a client was given, as the vectors spell it."""
    if dtype.element is not None:
        return [spelled(dtype.element, each) for each in value]
    if dtype.kind == "vector":
        return [struct.pack(">f", each).hex() for each in value]
    if dtype.kind in _AS_THEY_ARE:
        return value
    return {
        "int64": str,
        "timestamp": lambda instant: str((instant - _EPOCH) // timedelta(microseconds=1)),
        "float32": lambda number: struct.pack(">f", number).hex(),
        "float64": lambda number: struct.pack(">d", number).hex(),
        "bytes": bytes.hex,
        "date": date.isoformat,
        "decimal": lambda number: f"{number:f}",
    }[dtype.kind](value)


def _float_of(form: str, bits: str) -> float:
    return float(struct.unpack(form, bytes.fromhex(bits))[0])


def integer(text: str | None) -> int | None:
    """A 64-bit integer, which the vectors spell as text."""
    return None if text is None else int(text)


def revision_of(number: int, visible_from_us: int, views: dict[str, list[str]] | None = None) -> Revision:
    """A revision of the vectors."""
    pointers = {view: Pointer(table, int(gen), int(through)) for view, (table, gen, through) in (views or {}).items()}
    return Revision(number, visible_from_us, pointers)


def status_view(case: dict[str, Any]) -> ServedView:
    """The view of a status case: one int64 key, one int64 feature."""
    view, schedule = case["view"], case["view"]["schedule_us"]
    name, _, version = view["reference"].partition("@")
    ttl_us = integer(view["ttl_us"])
    return ServedView(
        name=name,
        version=int(version),
        table=view["table"],
        keys={"user_id": Int64},
        features={"x": Int64},
        ttl=None if ttl_us is None else timedelta(microseconds=ttl_us),
        schedule=None if schedule is None else Schedule(*(timedelta(microseconds=int(us)) for us in schedule)),
        fingerprint="f",
    )


def status_rows(case: dict[str, Any], user: int) -> list[tuple[int, StoredRow]]:
    """The stored rows of a status case, as (generation, row)."""
    return [
        (int(gen), StoredRow((user,), integer(event_us), state, (integer(value),)))
        for gen, event_us, state, value in case["rows"]
    ]


@dataclass
class CaseTransport:
    """A store in the state of a status case, whose rows another transport reads."""

    case: dict[str, Any]
    rows: Transport

    def snapshot(self) -> Snapshot | None:
        views = self.case["views_in_force"]
        return None if views is None else Snapshot(revision_of(1, -(10**12), views))

    def revisions(self, since: int) -> tuple[Revision, ...]:
        raise AssertionError(f"nothing was missed since {since}")

    def serving(self, service: str) -> ServingManifest | None:
        view = status_view(self.case)
        return ServingManifest("p", service, "c", ((view.name, "x"),), (view,))

    def contract(self, service: str, contract_hash: str) -> ServingManifest | None:
        raise AssertionError(f"nobody pinned {service} to {contract_hash}")

    def services(self) -> tuple[str, ...]:
        return ("svc",)

    def prepare(self, view: ServedView, features: tuple[str, ...]) -> None:
        self.rows.prepare(view, features)

    def start(self, reads: list[Read], gather: Gather) -> None:
        if self.case["reply"] == "rows":
            self.rows.start(reads, gather)
            return
        gather.opened(len(reads))
        if self.case["reply"] == "failed":
            for number, read in enumerate(reads):
                gather.failed(number, read.keys, Status.ERROR)

    def health(self) -> TransportHealth:
        return self.rows.health()

    def close(self) -> None:
        """The rows' transport is shared by all cases."""


def status_told(case: dict[str, Any], rows: Transport, user: int) -> dict[str, str | None]:
    """What our client says of a status case, in the words of the case's `expected`."""
    clock = ManualClock(int(case["now_us"]))
    # A reply that never comes should not take long.
    deadline_ms = 1.0 if case["reply"] == "late" else 5000.0
    options = ClientOptions(clock=clock, poll_interval=None, deadline_ms=deadline_ms)
    client = OnlineClient(lambda: CaseTransport(case, rows), options)  # type: ignore[arg-type, return-value]
    keys = {"user_id": None if case["is_key_null"] else user}
    try:
        vector = client.get("svc", keys)
        # Only an explanation tells of the row; it would wait for a late reply.
        explained = client.explain("svc", keys).views[0] if case["reply"] == "rows" else None
    finally:
        client.close()
    name = case["view"]["reference"].partition("@")[0]
    event_time, age = vector.event_time[name], vector.age[name]
    return {
        "status": vector.status[f"{name}:x"].value,
        "value": _text(vector.values[f"{name}:x"]),
        "event_us": None if event_time is None else spelled(DType("timestamp"), event_time),
        "age_us": None if age is None else str(age // timedelta(microseconds=1)),
        "generation": _text(vector.generation[name]),
        "row_generation": None if explained is None else _text(explained.row_generation),
    }


def _text(number: object) -> str | None:
    return None if number is None else str(number)
