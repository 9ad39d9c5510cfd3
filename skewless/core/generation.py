"""Generations: numbered materializations and the states that they pass through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from skewless.core.reference import view_reference
from skewless.errors import ConfigError


class GenerationState(str, Enum):
    """Where a generation stands; it only ever moves down this list, and the states of `is_end` are ends.

    PLANNED: numbered, its inputs pinned. UNCHANGED: evaluated, no value differs, no row was written. MATERIALIZED: in
    history and served, invisible. VALIDATED: the gate accepted it. WRITING, WRITTEN: its served rows are on their way
    to, or all in, the online store. VERIFIED: read back equal. PUBLISHED: a revision points at it. REFUSED: the gate
    said no before anything was pushed. ABORTING, PURGED: given up; its rows are being, or have been, taken out of the
    online store again.
    """

    PLANNED = "PLANNED"
    UNCHANGED = "UNCHANGED"
    MATERIALIZED = "MATERIALIZED"
    VALIDATED = "VALIDATED"
    WRITING = "WRITING"
    WRITTEN = "WRITTEN"
    VERIFIED = "VERIFIED"
    PUBLISHED = "PUBLISHED"
    REFUSED = "REFUSED"
    ABORTING = "ABORTING"
    PURGED = "PURGED"

    @property
    def rank(self) -> int:
        """Its place in the list."""
        return list(GenerationState).index(self)

    @property
    def is_end(self) -> bool:
        """True when nothing follows."""
        return self in _ENDS


_ENDS = {GenerationState.UNCHANGED, GenerationState.PUBLISHED, GenerationState.REFUSED, GenerationState.PURGED}


@dataclass(frozen=True, slots=True)
class Chunks:
    """The range of a backfill, which is evaluated chunk by chunk.

    Attributes:
        after_us: It begins after this instant.
        until_us: It ends at this one, included.
        length_us: Of a chunk; the last one may be shorter.
        done: How many chunks are in history.
    """

    after_us: int
    until_us: int
    length_us: int
    done: int = 0

    @property
    def count(self) -> int:
        """How many chunks there are."""
        return -(-(self.until_us - self.after_us) // self.length_us)

    def range_us(self, number: int) -> tuple[int, int]:
        """The instants after which, and until which, a chunk goes; they are counted from 0."""
        first = self.after_us + number * self.length_us
        return first, min(first + self.length_us, self.until_us)


@dataclass(frozen=True, slots=True)
class Generation:
    """One materialization of one view version.

    Attributes:
        number: Microseconds, strictly increasing per project; the instant at which it was started.
        view: The view.
        version: Its version.
        table: Its Cassandra table.
        state: Where it stands.
        through_us: Tick through which it was evaluated; for a RowView its own start.
        fingerprint: Of the definition that computed it.
        sources: Source name → pinned Delta version.
        source_ids: Source name → identity of the table that had that version.
        history_version: Delta version of history that holds its rows; until there are any, the one it was planned on.
        served_version: Delta version of served that holds its rows; until there are any, the one it was planned on.
        run_id: The run that made it.
        kind: materialize, backfill, revert; or restored, of which only what readers were told is known.
        counts: What was read, used, set aside, written.
        chunks: The range of a backfill, and how far it is.
    """

    number: int
    view: str
    version: int
    table: str
    state: GenerationState
    through_us: int
    fingerprint: str
    sources: Mapping[str, int] = field(hash=False)
    source_ids: Mapping[str, str] = field(hash=False)
    history_version: int = -1
    served_version: int = -1
    run_id: str = ""
    kind: str = "materialize"
    counts: Mapping[str, int] = field(default_factory=dict, hash=False)
    chunks: Chunks | None = None

    @property
    def progress(self) -> tuple[int, int]:
        """Of two records of a generation the one of greater progress is the newer."""
        return self.state.rank, self.chunks.done if self.chunks else 0

    @property
    def reference(self) -> str:
        """Its view version, as `name@version`."""
        return view_reference(self.view, self.version)


def next_number(previous: int, *, now_us: int, skew_us: int) -> int:
    """The number of the next generation: the clock, but always greater than the one before.

    Args:
        previous: The greatest number so far, 0 when there is none.
        now_us: The clock.
        skew_us: How far the clock may lie behind the last generation.

    Raises:
        ConfigError: The clock lies further behind: a number far ahead of its time would admit events of the future.
    """
    if now_us < previous - skew_us:
        seconds = (previous - now_us) // 1_000_000
        message = (
            f"The clock lies {seconds} s behind the last generation, more than the allowed "
            f"{skew_us // 1_000_000} s. Set this machine's clock, or wait."
        )
        raise ConfigError(message)
    return max(previous + 1, now_us)


def newest_states(records: Iterable[Generation]) -> tuple[Generation, ...]:
    """The newest record of each generation, by number."""
    newest: dict[int, Generation] = {}
    for record in records:
        held = newest.get(record.number)
        if held is None or record.progress > held.progress:
            newest[record.number] = record
    return tuple(newest[number] for number in sorted(newest))
