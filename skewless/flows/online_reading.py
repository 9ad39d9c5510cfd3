"""A client of the environment's own online store, on the environment's own clock."""

from __future__ import annotations

from collections.abc import Callable

from skewless.core.clock import SystemClock
from skewless.errors import UsageError
from skewless.flows.online_link import online_target
from skewless.flows.workshop import Workshop
from skewless.online.client import OnlineClient
from skewless.online.served_log import ServedRecord


def open_client(shop: Workshop, *, log: Callable[[ServedRecord], None] | None = None) -> OnlineClient:
    """Connect to the environment's online store; the embedded node is started when it does not run.

    Args:
        shop: The workshop; no Spark is needed.
        log: Receives everything that is served.

    Raises:
        UsageError: The environment has no online store.
        StoreUnreachable: It does not answer.
    """
    settings = shop.settings
    if settings.online.kind == "none":
        raise UsageError(f"Environment '{settings.env}' has no online store. Read offline with --at T.")
    target = online_target(settings, say=shop.say)
    is_system = isinstance(shop.clock, SystemClock)
    return OnlineClient.connect(
        target.contact_points,
        project=settings.project,
        port=target.port,
        keyspace=target.keyspace,
        local_dc=target.local_dc,
        username=target.username,
        password=target.password,
        ca_file=target.ca_file,
        tls_name=target.tls_name,
        clock=shop.clock,
        # a replay clock jumps, so that every call looks at the timeline itself
        poll_interval=settings.online.poll_interval if is_system else None,
        deadline_ms=settings.online.deadline.total_seconds() * 1000,
        log=log,
        log_share=1.0,
    )
