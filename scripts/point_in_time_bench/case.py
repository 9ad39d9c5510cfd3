"""One case: its methods in interleaved rounds, and what comes of them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from measuring import peak_of

from point_in_time_bench.figures import FLOOR, Figures, Measured, differing
from point_in_time_bench.methods import Method, Void

#: Nobody is ended before that.
_SHORTEST_LIMIT_S = 60.0


@dataclass
class Case:
    """Methods that do the same work.

    Attributes:
        methods: The floor first, then the product's own, then the others.
        rounds: How often each is measured, after one round that warms up.
        patience: A method that takes so many times the floor's time is ended.
        measured: What was found.
    """

    methods: Sequence[Method]
    rounds: int
    patience: float
    measured: Measured = field(default_factory=Measured)

    def figures(self) -> Figures:
        """Measure, compare rows, and tell."""
        try:
            for number in range(self.rounds + 1):
                self._round(number)
            self._compare()
        finally:
            for method in self.methods:
                method.close()
        return self.measured.figures([method.name for method in self.methods])

    def _alive(self) -> list[Method]:
        return [method for method in self.methods if method.name not in self.measured.void]

    def _round(self, number: int) -> None:
        limit_s = None
        for method in self._alive():
            try:
                with peak_of(method.processes()) as peak:
                    took = method.seconds(limit_s)
            except Void as reason:
                self._give_up(method, reason)
                continue
            if method.name == FLOOR:
                limit_s = max(_SHORTEST_LIMIT_S, self.patience * took)
            if number:  # the first round warms up
                self.measured.add(method.name, took, peak())
            print(f"    {method.name:20} {took:7.2f} s", file=sys.stderr)

    def _compare(self) -> None:
        checksums: dict[str, object] = {}
        for method in self._alive():
            if not method.group:
                continue
            try:
                checksums[method.name] = method.checksum()
            except Void as reason:
                self._give_up(method, reason)
        self.measured.void |= differing(checksums, {method.name: method.group for method in self.methods})

    def _give_up(self, method: Method, reason: Void) -> None:
        self.measured.void[method.name] = str(reason)
        print(f"    {method.name:20} void: {reason}", file=sys.stderr)
