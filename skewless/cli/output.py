"""What a command prints: its result on stdout, everything else on stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from time import perf_counter
from typing import TYPE_CHECKING, Any

from skewless.core.time import format_duration
from skewless.errors import SkewlessError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress


_LEAST_LAST = 40
_GAP = 4


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings.

    Attributes:
        columns: The headings.
        rows: Cells, already as text.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def plain(self) -> str:
        """Aligned text, for pipes and logs."""
        pairs = [zip(line, self._widths(), strict=True) for line in (self.columns, *self.rows)]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in pair).rstrip() for pair in pairs)

    def least_width(self) -> int:
        """Columns of a terminal below which cells would be cut; the last cell of a row may be folded."""
        *fixed, last = self._widths()
        return sum(fixed) + _GAP * (len(fixed) + 1) + min(last, _LEAST_LAST)

    def _widths(self) -> list[int]:
        return [max(len(line[at]) for line in (self.columns, *self.rows)) for at in range(len(self.columns))]

    def rich(self) -> RenderableType:
        """The same for a terminal."""
        from rich import box
        from rich.table import Table as RichTable
        from rich.text import Text

        found = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in self.columns:
            found.add_column(column, overflow="fold", no_wrap=column != self.columns[-1])
        for row in self.rows:
            # Text, because a value such as [red] must not be read as markup
            found.add_row(*(Text(cell) for cell in row))
        return found


Part = str | Table


@dataclass
class Output:
    """Where a command speaks.

    Attributes:
        as_json: Results are one JSON document, and stdout holds nothing else.
        is_mute: No progress at all: spark-submit mixes stderr into stdout.
    """

    as_json: bool = False
    is_mute: bool = False
    _status: Progress | None = None
    _bar: Progress | None = None
    _line: str = ""
    _begun: float = field(default_factory=perf_counter)

    def show(self, payload: Any, parts: Iterable[Part]) -> None:
        """Print a result: the payload for machines, or the parts for people."""
        self.quieten()
        if self.as_json:
            _write(json.dumps(plain_value(payload), ensure_ascii=False, indent=2, allow_nan=False))
            return
        for part in parts:
            self._print(part)

    def say(self, line: str) -> None:
        """Take one line of progress; on a terminal one that ends with … shows how long it takes."""
        if self.is_mute:
            return
        if not sys.stderr.isatty():
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
            return
        self.quieten()
        is_under_way = line.endswith("…")
        if not is_under_way:
            sys.stderr.write(_dim(line))
        self._line, self._begun = line if is_under_way else "", perf_counter()
        self._status = _spinner(self._line or "Working…")

    def advance(self, done: int, total: int, line: str) -> None:
        """Show how far a piece of work came: a bar on a terminal, else a line."""
        if self.is_mute or not sys.stderr.isatty():
            self.say(line)
            return
        if self._bar is None:
            self.quieten()
            self._status = self._bar = _bar()
        (task,) = self._bar.task_ids
        self._bar.update(task, completed=done, total=total, description=_escaped(line))
        if done == total:
            self._line = line

    def quieten(self) -> None:
        """End the progress line, leaving what was done and how long it took."""
        if self._status is None:
            return
        self._status.stop()
        self._status = self._bar = None
        if self._line:
            sys.stderr.write(_dim(f"{self._line} {perf_counter() - self._begun:.1f} s"))

    def fail(self, kind: str, message: str, exit_code: int) -> None:
        """Say in one line why the command ends."""
        self.quieten()
        line = " ".join(message.split())
        if self.as_json:
            _write(json.dumps({"error": {"type": kind, "message": line, "exit_code": exit_code}}, ensure_ascii=False))
        if not self.is_mute:
            sys.stderr.write(f"skewless: {line}\n")

    def refuse(self, error: SkewlessError) -> None:
        """Say what an expected error says."""
        self.fail(type(error).__name__, str(error), error.exit_code)

    @staticmethod
    def _print(part: Part) -> None:
        if isinstance(part, str) or not sys.stdout.isatty():
            _write(part if isinstance(part, str) else part.plain())
            return
        from rich.console import Console

        # a terminal that is too narrow wraps lines itself, which is easier to read than cut names
        width = max(Console(file=sys.stdout).width, part.least_width())
        Console(file=sys.stdout, highlight=False, width=width).print(part.rich())


def plain_value(value: Any) -> Any:
    """A value as JSON can say it: times as ISO 8601, durations as seconds, bytes as hex, NaN and infinities by name."""
    if isinstance(value, dict):
        return {str(key): plain_value(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_value(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    for kinds, said in _SAID:
        if isinstance(value, kinds):
            return said(value)
    return value


def cell(value: Any) -> str:
    """A value as a table shows it."""
    if value is None:
        return "-"
    if isinstance(value, timedelta):
        return format_duration(value)
    return str(plain_value(value))


def _spinner(line: str) -> Progress:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("[dim]{task.description}"), TimeElapsedColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    progress.add_task(_escaped(line), total=None)
    progress.start()
    return progress


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), BarColumn(), TextColumn("[dim]{task.description}"), TimeElapsedColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    progress.add_task("", total=None)
    progress.start()
    return progress


def _escaped(line: str) -> str:
    from rich.markup import escape

    return escape(line)


def _dim(line: str) -> str:
    return f"\x1b[2m{line}\x1b[0m\n"


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


_SAID: tuple[tuple[Any, Any], ...] = (
    ((datetime, date), lambda value: value.isoformat()),
    (timedelta, lambda value: value.total_seconds()),
    ((bytes, bytearray), lambda value: value.hex()),
    (Decimal, str),
)
