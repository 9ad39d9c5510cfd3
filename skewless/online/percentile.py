"""The 99th percentile, of which speculation and the push make what they do next."""

from __future__ import annotations

from collections.abc import Collection


def p99(durations: Collection[float]) -> float:
    """The 99th percentile of durations, a value that occurred; 0 of none."""
    ordered = sorted(durations)
    return ordered[int(0.99 * (len(ordered) - 1))] if ordered else 0.0
