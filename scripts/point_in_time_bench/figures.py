"""From times to figures; pure."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FLOOR = "floor"
AS_SERVED = "as_served_"
Figures = dict[str, Any]


@dataclass
class Measured:
    """What was measured of one case.

    Attributes:
        seconds: Method → its times, the floor's among them.
        peaks: Method → the greatest memory, bytes.
        void: Method → why it has no time.
    """

    seconds: dict[str, list[float]] = field(default_factory=dict)
    peaks: dict[str, int] = field(default_factory=dict)
    void: dict[str, str] = field(default_factory=dict)

    def add(self, method: str, seconds: float, peak: int) -> None:
        """One round of a method."""
        self.seconds.setdefault(method, []).append(seconds)
        self.peaks[method] = max(self.peaks.get(method, 0), peak)

    def figures(self, order: Collection[str]) -> Figures:
        """Medians, ratios and peaks.

        Args:
            order: The methods as they are to be told, the floor among them.

        Returns:
            `floor_s`, `floor_mb`, then per method `s`, `ratio` to the floor and `mb`; of an as-served join also
            `of_event_time`, the ratio to the same engine's event-time join. A method without a time has `void` alone.
        """
        middle = {name: statistics.median(times) for name, times in self.seconds.items() if name not in self.void}
        found: Figures = {"floor_s": round(middle[FLOOR], 2), "floor_mb": self._megabytes(FLOOR)}
        for name in order:
            if name == FLOOR:
                continue
            found[name] = self._of(name, middle) if name in middle else {"void": self.void.get(name, "not measured")}
        return found

    def _of(self, name: str, middle: Mapping[str, float]) -> Figures:
        told: Figures = {
            "s": round(middle[name], 2),
            "ratio": round(middle[name] / middle[FLOOR], 3),
            "mb": self._megabytes(name),
        }
        plain = name.removeprefix(AS_SERVED)
        if plain != name and plain in middle:
            told["of_event_time"] = round(middle[name] / middle[plain], 3)
        return told

    def _megabytes(self, name: str) -> int:
        return self.peaks[name] >> 20


def differing(checksums: Mapping[str, object], groups: Mapping[str, str]) -> dict[str, str]:
    """Why methods are void: their rows are not those of the first method of their group.

    Args:
        checksums: Method → the number of its rows and their checksum; the product's own methods first.
        groups: Method → what it answers; only methods that answer the same are compared.
    """
    first: dict[str, object] = {}
    found = {}
    for name, told in checksums.items():
        if first.setdefault(groups[name], told) != told:
            found[name] = f"its rows differ: {told} instead of {first[groups[name]]}"
    return found


def sizes(rows: int) -> Sequence[int]:
    """The sizes at which growth is measured: 1, 3, 10 and 30 million rows when a case has 10 million."""
    return tuple(max(rows * tenths // 10, 1) for tenths in (1, 3, 10, 30))
