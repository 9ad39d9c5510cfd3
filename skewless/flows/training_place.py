"""Where a training set lies, and what lies beside it while it is being written."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skewless.core.manifest import format_of
from skewless.errors import LeaseHeld, UsageError

#: How the file ends that says what is being written.
UNFINISHED = ".unfinished.json"


@dataclass(frozen=True, slots=True)
class Place:
    """The path of a training set, and its neighbours.

    Attributes:
        out: The path, as it was given.
    """

    out: str

    def __post_init__(self) -> None:
        if "://" in self.out:
            raise UsageError(f"'{self.out}' is no path of a file system. Write to a folder that is mounted here.")
        if not self.rows.name:
            raise UsageError(f"'{self.out}' is no place for a training set. Name a folder of its own.")

    @property
    def rows(self) -> Path:
        """The folder of the rows."""
        path = Path(self.out)
        # `.` and `..` are folders of a name, too
        return path if path.name not in {"", ".."} else path.resolve()

    @property
    def manifest(self) -> Path:
        """What makes the rows a training set; it is written last."""
        return self._beside(".manifest.json")

    @property
    def summary(self) -> Path:
        """The page for people."""
        return self._beside(".summary.html")

    @property
    def plan(self) -> Path:
        """What is being written, and how far it came; there while it is not finished."""
        return self._beside(UNFINISHED)

    @property
    def unfinished(self) -> Path:
        """The folder of what is written and not yet in its place."""
        return self._beside(".unfinished")

    @property
    def file_format(self) -> str:
        """Of the rows: parquet or delta."""
        return format_of(self.out)

    @property
    def is_parquet(self) -> bool:
        """True when the rows are Parquet files of their own, not those of a Delta table."""
        return self.file_format == "parquet"

    def check(self) -> None:
        """Refuse a place where something lies that must not be replaced.

        Raises:
            UsageError: What lies there is no training set of ours, or one of the other format.
        """
        rows = self.rows
        is_ours = self.manifest.is_file() or self.plan.is_file()
        is_taken = rows.is_file() or (rows.is_dir() and any(rows.iterdir()))
        if is_taken and not is_ours:
            raise UsageError(f"'{self.out}' exists and is no training set of ours. Remove it, or name another place.")
        if is_taken and (rows / "_delta_log").is_dir() == self.is_parquet:
            raise UsageError(f"'{self.out}' is a training set of another format. Remove it, or name another place.")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from writing here.

        Raises:
            LeaseHeld: One does.
        """
        self.unfinished.mkdir(parents=True, exist_ok=True)
        folder = os.open(self.unfinished, os.O_RDONLY)
        try:
            # ended with the process, however that ends
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(folder)
            message = f"Another process is writing '{self.out}'. Wait for it, or name another place."
            raise LeaseHeld(message) from None
        try:
            yield
        finally:
            if not self.plan.is_file():
                shutil.rmtree(self.unfinished, ignore_errors=True)
            os.close(folder)

    def slice(self, number: int) -> Path:
        """The folder of one slice of Parquet files."""
        return self.unfinished / f"slice-{number:05}"

    def put_slices_in_place(self, slices: int) -> None:
        """Make the slices the training set; begun and killed, it is finished by the next call."""
        whole, replaced = self.unfinished / "whole", self.unfinished / "replaced"
        for folder in (self.slice(number) for number in range(slices)):
            if folder.is_dir():
                whole.mkdir(exist_ok=True)
                for file in folder.glob("*.parquet"):
                    file.rename(whole / file.name)
                shutil.rmtree(folder)
        if whole.is_dir():
            if self.rows.is_dir():
                self.rows.rename(replaced)
            whole.rename(self.rows)

    def read_plan(self) -> dict[str, Any] | None:
        """What was begun here and not finished."""
        if not self.plan.is_file():
            return None
        found: dict[str, Any] = json.loads(self.plan.read_text())
        return found

    def throw_away(self) -> None:
        """Forget what was begun and not finished."""
        self.plan.unlink(missing_ok=True)
        for left in self.unfinished.iterdir():
            shutil.rmtree(left)

    def _beside(self, ending: str) -> Path:
        return self.rows.with_name(f"{self.rows.name}{ending}")


def write_whole(path: Path, text: str) -> None:
    """Write a file so that nobody ever reads half of it."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """The same of a JSON document, spelled for people."""
    write_whole(path, json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n")
