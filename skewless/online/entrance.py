"""The door of a cluster: what is shown there, and why somebody was not let in."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from cassandra import AuthenticationFailed
from cassandra.auth import PlainTextAuthProvider

from skewless.errors import ConfigError, SkewlessError
from skewless.online.errors import CertificateRefused, ClusterUnreachable, LoginRefused
from skewless.online.faults import one_line

if TYPE_CHECKING:
    from skewless.online.connection import OnlineTarget

#: The server says a wrong password and a quorum that is down by the same code.
_TRANSIENT = "Unable to perform authentication"


def login(target: OnlineTarget) -> PlainTextAuthProvider | None:
    """Role and password; None where no role is set."""
    if target.username is None:
        return None
    return PlainTextAuthProvider(target.username, target.password or "")


def tls(target: OnlineTarget) -> ssl.SSLContext | None:
    """A context that accepts certificates of the target's authorities only, and checks whom they name.

    Raises:
        ConfigError: The file of authorities cannot be read, or there is a name to check and no such file.
    """
    if target.ca_file is None:
        if target.tls_name is not None:
            raise ConfigError("A TLS name is set and no file of authorities. Set ca_file too, or neither.")
        return None
    try:
        return ssl.create_default_context(cafile=target.ca_file)
    except OSError as error:  # a file without a certificate is one too
        message = f"The certificate authorities in {target.ca_file} cannot be read ({error.strerror or error})."
        raise ConfigError(f"{message} Correct ca_file: it names a file in PEM format.") from None


def refusal(error: BaseException, target: OnlineTarget) -> SkewlessError:
    """Why nobody was let in, and what to do.

    Args:
        error: What the driver raised while it connected.
        target: The online store.
    """
    points, port = target.contact_points, target.port
    told = getattr(error, "errors", None)
    # the driver keeps what each host answered, but for one case in which it keeps their addresses
    found = list(told.values()) if isinstance(told, dict) and told else [error]
    cause = "; ".join(sorted({one_line(each) for each in found}))
    if any(isinstance(each, AuthenticationFailed) and _TRANSIENT not in str(each) for each in found):
        return LoginRefused(contact_points=points, port=port, username=target.username)
    if any("CERTIFICATE_VERIFY_FAILED" in str(each) for each in found):
        return CertificateRefused(contact_points=points, port=port, cause=cause)
    return ClusterUnreachable(contact_points=points, port=port, cause=cause)
