"""What Prometheus is told: each call as it ends, the client's health when it asks."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from skewless.errors import SkewlessError
from skewless.online import CallRecord, ClientHealth, OnlineClient

_LATENCIES_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
_AGES_S = (60, 600, 3_600, 21_600, 86_400, 172_800, 604_800, 2_592_000)


class ServingMetrics:
    """Counters and histograms of one process, in a registry of its own."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.registry = CollectorRegistry()
        of_service, registry = ["service"], self.registry
        self._seconds = Histogram(
            "skewless_call_seconds", "Seconds of a read.", of_service, buckets=_LATENCIES_S, registry=registry
        )
        self._age = Histogram(
            "skewless_value_age_seconds",
            "The greatest age of a read, per view.",
            ["service", "view"],
            buckets=_AGES_S,
            registry=registry,
        )
        self._keys = Counter("skewless_keys", "Keys asked for.", of_service, registry=registry)
        self._values = Counter("skewless_values", "Values by status.", ["service", "view", "status"], registry=registry)
        self._errors = Counter("skewless_call_errors", "Reads that raised.", ["service", "error"], registry=registry)
        self._timeouts = Counter(
            "skewless_call_timeouts", "Reads cut short by their deadline.", of_service, registry=registry
        )
        self._unconfirmed = Counter(
            "skewless_call_unconfirmed", "Reads on an old timeline.", of_service, registry=registry
        )
        self._retries = Counter("skewless_retries", "Requests sent again.", of_service, registry=registry)
        self._unanswered = Counter(
            "skewless_unanswered", "Requests given up at a deadline.", of_service, registry=registry
        )

    def observe(self, record: CallRecord) -> None:
        """Count a call: the client's `observer`."""
        service = record.service
        self._seconds.labels(service).observe(record.seconds)
        self._keys.labels(service).inc(record.keys)
        self._retries.labels(service).inc(record.retries)
        self._unanswered.labels(service).inc(record.unanswered)
        self._timeouts.labels(service).inc(record.is_timed_out)
        self._unconfirmed.labels(service).inc(record.unconfirmed)
        if record.error is not None:
            self._errors.labels(service, record.error).inc()
        for view, counts in record.statuses.items():
            for status, count in counts.items():
                self._values.labels(service, view, status.value).inc(count)
        for view, age in record.age.items():
            if age is not None:
                self._age.labels(service, view).observe(age.total_seconds())

    def watch(self, client: OnlineClient) -> None:
        """Tell a client's health too."""
        self.registry.register(_Health(client))

    def exposition(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)


class _Health(Collector):
    def __init__(self, client: OnlineClient) -> None:
        self._client = client

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            health = self._client.health()
        except SkewlessError:
            yield _gauge("connected", "1 when there is a connection to the store.", 0)
            return
        yield _gauge("connected", "1 when there is a connection to the store.", int(health.transport.is_connected))
        yield from _gauges(health)


def _gauges(health: ClientHealth) -> Iterator[GaugeMetricFamily]:
    yield _gauge("confirmed", "0 when a newer revision may be in force unseen.", int(health.is_confirmed))
    yield _gauge("orphans", "Requests that the driver gave up and waits for.", health.transport.orphaned_requests)
    yield _gauge("hosts_up", "Nodes that answer.", health.transport.hosts_up)
    yield _gauge("hosts_down", "Nodes that do not.", health.transport.hosts_down)
    if health.revision is not None:
        yield _gauge("revision", "The newest revision held.", health.revision)
    if health.confirmed_ago is not None:
        seconds = health.confirmed_ago.total_seconds()
        yield _gauge("snapshot_age_seconds", "Since the timeline was last confirmed.", seconds)


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"skewless_{name}", meaning, value=value)
