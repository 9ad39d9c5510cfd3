"""Entities: the kinds of things that features describe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from skewless.core.dtypes import DType
from skewless.core.names import checked_name
from skewless.errors import DefinitionError


@dataclass(frozen=True, slots=True)
class Entity:
    """A kind of thing and the typed columns that identify one of it.

    Attributes:
        name: By which it is found.
        keys: Column name → type, in key order. Types with doubtful equality (floats, decimals, timestamps) are refused.
        description: For people.
        owner: Team or address.
    """

    name: str
    keys: Mapping[str, DType] = field(hash=False)
    description: str = ""
    owner: str = ""

    def __post_init__(self) -> None:
        checked_name(self.name, what="Entity")
        if not self.keys:
            raise DefinitionError(f"Entity '{self.name}' has no keys. Name at least one column that identifies it.")
        for key, dtype in self.keys.items():
            checked_name(key, what=f"Key of entity '{self.name}':")
            if not dtype.is_key:
                message = (
                    f"Key '{key}' of entity '{self.name}' is {dtype}, whose equality leaves doubt. "
                    "Use bool, int32, int64, string, bytes or date."
                )
                raise DefinitionError(message)

    @property
    def key_names(self) -> tuple[str, ...]:
        """The key columns in order."""
        return tuple(self.keys)
