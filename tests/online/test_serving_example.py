from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from decimal import Decimal as Exact
from typing import Any

import httpx
import pytest

from examples.serving.app import application
from examples.serving.metrics import ServingMetrics
from examples.serving.settings import ServingSettings, settings_from
from examples.serving.wire import plain, typed_keys
from skewless.core.dtypes import Bool, Bytes, Date, Decimal, Float64, Int32, Int64, String, Vector
from skewless.errors import ConfigError, StoreUnreachable, UsageError
from skewless.online import OnlineClient
from skewless.online.errors import BadKeys, ContractMismatch, ServiceUnknown
from tests.online.shop import DAY, SECOND, T0, Shop
from tests.online.slow import SlowTransport
from tests.online.test_client_life import in_a_fork

Ask = Callable[[httpx.AsyncClient], Awaitable[Any]]


class Served:
    """The example around a client of a shop."""

    def __init__(self, shop: Shop, *, services: tuple[str, ...] = ("svc",), limits: Any = None, **options: Any) -> None:
        self.metrics = ServingMetrics()
        self.client = shop.client(observer=self.metrics.observe, **options)
        self.settings = ServingSettings(("127.0.0.1",), shop.project, services, **(limits or {}))

    def ask(self, work: Ask) -> Any:
        """Run requests between the application's start and its end."""

        async def run() -> Any:
            app = application(self.client, self.metrics, self.settings)
            http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://serving")
            async with app.router.lifespan_context(app), http:
                return await work(http)

        return asyncio.run(run())

    def get(self, path: str) -> httpx.Response:
        return self.ask(lambda http: http.get(path))

    def post(self, body: Any) -> httpx.Response:
        return self.ask(lambda http: http.post("/vectors", json=body))


def spend(shop: Shop) -> None:
    view = shop.view("spend", ttl=timedelta(days=2))
    shop.serve(view)
    shop.put(view, 5, (1, T0 - DAY, "", 1.5, None), (2, T0 - 3 * DAY, "", 2.5, 7))
    shop.publish((view, 5))


def sample(exposition: str, name: str) -> float:
    """The value of one series, by its name with labels."""
    return next(float(line.rpartition(" ")[2]) for line in exposition.splitlines() if line.startswith(name + " "))


def test_vector_has_values_with_statuses_and_null_for_what_is_not_present(shop: Shop) -> None:
    spend(shop)
    answer = Served(shop).get("/vector?service=svc&user_id=1")
    assert answer.status_code == 200
    assert answer.json() == {
        "service": "svc",
        "revision": 1,
        "at": "2017-10-02T00:00:00+00:00",
        "unconfirmed": False,
        "generation": {"spend": 5},
        "values": {"spend:spend": 1.5, "spend:visits": None},
        "status": {"spend:spend": "PRESENT", "spend:visits": "NULL"},
        "age_seconds": {"spend": 86_400.0},
    }


def test_vectors_keep_order_and_duplicates_and_withhold_what_is_too_old(shop: Shop) -> None:
    spend(shop)
    keys = [{"user_id": 2}, {"user_id": 1}, {"user_id": "1"}, {"user_id": 9}, {"user_id": None}]
    answer = Served(shop).post({"service": "svc", "keys": keys})
    assert answer.status_code == 200
    vectors = answer.json()["vectors"]
    assert [each["status"]["spend:spend"] for each in vectors] == [
        "EXPIRED",
        "PRESENT",
        "PRESENT",
        "NOT_FOUND",
        "NOT_FOUND",
    ]
    assert [each["values"]["spend:spend"] for each in vectors] == [None, 1.5, 1.5, None, None]
    assert [each["age_seconds"]["spend"] for each in vectors] == [259_200.0, 86_400.0, 86_400.0, None, None]


def test_deadline_that_comes_first_is_a_status_and_not_a_failure(shop: Shop) -> None:
    spend(shop)
    slow = Served(shop, transport=lambda: SlowTransport(shop.transport(), {"spend": None}), deadline_ms=60)
    answer = slow.get("/vector?service=svc&user_id=1")
    assert (answer.status_code, answer.json()["status"]["spend:spend"]) == (200, "TIMEOUT")
    exposition = slow.metrics.exposition().decode()
    assert sample(exposition, 'skewless_call_timeouts_total{service="svc"}') == 1
    assert sample(exposition, 'skewless_unanswered_total{service="svc"}') == 1


