"""Ages of values, in the bins that a training set counts them in."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

_MINUTE, _HOUR, _DAY = 60_000_000, 3_600_000_000, 86_400_000_000
#: Bins of a view whose values never are too old.
_EDGES = (
    *(0, _MINUTE, 10 * _MINUTE, _HOUR, 6 * _HOUR),
    *(count * _DAY for count in (1, 2, 4, 7, 14, 30, 90, 180, 365)),
)
#: Bins up to the ttl, and as many behind it.
TO_TTL = 10


def age_edges(ttl_us: int | None) -> tuple[int, ...]:
    """Where the bins begin, in microseconds; the last one has no end.

    With a ttl, ten equal bins end at it and ten more at twice of it: what lies at or above it is too old.
    """
    if ttl_us is None:
        return _EDGES
    return tuple(-(-ttl_us * step // TO_TTL) for step in range(2 * TO_TTL + 1))


def of_bins(at_or_above: Sequence[int]) -> tuple[int, ...]:
    """Rows per bin, from the rows at or above each bin's beginning."""
    return tuple(more - less for more, less in pairwise([*at_or_above, 0]))
