"""One Cassandra node on loopback: started at most once per folder, found again by every later process."""

from __future__ import annotations

import fcntl
import json
import os
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from cassandra import AuthenticationFailed, DriverException
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable
from cassandra.policies import WhiteListRoundRobinPolicy

from skewless.config.java import find_java_home
from skewless.config.settings import Settings
from skewless.node.errors import JarsMissing, JavaMissing, NodeDidNotStart, PortTaken, TooLittleMemory
from skewless.node.machine import available_mb, free_port, is_answering, is_free
from skewless.node.process import end, is_running, spawn, wait_until
from skewless.node.templates import (
    LOOPBACK,
    Layout,
    Member,
    NodeSecurity,
    cassandra_yaml,
    java_command,
    logback_xml,
    member_yaml,
    rack_properties,
)

#: Role and password that every empty node begins with.
_FIRST_ROLE: Final = ("cassandra", "cassandra")
#: What the process takes beside its heap: code, threads, direct memory.
_BESIDE_HEAP_MB: Final = 700


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the node is reached."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What is known about the node without touching it."""

    running: bool
    """The process lives."""
    ready: bool
    """It accepts connections."""
    pid: int | None
    endpoint: Endpoint | None
    """Its last known place, also while it is stopped; None before the first start."""
    folder: Path