@pytest.mark.parametrize(
    ("query", "status", "error"),
    [
        ("service=svc", 400, "BadKeys"),
        ("service=svc&user_id=one", 400, "BadKeys"),
        ("service=svc&user_id=1_0", 400, "BadKeys"),
        ("service=svc&user_id=9223372036854775808", 400, "BadKeys"),
        ("service=svc&user_id=1&other=2", 400, "BadKeys"),
        ("service=svc&user_id=1&user_id=2", 400, "BadRequest"),
        ("user_id=1", 400, "BadRequest"),
        ("service=nobody&user_id=1", 404, "ServiceUnknown"),
    ],
)
def test_vector_of_keys_that_cannot_be_is_refused(shop: Shop, query: str, status: int, error: str) -> None:
    spend(shop)
    answer = Served(shop).get(f"/vector?{query}")
    assert (answer.status_code, answer.json()["error"]) == (status, error)


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ([], 400, "BadRequest"),
        ({"service": "svc"}, 400, "BadRequest"),
        ({"service": "svc", "keys": {"user_id": 1}}, 400, "BadRequest"),
        ({"service": "svc", "keys": [1]}, 400, "BadRequest"),
        ({"service": 1, "keys": []}, 400, "BadRequest"),
        ({"service": "svc", "keys": [{"user_id": 1}] * 4}, 400, "BadRequest"),
        ({"service": "svc", "keys": [{"user_id": 1}, {"user_id": 1.5}]}, 400, "BadKeys"),
        ({"service": "svc", "keys": [{"user_id": True}]}, 400, "BadKeys"),
        ({"service": "nobody", "keys": []}, 404, "ServiceUnknown"),
        ({"service": "svc", "keys": [{"user_id": 1}] * 3}, 200, None),
        ({"service": "svc", "keys": []}, 200, None),
    ],
)
def test_vectors_body_is_checked(shop: Shop, body: Any, status: int, error: str | None) -> None:
    spend(shop)
    answer = Served(shop, limits={"longest_batch": 3}).post(body)
    assert (answer.status_code, answer.json().get("error")) == (status, error)


def test_vectors_body_that_is_no_json_is_refused(shop: Shop) -> None:
    spend(shop)
    answer = Served(shop).ask(lambda http: http.post("/vectors", content=b"\xff{"))
    assert (answer.status_code, answer.json()["error"]) == (400, "BadRequest")


def test_metrics_tell_calls_values_ages_and_the_clients_health(shop: Shop) -> None:
    spend(shop)
    served = Served(shop)

    async def ask(http: httpx.AsyncClient) -> httpx.Response:
        await http.get("/vector?service=svc&user_id=1")
        await http.post("/vectors", json={"service": "svc", "keys": [{"user_id": 1}, {"user_id": 2}]})
        await http.get("/vector?service=svc")
        return await http.get("/metrics")

    answer = served.ask(ask)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    expected = {
        'skewless_call_seconds_count{service="svc"}': 3,
        'skewless_keys_total{service="svc"}': 4,
        'skewless_values_total{service="svc",status="PRESENT",view="spend"}': 2,
        'skewless_values_total{service="svc",status="NULL",view="spend"}': 2,
        'skewless_values_total{service="svc",status="EXPIRED",view="spend"}': 2,
        'skewless_value_age_seconds_bucket{le="86400.0",service="svc",view="spend"}': 1,
        'skewless_value_age_seconds_count{service="svc",view="spend"}': 2,
        'skewless_call_errors_total{error="BadKeys",service="svc"}': 1,
        'skewless_call_timeouts_total{service="svc"}': 0,
        'skewless_call_unconfirmed_total{service="svc"}': 0,
        'skewless_retries_total{service="svc"}': 0,
        'skewless_unanswered_total{service="svc"}': 0,
        "skewless_connected": 1,
        "skewless_confirmed": 1,
        "skewless_revision": 1,
        "skewless_orphans": 0,
        "skewless_hosts_up": 1,
        "skewless_hosts_down": 0,
    }
    assert {name: sample(answer.text, name) for name in expected} == expected
    assert 0 <= sample(answer.text, "skewless_snapshot_age_seconds") < 60


