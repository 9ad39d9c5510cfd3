"""What the registry asks of a place that keeps objects: whole bodies, conditional creation, conditional replacement.

A local folder and an S3 bucket can both promise this (S3 by `If-None-Match: *` and `If-Match`), so both pass one
contract test suite, and nothing above depends on which of them is used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from skewless.errors import TryAgainLater, UsageError

_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_LONGEST_NAME = 512


class AlreadyThere(TryAgainLater):
    """An object of that name was created before; the one that stands is unchanged."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Object '{name}' is there already, so it was not created. Read it and decide again.")


class Moved(TryAgainLater):
    """An object is not what it was when it was read; the one that stands is unchanged."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Object '{name}' changed since it was read, so it was not replaced. Read it and decide again."
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """One object as it was read.

    Attributes:
        body: All of it.
        etag: Changes whenever the body does; opaque.
    """

    body: bytes
    etag: str


class ObjectStore(Protocol):
    """Named bodies; each call happens wholly or not at all, and is durable when it returns.

    No name may be a folder of another one (`a` beside `a/b`): a file system cannot hold both.
    """

    def read(self, name: str) -> Stored | None:
        """The object of that name; None when there is none."""

    def create(self, name: str, body: bytes) -> str:
        """Create an object and return its etag.

        Raises:
            AlreadyThere: An object of that name exists, whatever its body.
        """

    def swap(self, name: str, body: bytes, *, expected_etag: str) -> str:
        """Replace an object that is still what it was, and return the new etag.

        Raises:
            Moved: It is another one by now, or gone.
        """

    def list(self, prefix: str) -> tuple[str, ...]:
        """The names that begin with `prefix`, sorted."""

    def delete(self, name: str) -> None:
        """Remove an object; nothing happens when there is none."""


def checked_object_name(name: str) -> str:
    """Return an object name when it is legal everywhere: segments of letters, digits, `.`, `_`, `-`, joined by `/`.

    Raises:
        UsageError: It is empty, too long, absolute, or has a segment such as `..`, `.x` or `a b`.
    """
    if len(name) <= _LONGEST_NAME and all(_SEGMENT.fullmatch(segment) for segment in name.split("/")):
        return name
    message = (
        f"{name!r} is not a name that the registry can keep. "
        "Use segments of A-Z, a-z, 0-9, '.', '_' and '-' that begin with a letter or digit, joined by '/'."
    )
    raise UsageError(message)
