from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from skewless.core.vector import Status
from skewless.online import CallRecord, OnlineClient
from skewless.online.errors import BadKeys, ServiceUnknown
from skewless.online.telemetry import OpenTelemetryObserver
from tests.online.shop import DAY, T0, Shop

ROOT = Path(__file__).resolve().parents[2]


class Collected:
    """An observer whose metrics and spans stay in this process."""

    def __init__(self) -> None:
        self.reader, self.exporter = InMemoryMetricReader(), InMemorySpanExporter()
        self.tracer_provider = TracerProvider()
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.observer = OpenTelemetryObserver(
            meter_provider=MeterProvider([self.reader]), tracer_provider=self.tracer_provider
        )

    def points(self) -> dict[str, dict[tuple[Any, ...], Any]]:
        """metric → the values of its attributes, sorted by name → count of a histogram, else value."""
        data = self.reader.get_metrics_data()
        if data is None:
            return {}
        found = {
            metric.name.removeprefix("skewless.client."): {
                tuple(value for _, value in sorted(point.attributes.items())): getattr(
                    point, "count", getattr(point, "value", None)
                )
                for point in metric.data.data_points
            }
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }
        return {name: points for name, points in found.items() if points}

    def spans(self) -> list[Any]:
        return list(self.exporter.get_finished_spans())


@pytest.fixture
def collected() -> Collected:
    return Collected()


def test_calls_become_counters_and_histograms(shop: Shop, collected: Collected) -> None:
    view = shop.view()
    shop.serve(view)
    shop.put(view, 5, (1, T0 - DAY, "", 1.0, None))
    shop.publish((view, 5))
    client = shop.client(observer=collected.observer)
    client.get_many("svc", [{"user_id": 1}, {"user_id": 2}])
    client.get("svc", {"user_id": 1})
    with pytest.raises(BadKeys):
        client.get("svc", {})
    assert collected.points() == {
        "call.duration": {("svc",): 2, ("BadKeys", "svc"): 1},
        "value.age": {("svc", "spend"): 2},
        "keys": {("svc",): 4},
        "values": {
            ("svc", "PRESENT", "spend"): 2,
            ("svc", "NULL", "spend"): 2,
            ("svc", "NOT_FOUND", "spend"): 2,
        },
        "retries": {("svc",): 0},
        "unanswered": {("svc",): 0},
        "unconfirmed": {("svc",): 0},
    }


def test_what_went_wrong_in_a_call_is_added_up(collected: Collected) -> None:
    for _ in range(2):
        collected.observer(CallRecord("svc", 1, 0.05, retries=3, unanswered=2, unconfirmed=True))
    points = collected.points()
    assert (points["retries"], points["unanswered"], points["unconfirmed"]) == (
        {("svc",): 6},
        {("svc",): 4},
        {("svc",): 2},
    )


def test_names_of_services_that_do_not_exist_make_no_series_of_their_own(shop: Shop, collected: Collected) -> None:
    client = shop.client(observer=collected.observer)
    for name in ("a", "b", "c"):
        with pytest.raises(ServiceUnknown):
            client.get(name, {"user_id": 1})
    assert collected.points()["call.duration"] == {("ServiceUnknown",): 3}


def test_call_becomes_a_span_below_the_callers_with_the_calls_own_times(shop: Shop, collected: Collected) -> None:
    view = shop.view()
    shop.serve(view)
    shop.put(view, 5, (1, T0 - DAY, "", 1.0, None))
    shop.publish((view, 5))
    client = shop.client(observer=collected.observer)
    with collected.tracer_provider.get_tracer("caller").start_as_current_span("request") as request:
        client.get("svc", {"user_id": 1})
    call, caller = collected.spans()
    assert (call.name, call.parent.span_id) == ("skewless.call", request.get_span_context().span_id)
    assert call.start_time < call.end_time <= caller.end_time
    assert dict(call.attributes) == {
        "skewless.service": "svc",
        "skewless.keys": 1,
        "skewless.retries": 0,
        "skewless.unanswered": 0,
        "skewless.unconfirmed": False,
        "skewless.timed_out": False,
        "skewless.revision": 1,
        "skewless.values.present": 1,
        "skewless.values.null": 1,
        "skewless.greatest_age_s": 86_400.0,
    }
    assert call.status.is_unset


def test_call_that_raised_is_a_span_with_its_error_and_one_cut_short_says_so(collected: Collected) -> None:
    collected.observer(CallRecord("svc", 1, 0.05, error="ClusterUnreachable"))
    collected.observer(
        CallRecord("svc", 1, 0.05, {"a": {Status.TIMEOUT: 2}, "b": {Status.TIMEOUT: 1}}, {"a": None, "b": None})
    )
    failed, cut = collected.spans()
    assert (failed.status.is_ok, failed.status.description) == (False, "ClusterUnreachable")
    assert failed.attributes["error.type"] == "ClusterUnreachable"
    assert (cut.attributes["skewless.timed_out"], cut.attributes["skewless.values.timeout"]) == (True, 3)


def test_health_of_a_watched_client_is_read_at_collection(shop: Shop, collected: Collected) -> None:
    view = shop.view()
    shop.publish((view, 5))
    client = shop.client(poll_interval=timedelta(hours=1))
    collected.observer.watch(client)
    points = collected.points()
    assert 0 <= points.pop("snapshot.age")[()] < 60
    assert points == {"connected": {(): 1}, "revision": {(): 1}, "orphans": {(): 0}, "hosts.down": {(): 0}}


def test_health_of_a_client_without_a_store_is_not_connected_and_nothing_else(collected: Collected) -> None:
    with OnlineClient.connect(["127.0.0.1"], project="demo", port=1) as client:
        collected.observer.watch(client)
        assert collected.points() == {"connected": {(): 0}}


def test_client_without_telemetry_loads_none_of_it() -> None:
    code = "import sys, skewless.online; print([name for name in sys.modules if name.startswith('opentelemetry')])"
    child = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert child.stdout == "[]\n"
