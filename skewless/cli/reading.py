"""leaks, get, parity: what reads values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skewless.cli.desk import Desk
from skewless.cli.options import Service, Text, instant, typed_keys
from skewless.cli.output import Part, Table, cell
from skewless.cli.registered import keys_of_service
from skewless.core.time import format_duration, format_instant
from skewless.core.vector import FeatureVector
from skewless.errors import ContractBroken, UsageError

if TYPE_CHECKING:
    from skewless.flows.leaks import LeakReport
    from skewless.flows.parity import Certificate

# a person waits longer than a service does, and a slow answer beats none
_PATIENCE_MS = 2_000.0


def leaks(
    desk: Desk,
    service: Service,
    *,
    spine: Annotated[str, typer.Option(metavar="PATH", help="Delta table, Parquet or CSV: keys and time.")],
    time_column: Annotated[str, typer.Option(metavar="COLUMN", help="The spine's observation time.")] = "timestamp",
) -> None:
    """Show what the classic event-time join would leak: late, corrected and withdrawn values.

    Only rows at whose time something was served already can be compared; the rest are counted apart.

    For example:

        skewless leaks churn_v1 --spine labels.parquet
    """
    check_spine(spine)
    keys_of_service(desk.shop, service)
    found = desk.store.leaks(service, spine, time_column=time_column)
    desk.show({"leaks": found.to_json()}, _leaks_told(found))


def _leaks_told(found: LeakReport) -> Iterator[Part]:
    share = f" ({found.leaking / found.compared:.1%})" if found.compared else ""
    yield f"{found.service}: {found.leaking:,} of {found.compared:,} rows{share} would use what nobody was served."
    if found.rows > found.compared:
        yield f"{found.rows - found.compared:,} rows lie before the first publish; there is nothing to compare with."
    columns = ["feature", "rows", "not known yet", "withdrawn", "other value", "mean difference", "largest"]
    rows = [
        [
            one.feature,
            *(f"{count:,}" for count in (one.rows, one.appeared, one.vanished, one.changed)),
            *("" if size is None else f"{size:.4g}" for size in (one.mean_difference, one.largest_difference)),
        ]
        for one in found.features
        if one.rows
    ]
    if rows:
        yield Table(columns, rows)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of which side.

    Attributes:
        service: The service.
        keys: Key column → value.
        side: online or offline.
        milliseconds: How long the answer took.
    """

    service: str
    keys: Mapping[str, object]
    side: str
    milliseconds: float


def get(
    desk: Desk,
    service: Service,
    keys: Annotated[list[str], typer.Argument(metavar="KEY=VALUE", help="The entity, such as household_id=1.")],
    at: Annotated[
        Text, typer.Option(metavar="T", help="From history, as it was served at T; default online, now.")
    ] = None,
) -> None:
    """Read one entity's features: online now, or offline at a time, in the same form.

    Each value has a status: PRESENT, NULL, NOT_FOUND, DELETED, EXPIRED, TIMEOUT, ERROR or UNPUBLISHED. Online needs no
    Spark; the local node is started when the environment has one and it does not run.

    For example:

        skewless get churn_v1 household_id=1
        skewless get churn_v1 household_id=1 --at 2017-10-02T06:00Z
    """
    moment = instant(at)
    entity = typed_keys(keys, keys_of_service(desk.shop, service), service=service)
    if moment is None:
        vector, milliseconds = _online(desk, service, entity)
    else:
        begun = perf_counter()
        vector = desk.store.get_features(service, entity, at=moment)
        milliseconds = (perf_counter() - begun) * 1000
    asked = Asked(service, entity, "online" if moment is None else "offline", round(milliseconds, 2))
    desk.show(_vector_json(asked, vector), _vector_told(asked, vector))


