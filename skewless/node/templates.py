"""The files and the command line of one local Cassandra node."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK = "127.0.0.1"

_EXPORTS = (
    "java.base/jdk.internal.misc",
    "java.base/java.lang.ref",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.sql/java.sql",
    "jdk.unsupported/sun.misc",
    "jdk.attach/sun.tools.attach",
)
_OPENS = (
    *(
        f"java.base/{package}"
        for package in (
            "java.lang",
            "java.lang.module",
            "java.lang.reflect",
            "java.io",
            "java.nio",
            "java.util",
            "sun.nio.ch",
            "jdk.internal.loader",
            "jdk.internal.ref",
            "jdk.internal.reflect",
            "jdk.internal.math",
            "jdk.internal.module",
            "jdk.internal.util.jar",
        )
    ),
    "jdk.management/com.sun.management.internal",
)


@dataclass(frozen=True, slots=True)
class NodeTls:
    """How a node proves who it is.

    Attributes:
        keystore: Its key and certificate, in PKCS12 format; the certificate names 127.0.0.1.
        keystore_password: Of that file; never shown.
        ca_file: The authority of the certificate, in PEM format, by which the node is known when it is started.
    """

    keystore: Path
    keystore_password: str = field(repr=False)
    ca_file: Path


@dataclass(frozen=True, slots=True)
class NodeSecurity:
    """What a node asks of whoever connects; nothing, as it stands.

    Attributes:
        wants_login: A role and a password, and that the role may do what it asks for. The first role is `cassandra`
            with the password `cassandra`, until somebody changes that.
        tls: Encrypted connections only; None: plain ones.
    """

    wants_login: bool = False
    tls: NodeTls | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A node's place in a cluster of several on one machine; without one a node is alone on 127.0.0.1.

    Attributes:
        address: Of loopback, its own: 127.0.0.2.
        seed: The address that a new node asks for the others.
        storage_port: Between nodes; the same for all of a cluster.
        token: Where its range of the ring ends; each node has another one.
        data_center: Its data centre.
        settings: Further lines of `cassandra.yaml`, by name; they win.
    """

    address: str
    seed: str
    storage_port: int
    token: int
    data_center: str = "datacenter1"
    settings: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a node's files are."""

    folder: Path

    @property
    def yaml(self) -> Path:
        """Cassandra's own configuration."""
        return self.folder / "cassandra.yaml"

    @property
    def logback(self) -> Path:
        """Configuration of its log."""
        return self.folder / "logback.xml"

    @property
    def pid(self) -> Path:
        """The id of its process."""
        return self.folder / "pid"

    @property
    def ports(self) -> Path:
        """The ports that it was given."""
        return self.folder / "ports.json"

    @property
    def logs(self) -> Path:
        """Folder of its logs."""
        return self.folder / "logs"

    @property
    def log(self) -> Path:
        """Its main log."""
        return self.logs / "system.log"

    @property
    def console(self) -> Path:
        """What the process prints."""
        return self.logs / "console.log"

    @property
    def tmp(self) -> Path:
        """Where native libraries are unpacked."""
        return self.folder / "tmp"

    @property
    def data(self) -> Path:
        """Its tables; made by its first start."""
        return self.folder / "data"

    @property
    def rack(self) -> Path:
        """Data centre and rack of a member of a cluster."""
        return self.folder / "cassandra-rackdc.properties"

    @property
    def storage_option(self) -> str:
        """The option that marks a process as this node's."""
        return f"-Dcassandra.storagedir={self.folder}"


def cassandra_yaml(*, port: int, storage_port: int, security: NodeSecurity) -> str:
    """The configuration of a single node that listens on loopback only; it holds the keystore's password."""
    # A node without replicas must not forget what it acknowledged. What a kill can take are the last 50 ms: no
    # generation is published so soon after its last write, and no revision is visible so soon after its publishing.
    # Waiting for the disk at each write (`batch`) would halve the rate of a push.
    return f"""\
cluster_name: skewless-local
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: SimpleSnitch
num_tokens: 1
initial_token: "-9223372036854775808"
auto_bootstrap: false
listen_address: {LOOPBACK}
rpc_address: {LOOPBACK}
native_transport_port: {port}
storage_port: {storage_port}
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [{{seeds: "{LOOPBACK}:{storage_port}"}}]
crypto_provider: {{class_name: org.apache.cassandra.security.JREProvider}}
commitlog_sync: periodic
commitlog_sync_period: 50ms
commitlog_segment_size: 8MiB
commitlog_total_space: 128MiB
storage_compatibility_mode: NONE
sstable: {{selected_format: bti}}
memtable: {{configurations: {{trie: {{class_name: TrieMemtable}}, default: {{inherits: trie}}}}}}
memtable_allocation_type: offheap_objects
memtable_heap_space: 96MiB
memtable_offheap_space: 96MiB
key_cache_size: 0MiB
counter_cache_size: 0MiB
row_cache_size: 0MiB
concurrent_reads: 8
concurrent_writes: 16
concurrent_compactors: 1
compaction_throughput: 32MiB/s
auto_snapshot: false
snapshot_before_compaction: false
cdc_enabled: false
materialized_views_enabled: false
user_defined_functions_enabled: false
read_request_timeout: 2000ms
write_request_timeout: 2000ms
{_login_yaml(security)}{_tls_yaml(security.tls)}"""


