"""roles: who may do what in the online store."""

from __future__ import annotations

from skewless.cli.desk import Desk


def roles(desk: Desk) -> None:
    """Print the CQL that makes the keyspace and its three roles: ddl, push and read; nothing is run.

    For an administrator of the cluster, once per project. Passwords are not part of it: they are set by hand, or by
    `skewless.online.roles.ensure_roles`.

    For example:

        skewless roles --env prod > roles.cql
    """
    from skewless.online.cql import create_keyspace
    from skewless.online.roles import DUTIES, role_name, role_statements

    online = desk.settings.online
    made = create_keyspace(online.keyspace, local_dc=online.local_dc, replication_factor=online.replication_factor)
    statements = [made, *role_statements(online.keyspace)]
    names = {duty: role_name(online.keyspace, duty) for duty in DUTIES}
    later = [f"--   ALTER ROLE \"{name}\" WITH PASSWORD = '…';" for name in names.values()]
    desk.show(
        {"keyspace": online.keyspace, "roles": names, "statements": statements},
        [*(f"{statement};" for statement in statements), "-- then give each a password:", *later],
    )