def parity(
    desk: Desk,
    services: Annotated[list[str] | None, typer.Argument(metavar="SERVICE", help="All when none.")] = None,
    sample: Annotated[int | None, typer.Option(metavar="N", min=1, help="Entities per service; default all.")] = None,
) -> None:
    """Compare what the client answers online with what history says, cell by cell, bit for bit.

    Zero mismatches is the only pass; anything else ends with exit code 14 and names each cause.

    For example:

        skewless parity churn_v1 --sample 1000
    """
    for name in services or ():
        keys_of_service(desk.shop, name)
    found = desk.store.parity(*(services or ()), sample=sample)
    desk.show({"certificates": [{**one.to_json(), "path": one.path} for one in found]}, _certificates_told(found))
    broken = [one.service for one in found if one.mismatches]
    if broken:
        raise typer.Exit(ContractBroken.exit_code)


def _online(desk: Desk, service: str, keys: Mapping[str, object]) -> tuple[FeatureVector, float]:
    from skewless.flows.online_reading import open_client

    with open_client(desk.shop) as client:
        client.warmup([service])
        begun = perf_counter()
        vector = client.get(service, keys, deadline_ms=_PATIENCE_MS)
        return vector, (perf_counter() - begun) * 1000


def check_spine(spine: str) -> None:
    """Refuse a spine that is not there, before Spark starts."""
    if "://" not in spine and not Path(spine).exists():
        raise UsageError(f"There is no spine '{spine}'. Give a Delta table, a Parquet or a CSV file.")


def check_out(out: str, *, spine: str | None) -> None:
    """Refuse a place where something lies that must not be replaced, the spine above all, before Spark starts."""
    from skewless.flows.training_place import Place

    if spine is not None and "://" not in f"{spine}{out}" and Path(out).resolve() == Path(spine).resolve():
        raise UsageError("--out is the spine itself. Name another place.")
    Place(out).check()


def _vector_json(asked: Asked, vector: FeatureVector) -> dict[str, Any]:
    return {
        "service": asked.service,
        "keys": dict(asked.keys),
        "side": asked.side,
        "at": vector.at,
        "revision": vector.revision,
        "values": dict(vector.values),
        "status": {name: status.value for name, status in vector.status.items()},
        "event_time": dict(vector.event_time),
        "age_seconds": dict(vector.age),
        "generation": dict(vector.generation),
        "simulated": vector.simulated,
        "unconfirmed": vector.unconfirmed,
        "milliseconds": asked.milliseconds,
    }


def _vector_told(asked: Asked, vector: FeatureVector) -> Iterator[Part]:
    yield Table(
        ("feature", "value", "status"),
        [[name, cell(value), vector.status[name].value] for name, value in vector.values.items()],
    )
    rows = []
    for view, event in vector.event_time.items():
        age = vector.age[view]
        told = [None if event is None else format_instant(event), None if age is None else format_duration(age)]
        rows.append([view, *(cell(one) for one in (*told, vector.generation[view]))])
    yield ""
    yield Table(("view", "event time", "age", "generation"), rows)
    notes = [word for word, is_so in (("simulated", vector.simulated), ("unconfirmed", vector.unconfirmed)) if is_so]
    extra = f" ({', '.join(notes)})" if notes else ""
    took = f"{asked.milliseconds:.1f} ms"
    yield f"\nrevision {cell(vector.revision)}, {asked.side} at {format_instant(vector.at)}{extra}, {took}"


def _certificates_told(found: tuple[Certificate, ...]) -> Iterator[Part]:
    for one in found:
        verdict = "equal, bit for bit" if not one.mismatches else f"{one.mismatches:,} MISMATCHES"
        yield f"{one.service}: {one.sampled:,} entities, {one.cells:,} cells: {verdict}."
        yield from (f"  {cause}: {count:,}" for cause, count in one.causes.items())
        for example in one.examples[:5]:
            keys = " ".join(f"{key}={value}" for key, value in example.keys.items())
            yield f"  {keys} {example.feature}: online {example.online}, offline {example.offline} ({example.cause})"
        yield f"  certificate {one.path}"