def test_names_of_services_that_are_not_served_are_no_label(shop: Shop) -> None:
    spend(shop)
    served = Served(shop)
    assert served.get("/vector?service=made_up&user_id=1").status_code == 404
    assert b"made_up" not in served.metrics.exposition()


def test_service_is_ready_and_alive_when_it_is_warm(shop: Shop) -> None:
    spend(shop)
    assert Served(shop).get("/readyz").json() == {"ready": True, "reason": None}
    assert Served(shop).get("/healthz").status_code == 200


def test_service_without_a_published_revision_is_not_ready(shop: Shop) -> None:
    shop.serve(shop.view())
    answer = Served(shop).get("/readyz")
    assert (answer.status_code, answer.json()["reason"]) == (503, "Nothing is published yet.")


def test_service_whose_timeline_was_not_confirmed_for_long_is_not_ready_but_answers(shop: Shop) -> None:
    spend(shop)
    served = Served(shop, poll_interval=timedelta(hours=1), limits={"oldest_snapshot_s": 1e-6})

    async def ask(http: httpx.AsyncClient) -> tuple[httpx.Response, httpx.Response]:
        return await http.get("/readyz"), await http.get("/vector?service=svc&user_id=1")

    ready, vector = served.ask(ask)
    assert (ready.status_code, vector.status_code) == (503, 200)
    assert "was last confirmed" in ready.json()["reason"]


def test_store_that_is_away_is_503_and_the_service_starts_by_itself_when_it_is_back(shop: Shop) -> None:
    spend(shop)
    away = [True]

    def transport() -> Any:
        if away[0]:
            raise StoreUnreachable("The store is away. Wait.")
        return shop.transport()

    async def ask(http: httpx.AsyncClient) -> list[tuple[int, Any]]:
        paths = ("/vector?service=svc&user_id=1", "/readyz", "/healthz", "/metrics")
        before = [await http.get(path) for path in paths]
        away[0] = False
        until = time.monotonic() + 20
        while (await http.get("/readyz")).status_code != 200:
            assert time.monotonic() < until
            await asyncio.sleep(0.05)
        after = await http.get(paths[0])
        return [(each.status_code, each.text) for each in (*before, after)]

    vector, ready, alive, metrics, after = Served(shop, transport=transport).ask(ask)
    assert (vector[0], ready[0], alive[0], metrics[0], after[0]) == (503, 503, 200, 200, 200)
    assert "The store is away" in vector[1]
    assert "The store is away" in ready[1]
    assert sample(metrics[1], "skewless_connected") == 0


@pytest.mark.parametrize(
    ("options", "error"),
    [({"services": ("nobody",)}, ServiceUnknown), ({"contract_hash": "never"}, ContractMismatch)],
)
def test_service_that_can_never_be_served_does_not_start(shop: Shop, options: Any, error: type[Exception]) -> None:
    spend(shop)
    served = Served(shop, **options)
    with pytest.raises(error):
        served.get("/healthz")
    with pytest.raises(UsageError, match="closed"):
        served.client.get("svc", {"user_id": 1})


def test_client_is_closed_when_the_service_ends(shop: Shop) -> None:
    spend(shop)
    served = Served(shop)
    served.get("/healthz")
    with pytest.raises(UsageError, match="closed"):
        served.client.get("svc", {"user_id": 1})


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_service_made_before_a_fork_serves_in_each_process_through_its_own_connection(shop: Shop) -> None:
    spend(shop)
    served = Served(shop)

    def serve() -> None:
        answer = served.get("/vector?service=svc&user_id=1")
        assert (answer.status_code, answer.json()["values"]["spend:spend"]) == (200, 1.5)
        assert sample(served.metrics.exposition().decode(), 'skewless_keys_total{service="svc"}') == 1

    assert in_a_fork(serve) == 0
    serve()