def _login_yaml(security: NodeSecurity) -> str:
    if not security.wants_login:
        return ""
    return """\
authenticator: {class_name: PasswordAuthenticator}
authorizer: {class_name: CassandraAuthorizer}
role_manager: {class_name: CassandraRoleManager}
"""


def _tls_yaml(tls: NodeTls | None) -> str:
    if tls is None:
        return ""
    # texts in JSON are texts in YAML, whatever stands in them
    return f"""\
client_encryption_options:
  enabled: true
  optional: false
  keystore: {json.dumps(str(tls.keystore.absolute()))}
  keystore_password: {json.dumps(tls.keystore_password)}
  store_type: PKCS12
  require_client_auth: false
"""


def member_yaml(member: Member, *, port: int, security: NodeSecurity) -> str:
    """The configuration of one node of a cluster: that of a single node, but for its place and its settings."""
    changes = {
        "endpoint_snitch": "GossipingPropertyFileSnitch",
        "initial_token": f'"{member.token}"',
        "listen_address": member.address,
        "rpc_address": member.address,
        # a dead node is to be noticed within seconds
        "phi_convict_threshold": "5",
        **member.settings,
    }
    alone = cassandra_yaml(port=port, storage_port=member.storage_port, security=security)
    lines = [line for line in alone.splitlines() if line.partition(":")[0] not in changes]
    lines += [f"{name}: {value}" for name, value in changes.items()]
    return "\n".join(lines).replace(f"{LOOPBACK}:{member.storage_port}", f"{member.seed}:{member.storage_port}") + "\n"


def rack_properties(member: Member) -> str:
    """Where a member of a cluster stands."""
    return f"dc={member.data_center}\nrack=rack1\n"


def logback_xml() -> str:
    """One bounded log file, nothing on the console."""
    return """\
<configuration>
  <appender name="FILE" class="ch.qos.logback.core.rolling.RollingFileAppender">
    <file>${cassandra.logdir}/system.log</file>
    <rollingPolicy class="ch.qos.logback.core.rolling.FixedWindowRollingPolicy">
      <fileNamePattern>${cassandra.logdir}/system.%i.log</fileNamePattern>
      <minIndex>1</minIndex>
      <maxIndex>2</maxIndex>
    </rollingPolicy>
    <triggeringPolicy class="ch.qos.logback.core.rolling.SizeBasedTriggeringPolicy">
      <maxFileSize>10MB</maxFileSize>
    </triggeringPolicy>
    <encoder><pattern>%-5level [%thread] %date{ISO8601} %F:%L - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="FILE"/></root>
</configuration>
"""


def java_command(
    layout: Layout,
    *,
    java_home: Path,
    jars: Path,
    heap_mb: int,
    member: Member | None = None,
    is_long_lived: bool = False,
) -> list[str]:
    """The whole command line of the node's process."""
    machine = ["-Xss512k", "-XX:MaxDirectMemorySize=256m", "-XX:+ExitOnOutOfMemoryError", "-XX:+PerfDisableSharedMem"]
    if is_long_lived:
        # as a server has it; a heap that grows would be collected as a whole each time
        machine += [f"-Xms{heap_mb}m", f"-Xmx{heap_mb}m", "-XX:+UseG1GC"]
    else:
        # it lives for minutes and shares two cores with Spark: the second compiler would cost more than it gives back
        machine += [f"-Xms{min(64, heap_mb)}m", f"-Xmx{heap_mb}m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    places = [
        layout.storage_option,
        f"-Dcassandra.config={layout.yaml.as_uri()}",
        f"-Dcassandra.logdir={layout.logs}",
        f"-Dcassandra.triggers_dir={layout.folder / 'triggers'}",
        f"-Dlogback.configurationFile={layout.logback}",
        f"-Djava.io.tmpdir={layout.tmp}",
    ]
    # each of these takes away a wait or a background job that only a cluster needs
    waits = [
        f"-Dcassandra.{option}"
        for option in (
            "skip_wait_for_gossip_to_settle=0",
            # a new member gives up when it has not heard from the seed by then
            f"ring_delay_ms={1000 if member is None else 10_000}",
            "superuser_setup_delay_ms=0",
            "role_password_update_min_interval_in_ms=0",
            "shutdown_announce_in_ms=0",
            "size_recorder_interval=0",
            "available_processors=2",
            "libjemalloc=-",
        )
    ]
    if member is not None:
        places.append(f"-Dcassandra-rackdc.properties={layout.rack.as_uri()}")
        waits += ["-Dcassandra.fd_initial_value_ms=1000", "-Dcassandra.fd_max_interval_ms=1000"]
    other = [
        "-Dcassandra-foreground=yes",
        "-Djava.net.preferIPv4Stack=true",
        "-Djdk.attach.allowAttachSelf=true",
        "-Dio.netty.tryReflectionSetAccessible=true",
        "-Dio.netty.allocator.useCacheForAllThreads=true",
        "-Dio.netty.allocator.maxOrder=11",
    ]
    modules = [f"--add-exports={name}=ALL-UNNAMED" for name in _EXPORTS]
    modules += [f"--add-opens={name}=ALL-UNNAMED" for name in _OPENS]
    start = ["-cp", f"{jars}/*", "org.apache.cassandra.service.CassandraDaemon"]
    return [str(java_home / "bin" / "java"), *machine, *places, *waits, *other, *modules, *start]
