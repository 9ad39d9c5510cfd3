"""Three roles, each with no more rights than its duty needs, and whether a role could do more than read.

| duty | may | is used by |
|---|---|---|
| ddl | make, change and drop tables of the keyspace, read and write their rows | `skewless apply`, `push --full` |
| push | read and write rows | `skewless run`, backfill, rollback, revert |
| read | read rows | services |
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from cassandra import InvalidRequest

from skewless.errors import ConfigError
from skewless.online import cql
from skewless.online.errors import PasswordNotSet
from skewless.online.faults import DRIVER_ERRORS
from skewless.online.patience import patiently

Duty = Literal["ddl", "push", "read"]
DUTIES: Final[tuple[Duty, ...]] = ("ddl", "push", "read")

_GRANTS: Final[Mapping[Duty, tuple[str, ...]]] = {
    "ddl": ("CREATE", "ALTER", "DROP", "SELECT", "MODIFY"),
    "push": ("SELECT", "MODIFY"),
    "read": ("SELECT",),
}
_RETRIES = 4
_TIMEOUT_S = 30.0
_log = logging.getLogger(__name__)
_warned: set[tuple[str, str]] = set()


def role_name(keyspace: str, duty: Duty) -> str:
    """The role of a duty in a keyspace: `<keyspace>_<duty>`."""
    return f"{keyspace}_{duty}"


def role_statements(keyspace: str) -> tuple[str, ...]:
    """The CQL that makes the three roles and gives them their rights; without passwords nobody can use them yet.

    Raises:
        UsageError: The keyspace is no name.
    """
    space = cql.quoted(keyspace)
    made = [f'CREATE ROLE IF NOT EXISTS "{role_name(keyspace, duty)}" WITH LOGIN = true' for duty in DUTIES]
    granted = [
        f'GRANT {right} ON KEYSPACE {space} TO "{role_name(keyspace, duty)}"'
        for duty in DUTIES
        for right in _GRANTS[duty]
    ]
    return (*made, *granted)


def ensure_roles(session: Any, keyspace: str, passwords: Mapping[Duty, str]) -> None:
    """Make the three roles of an existing keyspace, and set the passwords that are given; it may be repeated.

    A role whose password is left out keeps the one that it has. So a password is changed by one more call.

    Args:
        session: Of a role that may create roles and grant rights on the keyspace.
        keyspace: The project's keyspace.
        passwords: Duty → its password.

    Raises:
        UsageError: The keyspace is no name.
        ConfigError: A password is empty or holds control characters.
        StoreRefused: The keyspace is missing, or the role may not do this.
        PasswordNotSet: The roles are there, a password is not.
    """
    statements = role_statements(keyspace)
    for duty, password in passwords.items():
        if not password or not password.isprintable():
            message = f"The password of role '{role_name(keyspace, duty)}' is empty or holds control characters."
            raise ConfigError(f"{message} Choose another one.")
    for statement in statements:
        _tell(session, statement)
    for duty, password in passwords.items():
        _set_password(session, role_name(keyspace, duty), password)


def may_write(session: Any, username: str, keyspace: str) -> bool:
    """True when a role that is logged in could change rows of the keyspace; it may ask this about itself.

    Raises:
        DriverException: The store did not answer, or does not ask who is there.
    """
    role = '"' + username.replace('"', '""') + '"'
    roles = session.execute(f"LIST ROLES OF {role}")
    if any(_column(roles, row, "super") for row in roles):
        return True
    try:
        rights = session.execute(f"LIST MODIFY PERMISSION OF {role}")
    except InvalidRequest:
        # who is there is asked, and what they may do is not
        return True
    space = re.escape(keyspace)
    ours = re.compile(rf"<(all keyspaces|keyspace {space}|all tables in {space}|table {space}\..*)>")
    return any(ours.fullmatch(str(_column(rights, row, "resource"))) for row in rights)


def warn_of_writer(session: Any, username: str | None, keyspace: str) -> None:
    """Say in the log, once per process, that a client's role could do more than a client needs."""
    if username is None or (username, keyspace) in _warned:
        return
    try:
        writes = may_write(session, username, keyspace)
    except DRIVER_ERRORS as error:
        _log.debug("what role %r may do could not be asked: %s", username, type(error).__name__)
        return
    _warned.add((username, keyspace))
    if writes:
        _log.warning(
            "Role %r can change what is served from '%s', and a client only reads. Give it the role '%s'.",
            username,
            keyspace,
            role_name(keyspace, "read"),
        )


def _set_password(session: Any, role: str, password: str) -> None:
    # A password cannot be bound. It is quoted as CQL quotes a text; nothing that could repeat it is passed on.
    text = password.replace("'", "''")
    try:
        session.execute(f"ALTER ROLE \"{role}\" WITH PASSWORD = '{text}'", timeout=_TIMEOUT_S)
    except DRIVER_ERRORS as error:
        cause = type(error).__name__
    else:
        return
    # not from within: an error keeps the one that it was raised in, even where that is not shown
    raise PasswordNotSet(role=role, cause=cause)


def _tell(session: Any, statement: str) -> None:
    patiently(lambda: session.execute(statement, timeout=_TIMEOUT_S), operation="define a role", retries=_RETRIES)


def _column(rows: Any, row: tuple[Any, ...], name: str) -> Any:
    return row[rows.column_names.index(name)]
