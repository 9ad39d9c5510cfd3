"""A node that asks for a login and speaks TLS only: who gets in, and what they may do there."""

from __future__ import annotations

import logging
import socket
import stat
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cassandra import Unauthorized

from skewless.config import load_settings
from skewless.core import dtypes
from skewless.core.serving import ServedView, ServingManifest
from skewless.core.timeline import Pointer, Revision
from skewless.errors import SkewlessError, StoreUnreachable
from skewless.node import CassandraNode, NodeSecurity, NodeTls
from skewless.online import OnlineClient, TimelineStore
from skewless.online.connection import OnlineTarget, close_sessions, session, session_for
from skewless.online.errors import CertificateRefused, LoginRefused, StoreRefused
from skewless.online.roles import DUTIES, Duty, ensure_roles, may_write, role_name
from skewless.online.schema import ensure_keyspace, ensure_project_tables, ensure_view_table
from skewless.online.writer import write_rows
from tests.online.shop import T0, rows_of
from tests.support.certificates import Authority

# two dozen logins and a node of its own: about 20 s on a quiet machine, twice that beside others
pytestmark = [pytest.mark.cassandra, pytest.mark.release]

ROOT = Path(__file__).resolve().parents[2]
KEYSPACE, PROJECT = "guarded", "demo"
PASSWORDS: dict[Duty, str] = {"ddl": "it's 'hush'; --", "push": 'pässwörd "hush" \\', "read": "$$hush$$ %s {0}"}
VIEW = ServedView(
    name="spend", version=1, table="spend__v1", keys={"user_id": dtypes.Int64}, features={"spend": dtypes.Float64},
    ttl=None, schedule=None, fingerprint="f",
)  # fmt: skip


@dataclass(frozen=True)
class Guarded:
    """The node with one keyspace, its three roles, and one published row: user 1 spent 9.5."""

    target: OnlineTarget
    admin: Any
    authority: Authority
    stranger: Authority
    folder: Path

    def as_role(self, duty: Duty, **changes: Any) -> OnlineTarget:
        username = role_name(self.target.keyspace, duty)
        return replace(self.target, **{"username": username, "password": PASSWORDS[duty], **changes})

    def client(self, target: OnlineTarget) -> OnlineClient:
        return OnlineClient.connect(
            target.contact_points, project=PROJECT, port=target.port, keyspace=target.keyspace,
            username=target.username, password=target.password, ca_file=target.ca_file, tls_name=target.tls_name,
            poll_interval=None, deadline_ms=2000.0,
        )  # fmt: skip

    def value(self) -> Any:
        [row] = self.admin.execute(f'SELECT gen, spend FROM "{KEYSPACE}"."{VIEW.table}" WHERE user_id = 1')
        return row


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder, settings = tmp_path_factory.mktemp("guarded"), load_settings(ROOT / "conf", "ci")
    authority, stranger = Authority.make(folder / "ca.pem"), Authority.make(folder / "stranger.pem")
    password = 'key "store": #hush\\'  # noqa: S105 - of a throw-away file
    keystore = authority.keystore(folder / "node.p12", password=password, address="127.0.0.1", name="node.example")
    node = CassandraNode(
        folder / "node",
        settings.cassandra_jars,
        java_home=settings.java_home,
        heap_mb=256,
        security=NodeSecurity(wants_login=True, tls=NodeTls(keystore, password, authority.file)),
        die_with_parent=True,
    )
    try:
        endpoint = node.start()
        target = OnlineTarget((endpoint.host,), endpoint.port, KEYSPACE, ca_file=str(authority.file))
        first = replace(target, username="cassandra", password="cassandra")  # noqa: S106 - known to everybody
        admin = session_for(first)
        ensure_keyspace(admin, KEYSPACE)
        ensure_roles(admin, KEYSPACE, PASSWORDS)
        furnish(session_for(Guarded(target, admin, authority, stranger, folder).as_role("ddl")))
        yield Guarded(target, admin, authority, stranger, folder)
    finally:
        close_sessions()
        node.stop()


