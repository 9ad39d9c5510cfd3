"""Readiness: what has to be seen of a source before a tick over it is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from skewless.core.time import format_duration
from skewless.errors import DefinitionError


@dataclass(frozen=True, slots=True)
class Within:
    """Ready for a tick when the source's newest event lies at most `distance` before it.

    For sources that never fall silent: a till that sold nothing for that long is taken for a till that is late.
    """

    distance: timedelta

    def __post_init__(self) -> None:
        if self.distance < timedelta(0):
            raise DefinitionError(f"Within({self.distance}) would wait for events after the tick. Use 0 or more.")

    def __str__(self) -> str:
        return f"newest event within {format_duration(self.distance)} of the tick"


@dataclass(frozen=True, slots=True)
class Marked:
    """Ready for a tick when a row of a marker table says that the source is complete up to it, or further.

    Attributes:
        path: Folder of the Delta table that the upstream job appends to; a relative one lies under the offline
            store's root.
        column: Its timestamp column; the greatest value counts.
    """

    path: str
    column: str = "complete_through"

    def __str__(self) -> str:
        return f"marked complete in {self.path} ({self.column})"
