"""The link to the online store: where it is, its timeline, and the local node where the environment has one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from skewless.config.settings import Settings
from skewless.core.serving import ServedView, ServingManifest
from skewless.errors import ConfigError
from skewless.node.cassandra import CassandraNode
from skewless.online.connection import OnlineTarget, open_cluster
from skewless.online.schema import ensure_keyspace, ensure_project_tables, ensure_view_table
from skewless.online.timeline_store import TimelineStore

_DEFAULT_PORT = 9042


@dataclass
class OnlineLink:
    """An open connection.

    Attributes:
        target: What executors need to connect themselves.
        settings: The environment.
        cluster: The driver's cluster.
        session: The driver's session.
    """

    target: OnlineTarget
    settings: Settings
    cluster: Any
    session: Any

    @staticmethod
    def open(settings: Settings, *, say: Callable[[str], None]) -> OnlineLink:
        """Connect, starting the embedded node first when that is what the environment uses.

        Raises:
            StoreUnreachable: It does not answer.
        """
        target = online_target(settings, say=say)
        cluster, session = open_cluster(target)
        return OnlineLink(target, settings, cluster, session)

    @property
    def timeline(self) -> TimelineStore:
        """The truth about what readers use."""
        return TimelineStore(self.session, self.target.keyspace, self.settings.project)

    def prepare(self, views: list[ServedView], manifests: list[ServingManifest]) -> None:
        """Create what is missing: keyspace, tables, and the manifests of services."""
        keyspace, online = self.target.keyspace, self.settings.online
        ensure_keyspace(self.session, keyspace, local_dc=online.local_dc, replication_factor=online.replication_factor)
        ensure_project_tables(self.session, keyspace)
        for view in views:
            ensure_view_table(self.session, keyspace, view)
        for manifest in manifests:
            self.timeline.write_serving(manifest)

    def check_clock(self, now_us: int) -> None:
        """Compare this machine's clock with the store's.

        Raises:
            ConfigError: They differ by more than `clock.max_skew`.
        """
        apart = abs(self.timeline.server_clock_us() - now_us) / 1_000_000
        allowed = self.settings.clock.max_skew.total_seconds()
        if apart > allowed:
            message = (
                f"This machine's clock and the online store's differ by {apart:.0f} s, more than {allowed:.0f} s. "
                "Set the wrong one: generations are numbered by it."
            )
            raise ConfigError(message)

    def close(self) -> None:
        """Disconnect."""
        self.cluster.shutdown()


def online_target(settings: Settings, *, say: Callable[[str], None]) -> OnlineTarget:
    """Where the online store of an environment is; the embedded node is started when it does not run."""
    online, push = settings.online, settings.online.push
    host, port = online.contact_points, online.port or _DEFAULT_PORT
    if online.kind == "embedded":
        endpoint = CassandraNode.of(settings).ensure_started(say)
        host, port = (endpoint.host,), endpoint.port
    return OnlineTarget(
        contact_points=tuple(host),
        port=port,
        keyspace=online.keyspace or f"skewless_{settings.project}",
        local_dc=online.local_dc,
        username=online.username,
        password=online.password.reveal() if online.password else None,
        ca_file=None if online.ca_file is None else str(online.ca_file),
        tls_name=online.tls_name,
        batch_statements=push.batch_statements,
        batch_bytes=push.batch_bytes,
        in_flight=push.in_flight,
        rows_per_second_cap=push.rows_per_second_cap,
        retries=push.retries,
    )