def furnish(ddl: Any) -> None:
    """What `skewless apply` and a first run leave; the role for it needs no right outside of the keyspace."""
    ensure_keyspace(ddl, KEYSPACE)
    ensure_project_tables(ddl, KEYSPACE)
    ensure_view_table(ddl, KEYSPACE, VIEW)
    timeline = TimelineStore(ddl, KEYSPACE, PROJECT)
    ddl.execute(f'INSERT INTO "{KEYSPACE}"."{VIEW.table}" (user_id, gen, event_us, spend) VALUES (1, 5, {T0}, 9.5)')
    timeline.publish(Revision(1, T0, {VIEW.reference: Pointer(VIEW.table, 5, T0)}), expected=None)
    timeline.write_serving(ServingManifest(PROJECT, "svc", "c1", (("spend", "spend"),), (VIEW,)))


@contextmanager
def forwarder(port: int) -> Iterator[int]:
    """Somebody at 127.0.0.2 who hands everything on to the node, and so shows the certificate of 127.0.0.1."""
    with socket.create_server(("127.0.0.2", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    taken, _ = server.accept()
                except OSError:
                    return
                given = socket.create_connection(("127.0.0.1", port))
                for one, other in ((taken, given), (given, taken)):
                    threading.Thread(target=pump, args=(one, other), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)


def pump(one: socket.socket, other: socket.socket) -> None:
    try:
        while data := one.recv(65_536):
            other.sendall(data)
    except OSError:
        pass
    finally:
        for each in (one, other):
            with each:
                pass


def refused(target: OnlineTarget) -> SkewlessError:
    """The error of a client that tries to read."""
    with (
        OnlineClient.connect(
            target.contact_points, project=PROJECT, port=target.port, keyspace=target.keyspace,
            username=target.username, password=target.password, ca_file=target.ca_file, tls_name=target.tls_name,
        ) as client,
        pytest.raises(SkewlessError) as caught,
    ):  # fmt: skip
        client.get("svc", {"user_id": 1})
    return caught.value


def is_one_clear_line(error: SkewlessError) -> bool:
    return str(error).isprintable() and len(str(error)) < 500


# ------------------------------------------------------------------------------------------------ who gets in


def test_right_role_password_and_certificate_read_the_value(guarded: Guarded) -> None:
    for target in (guarded.as_role("read"), guarded.as_role("read", tls_name="node.example")):
        with guarded.client(target) as client:
            assert client.get("svc", {"user_id": 1}).values["spend:spend"] == 9.5


@pytest.mark.parametrize(
    "given",
    [
        {"username": None, "password": None},
        {"password": "wrong-hush"},
        {"password": None},
        {"username": "nobody", "password": "wrong-hush"},
        {"username": 'x" OR "1', "password": "wrong-hush'; --"},
        {"username": "cassandra\0", "password": "wrong-hush"},
    ],
    ids=["no login", "wrong password", "no password", "unknown role", "quotes", "NUL"],
)
def test_stranger_is_not_let_in_and_is_told_so_in_one_line_without_the_password(
    guarded: Guarded, given: dict[str, str | None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    error = refused(guarded.as_role("read", **given))
    assert isinstance(error, LoginRefused)
    assert error.exit_code == 2
    assert is_one_clear_line(error)
    assert ("none are set" in str(error)) == (given.get("username", "") is None)
    shown = "".join(traceback.format_exception(error)) + caplog.text
    assert "hush" not in shown


def test_password_of_a_role_that_is_let_in_is_in_no_log_and_no_repr(
    guarded: Guarded, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for duty in DUTIES:
        target = guarded.as_role(duty)
        with guarded.client(target) as client, session(target) as opened:
            client.get("svc", {"user_id": 1})
            shown = [repr(each) for each in (target, client, opened, opened.cluster, client.health())]
        assert "hush" not in f"{target} {shown}"
    assert "hush" not in caplog.text


@pytest.mark.parametrize("duty", DUTIES)
def test_client_without_tls_gets_nowhere(guarded: Guarded, duty: Duty) -> None:
    error = refused(guarded.as_role(duty, ca_file=None))
    assert isinstance(error, StoreUnreachable)
    assert is_one_clear_line(error)
    assert "whether it wants TLS (ca_file)" in str(error)


@pytest.mark.parametrize(
    "changes",
    [
        lambda guarded: {"ca_file": str(guarded.stranger.file)},
        lambda guarded: {"tls_name": "other.example"},
        lambda guarded: {"tls_name": "127.0.0.3"},
    ],
    ids=["another authority", "another name", "another address"],
)
def test_certificate_that_proves_nothing_is_refused(
    guarded: Guarded, changes: Callable[[Guarded], dict[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    error = refused(guarded.as_role("read", **changes(guarded)))
    assert isinstance(error, CertificateRefused)
    assert error.exit_code == 2
    assert is_one_clear_line(error)
    assert "hush" not in str(error) + caplog.text


def test_certificate_of_another_address_is_refused(guarded: Guarded) -> None:
    with forwarder(guarded.target.port) as port:
        elsewhere = guarded.as_role("read", contact_points=("127.0.0.2",), port=port)
        assert isinstance(refused(elsewhere), CertificateRefused)
        # what was refused is the address alone: by the name that the certificate holds it is let through
        with session(replace(elsewhere, tls_name="node.example")) as opened:
            assert opened.execute("SELECT release_version FROM system.local").one() is not None


def test_files_of_the_node_that_hold_a_password_are_its_owners_alone(guarded: Guarded) -> None:
    yaml = guarded.folder / "node" / "cassandra.yaml"
    assert "hush" in yaml.read_text()
    assert stat.S_IMODE(yaml.stat().st_mode) == 0o600
    pid = int((guarded.folder / "node" / "pid").read_text())
    assert b"hush" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert b"hush" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert "hush" not in (guarded.folder / "node" / "logs" / "system.log").read_text()
    assert "hush" not in repr(NodeTls(yaml, "hush", yaml))


# ------------------------------------------------------------------------------------------------ what they may do

DEFINES = [
    f'CREATE TABLE "{KEYSPACE}".mine (k int PRIMARY KEY)',
    f'ALTER TABLE "{KEYSPACE}"."{VIEW.table}" ADD more int',
    f'DROP TABLE "{KEYSPACE}"."{VIEW.table}"',
    f'DROP KEYSPACE "{KEYSPACE}"',
]
ALWAYS_REFUSED = [
    "CREATE KEYSPACE mine WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE ROLE mine WITH LOGIN = true",
    f'GRANT MODIFY ON KEYSPACE "{KEYSPACE}" TO "{KEYSPACE}_read"',
    f'ALTER ROLE "{KEYSPACE}_ddl" WITH SUPERUSER = true',
    "SELECT salted_hash FROM system_auth.roles",
    "LIST ALL PERMISSIONS",
]
WRITES = [
    f'INSERT INTO "{KEYSPACE}"."{VIEW.table}" (user_id, gen, spend) VALUES (1, 9, 0.0)',
    f'UPDATE "{KEYSPACE}"."{VIEW.table}" SET spend = 0.0 WHERE user_id = 1 AND gen = 5',
    f'DELETE FROM "{KEYSPACE}"."{VIEW.table}" WHERE user_id = 1',
    f'TRUNCATE "{KEYSPACE}"."{VIEW.table}"',
    f"UPDATE \"{KEYSPACE}\".snapshot SET rev = 9 WHERE project = 'demo' IF rev = 1",
    f"INSERT INTO \"{KEYSPACE}\".serving (project, service) VALUES ('demo', 'svc')",
]


@pytest.mark.parametrize(
    ("duty", "statements"),
    [("read", [*WRITES, *DEFINES, *ALWAYS_REFUSED]), ("push", [*DEFINES, *ALWAYS_REFUSED]), ("ddl", ALWAYS_REFUSED)],
    ids=DUTIES[::-1],
)
def test_role_is_refused_whatever_its_duty_does_not_need(guarded: Guarded, duty: Duty, statements: list[str]) -> None:
    opened, before = session_for(guarded.as_role(duty)), guarded.value()
    for statement in statements:
        with pytest.raises(Unauthorized):
            opened.execute(statement)
    assert guarded.value() == before


def test_reader_is_refused_by_our_own_writer_timeline_and_schema_in_one_line(guarded: Guarded) -> None:
    reader, before = guarded.as_role("read"), guarded.value()
    opened = session_for(reader)
    timeline = TimelineStore(opened, KEYSPACE, PROJECT)
    another = replace(VIEW, table="spend__v2")
    for attempt in (
        lambda: next(write_rows(reader, VIEW, 9, [rows_of(VIEW, [(1, T0, "", 0.0)])])),
        lambda: timeline.publish(Revision(2, T0 + 1, {}), expected=1),
        lambda: ensure_view_table(opened, KEYSPACE, another),
        lambda: ensure_keyspace(opened, "another"),
        lambda: ensure_roles(opened, KEYSPACE, PASSWORDS),
    ):
        with pytest.raises(StoreRefused) as caught:
            attempt()
        assert is_one_clear_line(caught.value)
        assert "hush" not in "".join(traceback.format_exception(caught.value))
    assert guarded.value() == before
    assert timeline.read().current.number == 1


def test_reader_of_another_keyspace_is_told_what_it_may_not_read(guarded: Guarded) -> None:
    ensure_keyspace(guarded.admin, "neighbour")
    ensure_roles(guarded.admin, "neighbour", {"read": PASSWORDS["read"]})
    error = refused(guarded.as_role("read", username="neighbour_read"))
    assert isinstance(error, StoreRefused)
    assert is_one_clear_line(error)
    assert f"no SELECT permission on <table {KEYSPACE}.snapshot>" in str(error)


def test_push_role_writes_and_publishes_what_a_reader_then_sees(guarded: Guarded) -> None:
    other, pusher = "another project", guarded.as_role("push")
    assert next(write_rows(pusher, VIEW, 7, [rows_of(VIEW, [(2, T0, "", 3.5)])]))["written"] == 1
    opened = session_for(pusher)
    TimelineStore(opened, KEYSPACE, other).publish(
        Revision(1, T0, {VIEW.reference: Pointer(VIEW.table, 7, T0)}), expected=None
    )
    reader = TimelineStore(session_for(guarded.as_role("read")), KEYSPACE, other)
    assert reader.read().current.views[VIEW.reference].generation == 7
    with guarded.client(guarded.as_role("read")) as client:
        assert client.get("svc", {"user_id": 2}).status["spend:spend"].value == "NOT_FOUND"  # 7 > 5, which is published


def test_ddl_role_makes_and_drops_tables_of_its_keyspace(guarded: Guarded) -> None:
    ddl = session_for(guarded.as_role("ddl"))
    known = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s AND table_name = %s"
    ensure_view_table(ddl, KEYSPACE, replace(VIEW, table="spend__v3"))
    assert ddl.execute(known, (KEYSPACE, "spend__v3")).one() == ("spend__v3",)
    ddl.execute(f'DROP TABLE "{KEYSPACE}".spend__v3', timeout=30)
    assert ddl.execute(known, (KEYSPACE, "spend__v3")).one() is None


# ------------------------------------------------------------------------------------------------ who is warned


@pytest.mark.parametrize("duty", DUTIES)
def test_client_is_warned_once_when_its_role_could_write(
    guarded: Guarded, duty: Duty, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skewless.online.roles._warned", set())
    caplog.set_level(logging.INFO, "skewless")
    for _ in range(2):
        with guarded.client(guarded.as_role(duty)) as client:
            client.get("svc", {"user_id": 1})
    told = [record.getMessage() for record in caplog.records if record.name.startswith("skewless")]
    expected = f"Role 'guarded_{duty}' can change what is served from 'guarded'"
    assert len(told) == (0 if duty == "read" else 1)
    assert all(line.startswith(expected) and line.isprintable() for line in told)


@pytest.mark.parametrize(
    ("granted", "writes"),
    [
        ([], False),
        (["GRANT SELECT ON ALL KEYSPACES TO {role}"], False),
        (["GRANT MODIFY ON KEYSPACE elsewhere TO {role}"], False),
        ([f"GRANT MODIFY ON TABLE {KEYSPACE}.serving TO {{role}}"], True),
        (["GRANT MODIFY ON ALL KEYSPACES TO {role}"], True),
        ([f"GRANT {KEYSPACE}_push TO {{role}}"], True),
        (["ALTER ROLE {role} WITH SUPERUSER = true"], True),
    ],
    ids=["nothing", "read all", "elsewhere", "one table", "all keyspaces", "inherited", "superuser"],
)
def test_right_to_write_is_found_wherever_it_comes_from(guarded: Guarded, granted: list[str], writes: bool) -> None:
    role = f"r_{uuid.uuid4().hex}"
    ensure_keyspace(guarded.admin, "elsewhere")
    guarded.admin.execute(f"CREATE ROLE {role} WITH LOGIN = true AND PASSWORD = 'hush'")
    for statement in granted:
        guarded.admin.execute(statement.format(role=role))
    with session(replace(guarded.target, username=role, password="hush")) as opened:  # noqa: S106 - not a secret
        assert may_write(opened, role, KEYSPACE) is writes


# ------------------------------------------------------------------------------------------------ passwords


def test_password_is_changed_by_setting_it_again(guarded: Guarded) -> None:
    keyspace = "renewed"
    ensure_keyspace(guarded.admin, keyspace)
    username = role_name(keyspace, "read")
    target = replace(guarded.target, keyspace=keyspace, username=username)
    for password in ("first hush", "second hush"):
        ensure_roles(guarded.admin, keyspace, {"read": password})
        assert eventually(lambda password=password: is_let_in(replace(target, password=password)))
    assert not is_let_in(replace(target, password="first hush"))  # noqa: S106 - not a secret
    # the others have no password yet, so nobody can use them
    assert not is_let_in(replace(target, username=role_name(keyspace, "ddl"), password=""))
    ensure_roles(guarded.admin, keyspace, {})
    assert is_let_in(replace(target, password="second hush"))  # noqa: S106 - not a secret


def is_let_in(target: OnlineTarget) -> bool:
    try:
        with session(target):
            return True
    except LoginRefused:
        return False


def eventually(condition: Callable[[], bool]) -> bool:
    """The node remembers logins for two seconds."""
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.2)
    return condition()


def test_node_whose_first_role_has_a_password_of_its_own_starts_again(tmp_path: Path) -> None:
    settings = load_settings(ROOT / "conf", "ci")
    node = CassandraNode(
        tmp_path / "node",
        settings.cassandra_jars,
        java_home=settings.java_home,
        heap_mb=256,
        security=NodeSecurity(wants_login=True),
        die_with_parent=True,
    )
    try:
        endpoint = node.start()
        first = OnlineTarget((endpoint.host,), endpoint.port, username="cassandra", password="cassandra")  # noqa: S106
        with session(first) as opened:
            opened.execute("ALTER ROLE cassandra WITH PASSWORD = 'hush'")
        node.stop()
        assert node.start() == endpoint
        assert not is_let_in(first)
        assert is_let_in(replace(first, password="hush"))  # noqa: S106 - not a secret
    finally:
        node.stop()
