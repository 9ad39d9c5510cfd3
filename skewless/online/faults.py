"""The driver's exceptions as ours: what was being done, why it failed, what to do."""

from __future__ import annotations

from cassandra import (
    DriverException,
    InvalidRequest,
    OperationTimedOut,
    ReadTimeout,
    RequestExecutionException,
    Unauthorized,
    WriteTimeout,
)
from cassandra.cluster import NoHostAvailable
from cassandra.protocol import SyntaxException

from skewless.errors import SkewlessError, StoreUnreachable
from skewless.online.errors import StoreRefused

#: Everything that the driver raises for a request.
DRIVER_ERRORS = (DriverException, NoHostAvailable)
_LONGEST = 200
_REFUSALS = (InvalidRequest, Unauthorized, SyntaxException)
_TIMEOUTS = (OperationTimedOut, ReadTimeout, WriteTimeout)


def is_refusal(error: BaseException) -> bool:
    """True when no retry can help."""
    return isinstance(error, _REFUSALS) or not isinstance(error, DRIVER_ERRORS)


def is_timeout(error: BaseException) -> bool:
    """True when nobody answered in time."""
    return isinstance(error, _TIMEOUTS)


def is_overload(error: BaseException) -> bool:
    """True when the answer of the store means: slower."""
    return isinstance(error, (*_TIMEOUTS, RequestExecutionException, NoHostAvailable))


def as_ours(error: BaseException, *, operation: str) -> SkewlessError:
    """Wrap an exception of the driver.

    Args:
        error: What the driver raised.
        operation: What was being done, to be read after "could not" ("write rows of 'x'").
    """
    if is_refusal(error):
        return StoreRefused(operation=operation, cause=error)
    return StoreUnreachable(
        f"Cassandra could not {operation} ({one_line(error)}). "
        "Nothing was lost: try again when the nodes are up and less loaded."
    )


def one_line(error: BaseException) -> str:
    """Kind and message of an exception on one line of bearable length."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