class CassandraNode:
    """The local node of one folder.

    Args:
        folder: Data, logs, ports and process id; made when missing.
        jars: Folder with Cassandra's jars.
        java_home: A Java 17; None: looked for in the system.
        port: Where it listens; None or 0: a free port, chosen once and remembered.
        heap_mb: Its Java heap.
        security: What it asks of whoever connects; None: nothing, for it listens on loopback only.
        die_with_parent: The node ends with the process that starts it, even when that one is killed. To be used
            from the main thread: the kernel watches the thread that starts it.
        patience: How long a start may take.
        member: Its place in a cluster, for tests of failures; None: it is alone on 127.0.0.1. A member wants a port.
        is_long_lived: Java runs it as a server's: both compilers, the whole heap at once. After a minute of load a read
            of many keys takes two thirds of the time, until then more. To be used where speed is measured.
    """

    def __init__(  # noqa: PLR0913 -- all but two are options with a default
        self,
        folder: Path,
        jars: Path,
        *,
        java_home: Path | None = None,
        port: int | None = None,
        heap_mb: int = 512,
        security: NodeSecurity | None = None,
        die_with_parent: bool = False,
        patience: timedelta = timedelta(seconds=60),
        member: Member | None = None,
        is_long_lived: bool = False,
    ) -> None:
        self._layout = Layout(folder.absolute())
        self._jars = jars
        self._java_home = java_home
        self._port = port or None
        self._heap_mb = heap_mb
        self._security = security or NodeSecurity()
        self._die_with_parent = die_with_parent
        self._patience = patience
        self._member = member
        self._is_long_lived = is_long_lived
        self._host = LOOPBACK if member is None else member.address

    @classmethod
    def of(cls, settings: Settings, *, die_with_parent: bool = False) -> CassandraNode:
        """The node of an environment: its data lie in `<state>/cassandra`."""
        return cls(
            settings.state / "cassandra",
            settings.cassandra_jars,
            java_home=settings.java_home,
            port=settings.online.port,
            heap_mb=settings.online.heap_mb,
            die_with_parent=die_with_parent,
        )

    def start(self) -> Endpoint:
        """Start the node unless it runs already, and return where it answers.

        Raises:
            NodeNotInstalled: Java 17 or the jars are missing.
            PortTaken: Another process listens on the port that was asked for.
            TooLittleMemory: The machine cannot hold it.
            NodeDidNotStart: It ended, or did not answer in time.
        """
        return self.ensure_started(lambda _: None)

    def ensure_started(self, announce: Callable[[str], None]) -> Endpoint:
        """Like `start`, and tell `announce` before anything that takes time. Two processes start one node."""
        with self._locked():
            status = self.status()
            if status.ready and status.endpoint:
                return status.endpoint
            if not status.running:
                self._check_installed()
                announce("Starting the local Cassandra node (5 to 15 s)…")
                self._launch(self._choose_ports())
            return self._await_ready()

    def stop(self) -> bool:
        """End the node, its data stay; False when it did not run."""
        with self._locked():
            status = self.status()
            if status.running and status.pid:
                end(status.pid, self._layout.storage_option)
            self._layout.pid.unlink(missing_ok=True)
            return status.running

    def status(self) -> NodeStatus:
        """Look at the process and the port; nothing is changed."""
        port, _ = self._remembered_ports()
        pid = self._recorded_pid()
        running = pid is not None and is_running(pid, self._layout.storage_option)
        return NodeStatus(
            running=running,
            ready=running and port is not None and is_answering(port, self._host),
            pid=pid if running else None,
            endpoint=Endpoint(self._host, port) if port else None,
            folder=self._layout.folder,
        )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._layout.folder.mkdir(parents=True, exist_ok=True)
        with (self._layout.folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _recorded_pid(self) -> int | None:
        try:
            return int(self._layout.pid.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def _remembered_ports(self) -> tuple[int | None, int | None]:
        try:
            ports = json.loads(self._layout.ports.read_text(encoding="ascii"))
            return int(ports["native"]), int(ports["storage"])
        except (OSError, ValueError, KeyError, TypeError):
            return None, None

    def _check_installed(self) -> None:
        self._java_home = self._java_home or find_java_home({"PATH": os.defpath})
        if self._java_home is None:
            raise JavaMissing
        if not any(self._jars.glob("cassandra-all-*.jar")):
            raise JarsMissing(self._jars)
        needed, available = self._heap_mb + _BESIDE_HEAP_MB, available_mb()
        if available is not None and available < needed:
            raise TooLittleMemory(needed_mb=needed, available_mb=available)

    def _choose_ports(self) -> tuple[int, int]:
        # the threads of a killed node hold its ports for a moment longer than it seems to live
        grace = timedelta(seconds=5 if self._layout.pid.exists() else 0)
        if self._port is not None and not wait_until(lambda: is_free(self._port or 0, self._host), grace):
            raise PortTaken(self._port, self._host)
        if self._member is not None:
            return self._of_a_member(self._member, grace)
        native, storage = self._remembered_ports()
        native = self._port or self._kept(native, grace) or free_port(self._layout.folder)
        kept = self._kept(storage, grace) if storage != native else None
        return native, kept or free_port(self._layout.folder, avoid=native)

    def _of_a_member(self, member: Member, grace: timedelta) -> tuple[int, int]:
        # the others of its cluster know the port between nodes, so that another one would be no use
        if not wait_until(lambda: is_free(member.storage_port, member.address), grace):
            raise PortTaken(member.storage_port, member.address)
        return self._port or free_port(self._layout.folder, avoid=member.storage_port), member.storage_port

    @staticmethod
    def _kept(port: int | None, grace: timedelta) -> int | None:
        return port if port and wait_until(lambda: is_free(port), grace) else None

    def _launch(self, ports: tuple[int, int]) -> None:
        layout, (native, storage) = self._layout, ports
        assert self._java_home is not None  # noqa: S101 -- _check_installed came before
        for folder in (layout.logs, layout.tmp):
            folder.mkdir(parents=True, exist_ok=True)
        layout.log.unlink(missing_ok=True)
        member, security = self._member, self._security
        if member is None:
            yaml = cassandra_yaml(port=native, storage_port=storage, security=security)
        else:
            yaml = member_yaml(member, port=native, security=security)
            layout.rack.write_text(rack_properties(member), encoding="utf-8")
        # it may hold the password of a keystore
        layout.yaml.touch(mode=0o600)
        layout.yaml.chmod(0o600)
        layout.yaml.write_text(yaml, encoding="utf-8")
        layout.logback.write_text(logback_xml(), encoding="utf-8")
        self._layout.ports.write_text(json.dumps({"native": native, "storage": storage}), encoding="ascii")
        command = java_command(
            layout,
            java_home=self._java_home,
            jars=self._jars,
            heap_mb=self._heap_mb,
            member=member,
            is_long_lived=self._is_long_lived,
        )
        pid = spawn(command, folder=layout.folder, console=layout.console, die_with_parent=self._die_with_parent)
        self._layout.pid.write_text(str(pid), encoding="ascii")

    def _await_ready(self) -> Endpoint:
        # an empty node makes its first role a moment after it answers
        is_new = not (self._layout.data / "system_auth").is_dir()
        wait_until(lambda: self.status().ready or not self.status().running, self._patience)
        status = self.status()
        if not status.running:
            raise NodeDidNotStart(what="ended while it started", cause=self._cause(), log=self._told_in())
        if status.endpoint is None or not wait_until(
            lambda: _answers(status.endpoint, self._security, is_new=is_new), timedelta(seconds=10)
        ):
            limit = f"{self._patience.total_seconds():.0f} s"
            raise NodeDidNotStart(what=f"did not answer within {limit}", cause=self._cause(), log=self._told_in())
        return status.endpoint

    def _told_in(self) -> Path:
        return self._layout.log if self._layout.log.is_file() else self._layout.console

    def _cause(self) -> str | None:
        """The first line of the log that reads like the reason."""
        try:
            text = self._told_in().read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        # the one error of every start: nobody asked for remote management
        lines = [line for line in text.splitlines() if "jmx" not in line.lower()]
        told = [line for line in lines if re.search(r"\bERROR\b|Exception|Error:", line)]
        return told[0].strip()[:300] if told else None


def _answers(endpoint: Endpoint | None, security: NodeSecurity, *, is_new: bool) -> bool:
    if endpoint is None:
        return False
    profile = ExecutionProfile(load_balancing_policy=WhiteListRoundRobinPolicy([endpoint.host]), request_timeout=5)
    cluster = Cluster(
        [endpoint.host],
        port=endpoint.port,
        protocol_version=5,
        auth_provider=PlainTextAuthProvider(*_FIRST_ROLE) if security.wants_login else None,
        ssl_context=ssl.create_default_context(cafile=security.tls.ca_file) if security.tls else None,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        connect_timeout=5,
        monitor_reporting_enabled=False,
    )
    try:
        return cluster.connect().execute("SELECT release_version FROM system.local").one() is not None
    except NoHostAvailable as error:
        told = error.errors.values() if isinstance(error.errors, dict) else ()
        refused = any(isinstance(each, AuthenticationFailed) for each in told)
        # a node of some age, whose first role was given another password, has answered
        return refused and not is_new
    except (DriverException, OSError):
        return False
    finally:
        cluster.shutdown()
