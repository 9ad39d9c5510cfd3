"""What can go wrong online, each with what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from skewless.errors import ConfigError, ContractBroken, LeaseHeld, SkewlessError, StoreUnreachable, UsageError


class RevisionConflict(LeaseHeld):
    """Somebody else published first; nothing of this attempt became visible."""

    def __init__(self, *, project: str, expected: int | None, found: int | None) -> None:
        super().__init__(
            f"Revision of project '{project}' is {found or 'none'}, not {expected or 'none'} as expected: another "
            "run published in between and this attempt changed nothing. Read the timeline again and decide anew."
        )
        self.expected = expected
        self.found = found


class UnknownOutcome(StoreUnreachable):
    """A compare-and-set was sent, and whether it won could not be found out."""

    def __init__(self, *, project: str, number: int, cause: str) -> None:
        super().__init__(
            f"Cassandra did not say whether revision {number} of project '{project}' was published ({cause}). "
            "Read the timeline again when it answers: the log holds the revision exactly if it won."
        )


class ClusterUnreachable(StoreUnreachable):
    """No contact point answered."""

    def __init__(self, *, contact_points: Sequence[str], port: int, cause: str) -> None:
        super().__init__(
            f"Cassandra does not answer at {', '.join(contact_points)} port {port} ({cause}). "
            "Check address, port, whether it wants TLS (ca_file), and that the node runs "
            "(`skewless dev cassandra status` for the local one)."
        )


class LoginRefused(ConfigError):
    """The cluster answers and does not let this role in."""

    def __init__(self, *, contact_points: Sequence[str], port: int, username: str | None) -> None:
        why = "it wants a role and a password, and none are set"
        if username is not None:
            why = f"there is no role {username!r} with this password that may log in"
        super().__init__(
            f"Cassandra at {', '.join(contact_points)} port {port} refused the login: {why}. "
            "Set online.username, and online.password to a variable or a file that holds the right one."
        )


class CertificateRefused(ConfigError):
    """Somebody answers who cannot prove to be the cluster."""

    def __init__(self, *, contact_points: Sequence[str], port: int, cause: str) -> None:
        super().__init__(
            f"Whoever answers at {', '.join(contact_points)} port {port} is not proven to be the cluster ({cause}). "
            "Check that ca_file holds the authority of its certificate, and that the certificate names the address, "
            "or set tls_name to the name it holds. Nothing was sent."
        )


class PasswordNotSet(StoreUnreachable):
    """A role has not got its password; the store's own words are left out, for they may repeat it."""

    def __init__(self, *, role: str, cause: str) -> None:
        super().__init__(
            f"Cassandra did not set the password of role '{role}' ({cause}). "
            "Check that the role that you log in with may alter roles, and try again after some seconds: "
            "a role's password may be changed once in five."
        )


class KeyspaceMissing(StoreUnreachable):
    """The cluster answers, but the project was never applied to it."""

    def __init__(self, *, keyspace: str, contact_points: Sequence[str], port: int) -> None:
        super().__init__(
            f"Cassandra at {', '.join(contact_points)} port {port} has no keyspace '{keyspace}' with our tables. "
            "Check the project's name, or run `skewless apply` and a first `skewless run` against this cluster."
        )


class StoreRefused(SkewlessError):
    """The store answered with a refusal that no retry can change."""

    def __init__(self, *, operation: str, cause: BaseException) -> None:
        super().__init__(
            f"Cassandra refused to {operation}: {' '.join(f'{type(cause).__name__}: {cause}'.split())}. "
            "Check that the table was created by `apply` and that the role may do this."
        )


class ServiceUnknown(UsageError):
    """No serving manifest has that name."""

    def __init__(self, *, service: str, known: Sequence[str]) -> None:
        super().__init__(
            f"There is no feature service {service!r} in this project; it serves: {', '.join(known) or 'none'}. "
            "Correct the name, or run `skewless apply` for a new service."
        )


class BadKeys(UsageError):
    """The keys of a request cannot identify an entity of the service."""


class BadRequest(UsageError):
    """An argument of a request is out of its bounds."""


class BadRow(UsageError):
    """A row handed to the writer cannot be stored as what its view declares."""


class DamagedRow(ContractBroken):
    """A packed row is not what a writer of ours writes; none of its values may be believed."""

    def __init__(self, *, why: str) -> None:
        super().__init__(
            f"A packed row cannot be read: {why}. Find who else writes to the table, and restore it from a snapshot of "
            "the store; `skewless rollback` puts readers on older rows meanwhile."
        )
        self.why = why


class ContractMismatch(ContractBroken):
    """The service never had the contract that the client is pinned to."""

    def __init__(self, *, service: str, pinned: str, found: str) -> None:
        super().__init__(
            f"Service '{service}' has contract hash {found[:12]}, but this client is pinned to {pinned[:12]}, "
            "which it never had: the features are not those that the model was trained on. Deploy the model of that "
            "contract, or pin one that the service had."
        )


class ManifestTooNew(UsageError):
    """The serving manifest was written by a later release."""

    def __init__(self, *, service: str, found: int, known: int) -> None:
        super().__init__(
            f"The serving manifest of '{service}' has format {found}; this client reads up to {known}. "
            "Upgrade skewless where the client runs."
        )
