"""Sources: Delta tables that feature views read at a pinned version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from skewless.core.dtypes import DType, Timestamp
from skewless.core.names import checked_name, unique_names
from skewless.core.readiness import Marked, Within
from skewless.errors import DefinitionError


@dataclass(frozen=True, slots=True)
class DeltaSource:
    """A Delta table with an event time.

    Attributes:
        name: By which it is found.
        path: Folder of the table; a relative one lies under the offline store's root.
        event_timestamp: The column that says when a row was true in the world (timestamp). Transforms see it under
            the name `event_timestamp`.
        schema: Column → type of every column that transforms may use; others are not read.
        tie_break: Columns that order rows of equal event time, the greatest last.
        lateness: How long after its event a row may usually arrive; for freshness and reports, never a cut-off.
        ready: What has to be seen of it before a tick over it is due: Within(hours(6)) of the newest event, or
            Marked("raw/done"); None takes it as always ready.
        description: For people.
        owner: Team or address.
    """

    name: str
    path: str
    event_timestamp: str
    schema: Mapping[str, DType] = field(hash=False)
    tie_break: tuple[str, ...] = ()
    lateness: timedelta = timedelta(0)
    ready: Within | Marked | None = None
    description: str = ""
    owner: str = ""

    def __post_init__(self) -> None:
        checked_name(self.name, what="Source")
        unique_names(self.tie_break, what="Tie-break column", where=f"source '{self.name}'")
        if self.schema.get(self.event_timestamp) != Timestamp:
            message = (
                f"Source '{self.name}' needs its event time '{self.event_timestamp}' in its schema, "
                f"as a Timestamp (it is {self.schema.get(self.event_timestamp)})."
            )
            raise DefinitionError(message)
        unknown = [column for column in self.tie_break if column not in self.schema]
        if unknown:
            raise DefinitionError(f"Source '{self.name}' breaks ties by {unknown}, which its schema does not have.")
