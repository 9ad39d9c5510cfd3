"""Feature vectors over HTTP: `uvicorn --factory examples.serving.app:from_environment`."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from examples.serving.metrics import ServingMetrics
from examples.serving.settings import ServingSettings, settings_from
from examples.serving.wire import plain, typed_keys, vector_json
from skewless.core.dtypes import DType
from skewless.errors import ContractBroken, SkewlessError, StoreUnreachable, TryAgainLater, UsageError
from skewless.online import FeatureBatch, FeatureVector, OnlineClient
from skewless.online.errors import BadRequest, ServiceUnknown

_log = logging.getLogger(__name__)
_PAUSE_S = 1.0
_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


def from_environment() -> Starlette:
    """The application as the environment's variables describe it; nothing connects before it starts."""
    settings = settings_from(os.environ)
    metrics = ServingMetrics()
    client = OnlineClient.connect(
        settings.contact_points,
        project=settings.project,
        port=settings.port,
        keyspace=settings.keyspace,
        local_dc=settings.local_dc,
        username=settings.username,
        password=settings.password,
        ca_file=settings.ca_file,
        tls_name=settings.tls_name,
        contract_hash=settings.contracts,
        deadline_ms=settings.deadline_ms,
        observer=metrics.observe,
    )
    return application(client, metrics, settings)


def application(client: OnlineClient, metrics: ServingMetrics, settings: ServingSettings) -> Starlette:
    """The application around a client, which it closes at its end.

    Args:
        client: Reads; its observer is `metrics.observe`.
        metrics: What `/metrics` shows.
        settings: Which services are served, and the bounds.
    """
    metrics.watch(client)
    serving = Serving(client, metrics, settings)
    return Starlette(
        routes=[
            Route("/vector", serving.vector),
            Route("/vectors", serving.vectors, methods=["POST"]),
            Route("/healthz", serving.healthz),
            Route("/readyz", serving.readyz),
            Route("/metrics", serving.metrics),
        ],
        exception_handlers={
            ServiceUnknown: _told(404),
            UsageError: _told(400),
            ContractBroken: _told(409),
            TryAgainLater: _told(503),
        },
        lifespan=serving.lifespan,
    )


class Serving:
    """The routes, and what they share."""

    def __init__(self, client: OnlineClient, metrics: ServingMetrics, settings: ServingSettings) -> None:
        """Serve nothing before the lifespan begins."""
        self._client, self._metrics, self._settings = client, metrics, settings
        self._key_types: Mapping[str, Mapping[str, DType]] = {}
        self._refusal = "it has not started"

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Warm up before the first request, or go on trying while the store is away; close at the end.

        Raises:
            UsageError: A service does not exist: the deployment is wrong, and waiting would not change it.
            ContractBroken: A service never had the pinned contract.
        """
        warming: asyncio.Task[None] | None = None
        try:
            try:
                await asyncio.to_thread(self._warm_up)
            except StoreUnreachable as error:
                self._refuse(error)
                warming = asyncio.create_task(self._warm_up_later())
            yield
        finally:
            if warming is not None:
                warming.cancel()
            await asyncio.to_thread(self._client.close)

    async def vector(self, request: Request) -> Response:
        """GET /vector?service=…&<key>=…: one entity's features."""
        given = dict(request.query_params)
        if len(given) != len(request.query_params.multi_items()):
            raise BadRequest("A parameter is given twice. Give each once.")
        service = _service_named(given.pop("service", None))
        vector = await self._client.aget(service, typed_keys(self._types(service), given))
        return JSONResponse({**_about(service, vector), **vector_json(vector)})

    async def vectors(self, request: Request) -> Response:
        """POST /vectors {"service": …, "keys": [{…}, …]}: many entities' features, in order."""
        service, given = self._many(await request.body())
        types = self._types(service)
        batch = await self._client.aget_many(service, [typed_keys(types, keys) for keys in given])
        return JSONResponse({**_about(service, batch), "vectors": [vector_json(vector) for vector in batch]})

    async def healthz(self, _: Request) -> Response:
        """GET /healthz: the process runs. A store that is away is no reason to start it anew."""
        return JSONResponse({"alive": True})

    async def readyz(self, _: Request) -> Response:
        """GET /readyz: 503 with the reason while requests should go elsewhere."""
        reason = await asyncio.to_thread(self._reason_to_wait)
        return JSONResponse({"ready": reason is None, "reason": reason}, status_code=200 if reason is None else 503)

    async def metrics(self, _: Request) -> Response:
        """GET /metrics: for Prometheus."""
        return Response(await asyncio.to_thread(self._metrics.exposition), media_type=_EXPOSITION)

    def _warm_up(self) -> None:
        services = self._settings.services
        self._client.warmup(services)
        self._key_types = {service: self._client.key_types(service) for service in services}

    async def _warm_up_later(self) -> None:
        while not self._key_types:
            await asyncio.sleep(_PAUSE_S)
            try:
                await asyncio.to_thread(self._warm_up)
            except SkewlessError as error:
                self._refuse(error)

    def _refuse(self, error: SkewlessError) -> None:
        self._refusal = str(error)
        _log.warning("not ready: %s", error)

    def _reason_to_wait(self) -> str | None:
        if not self._key_types:
            return self._refusal
        try:
            health = self._client.health()
        except SkewlessError as error:
            return str(error)
        if health.revision is None:
            return "Nothing is published yet."
        age, oldest = health.confirmed_ago, timedelta(seconds=self._settings.oldest_snapshot_s)
        if age is None or age > oldest:
            return f"The timeline was last confirmed {age} ago; {oldest} is the limit."
        return None

    def _types(self, service: str) -> Mapping[str, DType]:
        if service not in self._settings.services:
            raise ServiceUnknown(service=service, known=self._settings.services)
        if not self._key_types:
            raise StoreUnreachable(f"Not ready: {self._refusal}")
        return self._key_types[service]

    def _many(self, body: bytes) -> tuple[str, list[dict[str, object]]]:
        try:
            asked = json.loads(body)
        except ValueError as error:
            raise BadRequest(f"The body is no JSON ({error}).") from None
        if not isinstance(asked, dict) or asked.keys() != {"service", "keys"}:
            raise BadRequest('The body must be {"service": …, "keys": [{…}, …]} and nothing else.')
        keys, longest = asked["keys"], self._settings.longest_batch
        if not isinstance(keys, list) or not all(isinstance(each, dict) for each in keys):
            raise BadRequest("`keys` must be a list of objects, one per entity: key column → value.")
        if len(keys) > longest:
            raise BadRequest(f"{len(keys)} keys are more than {longest}. Ask in several requests.")
        return _service_named(asked["service"]), keys


def _service_named(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise BadRequest("Name a service: `service=…`.")
    return name


def _about(service: str, answer: FeatureVector | FeatureBatch) -> dict[str, object]:
    return {
        "service": service,
        "revision": answer.revision,
        "at": plain(answer.at),
        "unconfirmed": answer.unconfirmed,
        "generation": dict(answer.generation),
    }


def _told(status: int) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def respond(_: Request, error: Exception) -> Response:
        return JSONResponse({"error": type(error).__name__, "message": str(error)}, status_code=status)

    return respond
