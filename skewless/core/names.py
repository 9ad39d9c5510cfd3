"""Which names are legal, and the column names that the platform keeps for itself."""

from __future__ import annotations

import re
from collections.abc import Iterable

from skewless.errors import DefinitionError

PATTERN = re.compile(r"[a-z][a-z0-9_]{0,47}")

EVENT_TIMESTAMP = "event_timestamp"
GENERATION = "_gen"
FLAG = "_flag"
STATE = "_state"
#: The one column of values of a packed view's table.
PACKED = "packed"

#: Names that no key, feature or view may take: columns of our tables, and of the rows in Cassandra.
RESERVED = frozenset({EVENT_TIMESTAMP, GENERATION, FLAG, STATE, "gen", "event_us", "state", "k"})


def checked_name(name: object, *, what: str) -> str:
    """Return `name` when it is legal.

    Args:
        name: The proposed name.
        what: The kind of thing it names, for the message ("Feature view").

    Raises:
        DefinitionError: It is off the pattern, reserved, or holds a double underscore (which separates view and
            feature in training sets).
    """
    if not isinstance(name, str) or not PATTERN.fullmatch(name):
        message = f"{what} name {name!r} is not legal. Use 1 to 48 of a-z, 0-9 and _, beginning with a letter."
        raise DefinitionError(message)
    if name in RESERVED:
        raise DefinitionError(f"{what} name '{name}' is kept for the platform's own columns. Choose another one.")
    if "__" in name:
        message = f"{what} name '{name}' holds '__', which separates view and feature in training sets. Use one '_'."
        raise DefinitionError(message)
    return name


def unique_names(names: Iterable[str], *, what: str, where: str) -> tuple[str, ...]:
    """Return the names as a tuple, in order, when none occurs twice.

    Raises:
        DefinitionError: A name occurs twice.
    """
    seen: list[str] = []
    for name in names:
        if name in seen:
            raise DefinitionError(f"{what} '{name}' occurs twice in {where}. Rename or remove one of them.")
        seen.append(name)
    return tuple(seen)


def feature_column(view: str, feature: str) -> str:
    """Name a feature's column in a training set: `view__feature`."""
    return f"{view}__{feature}"


def feature_reference(view: str, feature: str) -> str:
    """Name a feature in a vector and in a service: `view:feature`."""
    return f"{view}:{feature}"
