"""Timelines: what a reader saw of the revisions, poll by poll → the revision in force, and whether it is confirmed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

_INTERVAL_MS = 1000
#: A poll that got no answer.
SILENT = "silent"
_Revisions = tuple[int, ...]


class Step(NamedTuple):
    """A moment in a reader's life.

    Attributes:
        at_ms: By a clock that never jumps.
        now_us: By the clock that decides which revision is in force.
        shows: How many revisions the replica that was polled knew; `silent`; None when nothing is polled.
    """

    at_ms: int
    now_us: int
    shows: int | str | None = None


#: Name, the instants at which revisions 1, 2, 3, … come into force, what happens.
_CASES: tuple[tuple[str, _Revisions, tuple[Step, ...]], ...] = (
    ("nothing is published", (), (Step(0, 50, 0), Step(1000, 60, 0), Step(3001, 61))),
    ("the switch is at the instant itself", (100, 200), (Step(0, 99, 2), Step(1, 100), Step(2, 199), Step(3, 200))),
    ("the next revision is held before its time", (100, 200), (Step(0, 150, 1), Step(1000, 160, 2), Step(1500, 200))),
    ("a rollback is a revision like others", (100, 200, 300), (Step(0, 250, 2), Step(900, 260, 3), Step(901, 300))),
    (
        "a silent store stops nothing, and after two intervals nothing is confirmed",
        (100, 200),
        (Step(0, 150, 2), Step(1000, 160, SILENT), Step(2000, 200, SILENT), Step(2001, 201), Step(2500, 202, 2)),
    ),
    (
        "a replica that lags changes nothing and confirms nothing",
        (100, 200, 300),
        (Step(0, 250, 3), Step(1000, 310, 2), Step(2000, 320), Step(2001, 330, 2), Step(2002, 340, 3)),
    ),
    (
        "an empty replica confirms nothing once a revision is held",
        (100,),
        (Step(0, 150, 1), Step(2001, 160, 0), Step(2002, 170, 1)),
    ),
    (
        "revisions that were missed come from the log",
        (100, 200, 300, 400, 500),
        (Step(0, 150, 1), Step(9000, 250, 5), Step(9001, 300), Step(9002, 400), Step(9003, 500)),
    ),
    (
        "a reader that begins before both rows of the snapshot reads the log",
        (100, 200, 300, 400),
        (Step(0, 150, 4), Step(1, 250), Step(2, 400)),
    ),
    (
        "a reader that begins late needs no log",
        (100, 200, 300, 400),
        (Step(0, 350, 4), Step(1, 400)),
    ),
    ("before the first instant nothing is in force", (100,), (Step(0, 99, 1), Step(1, 100))),
)  # fmt: skip


def timeline_cases() -> Iterator[dict[str, Any]]:
    """Every case, step by step."""
    for name, instants, steps in _CASES:
        yield {
            "name": name,
            "interval_ms": _INTERVAL_MS,
            "revisions": [[str(number), str(instant)] for number, instant in enumerate(instants, 1)],
            "steps": list(_lived(instants, steps)),
        }


def _lived(instants: _Revisions, steps: tuple[Step, ...]) -> Iterator[dict[str, Any]]:
    known, confirmed_ms = 0, 0
    for step in steps:
        if isinstance(step.shows, int) and step.shows >= known:
            known, confirmed_ms = step.shows, step.at_ms
        in_force = sum(1 for instant in instants[:known] if instant <= step.now_us)
        yield {
            "at_ms": step.at_ms,
            "now_us": str(step.now_us),
            "shows": step.shows,
            "expected": {
                "in_force": str(in_force) if in_force else None,
                "unconfirmed": step.at_ms - confirmed_ms > 2 * _INTERVAL_MS,
            },
        }