def test_keys_come_as_text_of_every_type_that_a_key_may_have() -> None:
    types = {"a": Int32, "b": Int64, "c": String, "d": Bool, "e": Date, "f": Bytes}
    given = {"a": "-1", "b": "12", "c": "7", "d": "True", "e": "2017-10-02", "f": base64.b64encode(b"\x00a").decode()}
    assert typed_keys(types, given) == {"a": -1, "b": 12, "c": "7", "d": True, "e": date(2017, 10, 2), "f": b"\x00a"}
    for name, text in {"a": "1.0", "b": "٣", "d": "yes", "e": "02.10.2017", "f": "%"}.items():
        with pytest.raises(BadKeys, match=f"Key '{name}' is"):
            typed_keys(types, {name: text})


def test_values_that_json_has_not_are_texts(shop: Shop) -> None:
    features = {"x": Float64, "d": Decimal(6, 2), "v": Vector(2), "b": Bytes}
    view = shop.view("odd", features=features)
    shop.serve(view)
    shop.put(view, 5, (1, T0, "", float("nan"), Exact("1.50"), [1.0, float("inf")], b"\x00a"))
    shop.publish((view, 5))
    shop.clock.instant_us = T0 + SECOND
    assert Served(shop).get("/vector?service=svc&user_id=1").json()["values"] == {
        "odd:x": "nan",
        "odd:d": "1.50",
        "odd:v": [1.0, "inf"],
        "odd:b": "AGE=",
    }
    assert plain(timedelta(minutes=1)) == 60.0


def test_settings_come_from_the_environment_and_hide_the_password(tmp_path: Any) -> None:
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    settings = settings_from(
        {
            "PATH": "/bin",
            "SERVING_CONTACT_POINTS": "a, b",
            "SERVING_PROJECT": "demo",
            "SERVING_SERVICES": "churn_v1,risk",
            "SERVING_CONTRACTS": "risk=ab12, churn_v1=cd34",
            "SERVING_PORT": "19042",
            "SERVING_USERNAME": "reader",
            "SERVING_PASSWORD_FILE": str(secret),
            "SERVING_CA_FILE": "ca.pem",
            "SERVING_TLS_NAME": "store",
            "SERVING_DEADLINE_MS": "12.5",
            "SERVING_KEYSPACE": "",
        }
    )
    assert settings == ServingSettings(
        ("a", "b"),
        "demo",
        ("churn_v1", "risk"),
        {"risk": "ab12", "churn_v1": "cd34"},
        port=19042,
        username="reader",
        password=secret.read_text().strip(),
        ca_file="ca.pem",
        tls_name="store",
        deadline_ms=12.5,
    )
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"SERVING_PROJECT": ""}, "lacks SERVING_PROJECT"),
        ({"SERVING_PROJCET": "demo"}, "unknown SERVING_PROJCET"),
        ({"SERVING_SERVICES": ","}, "SERVING_SERVICES cannot be used"),
        ({"SERVING_CONTRACTS": "risk"}, "SERVING_CONTRACTS cannot be used"),
        ({"SERVING_PORT": "nine"}, "SERVING_PORT cannot be used"),
        ({"SERVING_LONGEST_BATCH": "0"}, "SERVING_LONGEST_BATCH cannot be used"),
        ({"SERVING_DEADLINE_MS": "nan"}, "SERVING_DEADLINE_MS cannot be used"),
        ({"SERVING_PASSWORD_FILE": "/nowhere/hunter2"}, "SERVING_PASSWORD_FILE cannot be used .FileNotFoundError"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(changes: dict[str, str], told: str) -> None:
    good = {"SERVING_CONTACT_POINTS": "a", "SERVING_PROJECT": "demo", "SERVING_SERVICES": "svc"}
    settings_from(good)
    with pytest.raises(ConfigError, match=told):
        settings_from({**good, **changes})


def test_key_types_of_a_service_are_those_it_is_asked_by(shop: Shop) -> None:
    shop.serve(shop.view("one"), shop.view("two", keys={"user_id": Int64, "day": Date}))
    client: OnlineClient = shop.client()
    assert client.key_types("svc") == {"user_id": Int64, "day": Date}
    with pytest.raises(ServiceUnknown):
        client.key_types("nobody")
