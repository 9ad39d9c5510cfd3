"""The one spelling of a view version: `name@version` is exact, and `name` alone stands for every version of it."""

from __future__ import annotations

from collections.abc import Collection

_SEPARATOR = "@"


def view_reference(name: str, version: int) -> str:
    """Spell a view version: the key under which timeline, registry and ledger know it."""
    return f"{name}{_SEPARATOR}{version}"


def view_name(reference: str) -> str:
    """The view of a reference; a name alone is its own."""
    return reference.partition(_SEPARATOR)[0]


def view_version(reference: str) -> int:
    """The version of a reference."""
    return int(reference.partition(_SEPARATOR)[2])


def reference_order(reference: str) -> tuple[str, int]:
    """Sort references by name, then by version as a number; names alone come first."""
    name, _, version = reference.partition(_SEPARATOR)
    return name, int(version or 0)


def is_meant(reference: str, spelling: str) -> bool:
    """True when what somebody wrote, `name` or `name@version`, stands for a view version."""
    return spelling in (reference, view_name(reference))


def short_reference(reference: str, known: Collection[str]) -> str:
    """Spell a view version for people: its name alone where no other version of it is known.

    Args:
        reference: The view version.
        known: References of all that it could be taken for; itself may be missing, then it keeps its version.
    """
    name = view_name(reference)
    return name if [one for one in known if view_name(one) == name] == [reference] else reference
