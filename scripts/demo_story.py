"""How the demo tells what it does: a line per stage with its time, the figures at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.table import Table

from skewless.core.run_record import RunRecord


class Story:
    """Prints to standard output; on a terminal with a spinner that shows the step in progress."""

    def __init__(self, *, verbose: bool = False) -> None:
        """Tell every step when verbose, else only stages."""
        self._verbose = verbose
        self._begun = perf_counter()
        self._console = Console(highlight=False, soft_wrap=True)
        self._status: Any = None

    def line(self, text: str) -> None:
        """One line."""
        self._console.print(text, markup=False)

    def detail(self, text: str) -> None:
        """One step within a stage: beside the spinner on a terminal, elsewhere only when verbose."""
        if self._verbose:
            self.line(f"  [{perf_counter() - self._begun:6.1f}] {text}")
        if self._status is not None:
            self._status.update(f"  {text}")

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """A stage: its title while it runs, with its time when it is done."""
        begun = perf_counter()
        if self._console.is_terminal:
            with self._console.status(f"  {title}…") as self._status:
                yield
            self._status = None
        else:
            yield
        self._console.print(f"{perf_counter() - begun:7.1f} s  {title}", markup=False)

    def run(self, record: RunRecord) -> None:
        """What a run did to each view."""
        for view in record.views:
            counts = view.counts
            said = ", ".join(
                f"{counts[kind]:,} {kind}" for kind in ("new", "corrected", "retracted") if counts.get(kind)
            )
            pushed = f", {view.pushed:,} entities pushed" if view.pushed else ""
            self.line(f"             {view.view}: {said or view.outcome}{pushed}")

    def conclusion(self, summary: Mapping[str, Any]) -> None:
        """The evidence."""
        parity, reads, leaks = summary["parity"], summary["served_reads"], summary["leaks"]
        worst = max(leaks["features"], key=lambda one: one["rows"])
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        values = ", ".join(f"{view} {rows:,}" for view, rows in summary["value_rows"].items())
        simulated = max(summary["simulated_rows"].values(), default=0)
        rows = (
            ("source rows", f"{summary['source_rows'].get('transactions', 0):,} purchases"),
            ("value rows", values),
            ("published", f"{summary['generations']} generations in {summary['revisions']} revisions"),
            (
                "training set",
                f"{summary['training_rows']:,} rows in {summary['training_seconds']} s → {summary['training']}",
            ),
            ("", f"{simulated:,} of them from before the first publish (simulated)"),
            ("manifest", summary["manifest"]),
            ("leaks avoided", f"{leaks['leaking']:,} of {leaks['compared']:,} rows differ in a join by event time"),
            ("", f"most of them in {worst['feature']}: {worst['rows']:,} rows"),
            ("push", f"{summary['push_rows']:,} entities, {summary['push_rows_per_second'] or 0:,} per second"),
            ("online read", f"p50 {summary['online_p50_ms']} ms, p99 {summary['online_p99_ms']} ms (3 views)"),
            ("batch of 100", f"p50 {summary['online_batch_p50_ms']} ms"),
            ("logged reads", f"{reads['replayed']:,} replayed offline: {reads['differences']} differences"),
            ("parity", f"{parity['sampled']:,} entities compared: {parity['mismatches']} mismatches"),
            ("certificate", parity["certificate"]),
            ("report", summary["report"]),
        )
        for name, text in rows:
            table.add_row(name, text)
        self.line("")
        self._console.print(table)
        self.line("")
        self.line(f"The virtual clock stands at {summary['clock']}. Try:")
        for command in (
            "skewless get churn_v1 household_id=1",
            "skewless get churn_v1 household_id=1 --at 2017-10-12T09:00Z",
            "skewless show household_spend",
            "skewless status",
        ):
            self.line(f"  .venv/bin/{command}")
        self.line("")
