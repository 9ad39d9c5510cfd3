"""Calls of a client as OpenTelemetry metrics and spans, by the API alone: SDK and exporter are the process's choice.

Needs the extra `otel` (opentelemetry-api); nothing else of this package imports this file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from opentelemetry import metrics, trace
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
from opentelemetry.trace import SpanKind, StatusCode, TracerProvider

from skewless.errors import SkewlessError
from skewless.online.client import OnlineClient
from skewless.online.errors import ServiceUnknown
from skewless.online.observer import CallRecord
from skewless.online.options import ClientHealth

_SCOPE = "skewless.online"
_LATENCIES_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
#: A minute, ten, an hour, six, a day, two, a week, thirty days.
_AGES_S = (60, 600, 3_600, 21_600, 86_400, 172_800, 604_800, 2_592_000)


class OpenTelemetryObserver:
    """Records each call: `OnlineClient.connect(…, observer=OpenTelemetryObserver())`."""

    def __init__(
        self, *, meter_provider: MeterProvider | None = None, tracer_provider: TracerProvider | None = None
    ) -> None:
        """Make the instruments.

        Args:
            meter_provider: Where metrics go; None is the process's own.
            tracer_provider: Where spans go; None is the process's own.
        """
        self._tracer = trace.get_tracer(_SCOPE, tracer_provider=tracer_provider)
        meter = self._meter = metrics.get_meter(_SCOPE, meter_provider=meter_provider)
        self._duration = meter.create_histogram(
            "skewless.client.call.duration",
            unit="s",
            description="From the beginning of a call until its answers were there.",
            explicit_bucket_boundaries_advisory=_LATENCIES_S,
        )
        self._age = meter.create_histogram(
            "skewless.client.value.age",
            unit="s",
            description="The greatest age among a call's answers, per view.",
            explicit_bucket_boundaries_advisory=_AGES_S,
        )
        self._keys = meter.create_counter("skewless.client.keys", unit="{key}", description="Keys asked for.")
        self._values = meter.create_counter(
            "skewless.client.values", unit="{value}", description="Values answered, by view and status."
        )
        self._retries = meter.create_counter(
            "skewless.client.retries", unit="{request}", description="Requests sent again after a failure."
        )
        self._unanswered = meter.create_counter(
            "skewless.client.unanswered", unit="{request}", description="Requests given up at a deadline."
        )
        self._unconfirmed = meter.create_counter(
            "skewless.client.unconfirmed", unit="{call}", description="Calls on a timeline that may be out of date."
        )

    def __call__(self, record: CallRecord) -> None:
        """Record a call as metrics, and as a span below the current one."""
        self._measure(record)
        self._trace(record)

    def watch(self, client: OnlineClient) -> None:
        """Report a client's health whenever metrics are collected, which connects one that never was.

        Gauges: `skewless.client.connected` (0 or 1), `revision` (the newest held), `snapshot.age` (seconds since the
        timeline was last confirmed), `orphans` (requests that the driver gave up and still waits for), `hosts.down`.
        """
        create = self._meter.create_observable_gauge
        create("skewless.client.connected", [_reading(client, _is_connected, without=0)])
        create("skewless.client.revision", [_reading(client, lambda health: health.revision)])
        create("skewless.client.snapshot.age", [_reading(client, _snapshot_age)], unit="s")
        create(
            "skewless.client.orphans",
            [_reading(client, lambda health: health.transport.orphaned_requests)],
            unit="{request}",
        )
        create(
            "skewless.client.hosts.down", [_reading(client, lambda health: health.transport.hosts_down)], unit="{host}"
        )

    def _measure(self, record: CallRecord) -> None:
        # A name that no service has could be anything, and each would be a series of its own.
        service = {} if record.error == ServiceUnknown.__name__ else {"skewless.service": record.service}
        self._duration.record(record.seconds, service if record.error is None else _with_error(service, record.error))
        self._keys.add(record.keys, service)
        self._retries.add(record.retries, service)
        self._unanswered.add(record.unanswered, service)
        self._unconfirmed.add(int(record.unconfirmed), service)
        for view, counts in record.statuses.items():
            for status, count in counts.items():
                self._values.add(count, {**service, "skewless.view": view, "skewless.status": status.value})
        for view, age in record.age.items():
            if age is not None:
                self._age.record(age.total_seconds(), {**service, "skewless.view": view})

    def _trace(self, record: CallRecord) -> None:
        ended_ns = time.time_ns()
        span = self._tracer.start_span(
            "skewless.call", kind=SpanKind.CLIENT, start_time=ended_ns - round(record.seconds * 1e9)
        )
        if span.is_recording():
            span.set_attributes(_attributes(record))
            if record.error is not None:
                span.set_status(StatusCode.ERROR, record.error)
        span.end(ended_ns)


def _with_error(attributes: dict[str, str], error: str) -> dict[str, str]:
    return {**attributes, "error.type": error}


def _attributes(record: CallRecord) -> dict[str, str | int | float | bool]:
    found: dict[str, str | int | float | bool] = {
        "skewless.service": record.service,
        "skewless.keys": record.keys,
        "skewless.retries": record.retries,
        "skewless.unanswered": record.unanswered,
        "skewless.unconfirmed": record.unconfirmed,
        "skewless.timed_out": record.is_timed_out,
    }
    if record.error is not None:
        found["error.type"] = record.error
    if record.revision is not None:
        found["skewless.revision"] = record.revision
    for counts in record.statuses.values():
        for status, count in counts.items():
            name = f"skewless.values.{status.value.lower()}"
            found[name] = int(found.get(name, 0)) + count
    ages = [age for age in record.age.values() if age is not None]
    if ages:
        found["skewless.greatest_age_s"] = max(ages).total_seconds()
    return found


def _reading(
    client: OnlineClient, read: Callable[[ClientHealth], float | None], *, without: float | None = None
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(_: CallbackOptions) -> Iterable[Observation]:
        try:
            value = read(client.health())
        except SkewlessError:
            # No connection: `connected` says so, and there is nothing to say of what it would tell.
            value = without
        return () if value is None else (Observation(value),)

    return observe


def _is_connected(health: ClientHealth) -> int:
    return int(health.transport.is_connected)


def _snapshot_age(health: ClientHealth) -> float | None:
    return None if health.confirmed_ago is None else health.confirmed_ago.total_seconds()
