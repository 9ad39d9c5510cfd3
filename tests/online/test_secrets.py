"""Passwords and certificates before anybody connects: what is refused at once, and what is never shown."""

from __future__ import annotations

import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest
from cassandra import AuthenticationFailed, InvalidRequest
from cassandra.cluster import NoHostAvailable

from skewless.config import load_settings
from skewless.errors import ConfigError
from skewless.flows.online_link import online_target
from skewless.online import OnlineClient, entrance
from skewless.online.connection import OnlineTarget, open_cluster
from skewless.online.errors import CertificateRefused, ClusterUnreachable, LoginRefused, PasswordNotSet
from skewless.online.roles import ensure_roles, role_statements, warn_of_writer

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "hush"  # noqa: S105 - not a secret
NOWHERE = OnlineTarget(("127.0.0.1",), 1, "ks", username="reader", password=PASSWORD)


class Parrot:
    """A store that repeats what it was told when it refuses it."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def execute(self, statement: str, **_: Any) -> None:
        self.told.append(statement)
        if statement.startswith(("ALTER", "LIST")):
            raise InvalidRequest(f"no viable alternative at input '{statement}'")


def test_password_that_could_not_be_set_is_not_part_of_the_error() -> None:
    with pytest.raises(PasswordNotSet) as caught:
        ensure_roles(Parrot(), "ks", {"read": PASSWORD})
    assert str(caught.value).isprintable()
    assert caught.value.__context__ is None
    assert "hush" not in "".join(traceback.format_exception(caught.value))


def test_password_with_quotes_stays_one_text() -> None:
    store = Parrot()
    with pytest.raises(PasswordNotSet):
        ensure_roles(store, "ks", {"read": "it's'; DROP ROLE x; --"})
    assert store.told[-1] == "ALTER ROLE \"ks_read\" WITH PASSWORD = 'it''s''; DROP ROLE x; --'"


@pytest.mark.parametrize("password", ["", "hush\0", "hush\n", "\u202ehush"], ids=ascii)
def test_password_that_is_empty_or_hides_characters_is_refused_before_anything_is_sent(password: str) -> None:
    store = Parrot()
    with pytest.raises(ConfigError) as caught:
        ensure_roles(store, "ks", {"read": password})
    assert store.told == []
    assert "hush" not in str(caught.value)


def test_roles_without_passwords_hold_none_and_each_has_its_least_rights() -> None:
    statements = role_statements("ks")
    assert not [each for each in statements if "PASSWORD" in each]
    granted = {duty: {each.split()[1] for each in statements if each.endswith(f'TO "ks_{duty}"')} for duty in
               ("ddl", "push", "read")}  # fmt: skip
    assert granted == {
        "ddl": {"CREATE", "ALTER", "DROP", "SELECT", "MODIFY"},
        "push": {"SELECT", "MODIFY"},
        "read": {"SELECT"},
    }


def test_client_without_a_role_is_not_asked_what_it_may_do() -> None:
    store = Parrot()
    warn_of_writer(store, None, "ks")
    assert store.told == []


@pytest.mark.parametrize("content", [None, "", "not a certificate"], ids=["missing", "empty", "no certificate"])
def test_authorities_that_cannot_be_read_are_one_clear_line(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=r"certificate authorities in .*ca\.pem cannot be read") as caught:
        open_cluster(OnlineTarget(("127.0.0.1",), 1, ca_file=str(file)))
    assert str(caught.value).isprintable()


def test_name_to_check_without_authorities_is_refused_instead_of_being_forgotten() -> None:
    with pytest.raises(ConfigError, match="Set ca_file too"):
        open_cluster(OnlineTarget(("127.0.0.1",), 1, tls_name="node.example"))


def test_quorum_that_is_down_is_no_wrong_password() -> None:
    def told(message: str) -> Exception:
        failed = AuthenticationFailed(f'Error from server: code=0100 [Bad credentials] message="{message}"')
        return entrance.refusal(NoHostAvailable("no", {"127.0.0.1:9042": failed}), NOWHERE)

    assert isinstance(told("Provided username reader and/or password are incorrect"), LoginRefused)
    assert isinstance(told("Unable to perform authentication: Cannot achieve consistency level"), ClusterUnreachable)


def test_hosts_that_the_driver_names_without_a_cause_are_told_by_its_own_words() -> None:
    error = entrance.refusal(NoHostAvailable("Unable to connect to any servers", ["127.0.0.1"]), NOWHERE)
    assert isinstance(error, ClusterUnreachable)
    assert "Unable to connect to any servers" in str(error)


def test_certificate_is_told_apart_from_a_node_that_is_down() -> None:
    text = "Tried connecting to [('127.0.0.1', 1)]. Last error: [SSL: CERTIFICATE_VERIFY_FAILED] unable to get issuer"
    errors = {"127.0.0.1:1": OSError(1, text)}
    assert isinstance(entrance.refusal(NoHostAvailable("no", errors), NOWHERE), CertificateRefused)
    errors = {"127.0.0.1:1": ConnectionRefusedError(111, "Connection refused")}
    assert isinstance(entrance.refusal(NoHostAvailable("no", errors), NOWHERE), ClusterUnreachable)


def test_password_is_shown_by_no_settings_target_client_or_error(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hush\n")
    given = {
        "SKEWLESS__ONLINE__CONTACT_POINTS": "127.0.0.1",
        "SKEWLESS__ONLINE__PORT": "1",
        "SKEWLESS__ONLINE__CA_FILE": "certificates/ca.pem",
        "SKEWLESS__ONLINE__TLS_NAME": "node.example",
        "SKEWLESS_CASSANDRA_PASSWORD": "hush",
    }
    settings = load_settings(ROOT / "conf", "prod", given)
    target = online_target(settings, say=str)
    assert (target.password, target.tls_name) == ("hush", "node.example")
    assert target.ca_file == str(ROOT / "certificates" / "ca.pem")
    client = OnlineClient.connect(target.contact_points, project="shop", username="a", password=PASSWORD, port=1)
    with pytest.raises(ClusterUnreachable) as caught, client:
        client.get("svc", {"user_id": 1})
    told = "".join(traceback.format_exception(caught.value))
    assert "hush" not in f"{settings} {settings!r} {target} {target!r} {client} {client!r} {told}"
    # it does travel to executors
    assert pickle.loads(pickle.dumps(target)) == target  # noqa: S301 - our own
