"""What `apply` would do to the registry, as a value that people and programs can read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, NamedTuple

from skewless.core.time import format_duration, format_instant, from_us

Kind = Literal["entity", "source", "view", "service"]
Action = Literal["add", "change", "remove"]

_SIGNS = {"add": "+", "change": "~", "remove": "-"}
_INSTANTS = frozenset({"start_us"})
_LONGEST_VALUE = 80


class FieldChange(NamedTuple):
    """One field that differs; None where a side has no such field."""

    path: str
    old: object
    new: object

    def __str__(self) -> str:
        """`aggregates.spend_7d.over: 7 d → 30 d`."""
        name = self.path.rpartition(".")[2]
        old, new = _short(_value_words(name, self.old), _value_words(name, self.new))
        return f"{self.path.removesuffix('_us')}: {old} → {new}"


@dataclass(frozen=True, slots=True)
class Change:
    """One definition that differs from the applied one.

    Attributes:
        kind: entity, source, view or service.
        name: Its name.
        action: add, change or remove.
        changes_values: True when values differ under a name (of a view: name and version) that was applied before.
        old_version: Of the applied view; None for other kinds and what is added.
        new_version: Of the view to be applied; None for other kinds and what is removed.
        fields: What differs, ordered by path; of an added view version from the version before it.
        refused: Why it must not be applied; None when it may.
        note: More for people: the size of what is added, what follows from a change.
    """

    kind: Kind
    name: str
    action: Action
    changes_values: bool = False
    old_version: int | None = None
    new_version: int | None = None
    fields: tuple[FieldChange, ...] = ()
    refused: str | None = None
    note: str = ""

    def describe(self) -> Iterator[str]:
        """Its lines: what happens, the fields when there are several, and why it is refused."""
        head = f"{_SIGNS[self.action]} {self.kind} {self.name}{self._versions()}"
        effect = "values change" if self.changes_values else "values unchanged"
        if self.action != "change":
            yield f"{head} ({self.note})" if self.note else head
            yield from (f"    {one}" for one in self.fields)
        elif len(self.fields) == 1:
            yield f"{head} ({effect}: {self.fields[0]})"
        else:
            yield f"{head} ({effect})"
            yield from (f"    {one}" for one in self.fields)
        if self.action == "change" and self.note:
            yield f"    note: {self.note}"
        if self.refused is not None:
            yield f"    refused: {self.refused}"

    def to_json(self) -> dict[str, object]:
        """Its JSON form."""
        return {
            "kind": self.kind,
            "name": self.name,
            "action": self.action,
            "changes_values": self.changes_values,
            "old_version": self.old_version,
            "new_version": self.new_version,
            "fields": [{"path": one.path, "old": one.old, "new": one.new} for one in self.fields],
            "refused": self.refused,
            "note": self.note,
        }

    def _versions(self) -> str:
        versions = [f"v{version}" for version in (self.old_version, self.new_version) if version is not None]
        return f" {' → '.join(dict.fromkeys(versions))}" if versions else ""


@dataclass(frozen=True, slots=True)
class DefinitionPlan:
    """Every change, in the order entities, sources, views, services, and by name within each.

    Attributes:
        changes: What differs.
        warnings: What may be applied but should be looked at.
    """

    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """True when the definitions are what was applied."""
        return not self.changes

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why it must not be applied; empty when it may."""
        return tuple(change.refused for change in self.changes if change.refused is not None)

    def describe(self) -> list[str]:
        """The lines that people read."""
        lines = [line for change in self.changes for line in change.describe()]
        return [*lines, *(f"warning: {warning}" for warning in self.warnings)]

    def to_json(self) -> dict[str, object]:
        """Its JSON form; equal plans have equal ones."""
        return {
            "changes": [change.to_json() for change in self.changes],
            "warnings": list(self.warnings),
            "refused": bool(self.refusals),
        }


def duration_words(duration_us: int) -> str:
    """A duration in words which say all of it: `30 d`, `1 d 12 h`, `90061000001 µs`."""
    words = format_duration(timedelta(microseconds=duration_us))
    unit_us = {"d": 86_400_000_000, "h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000}
    pairs = words.removeprefix("-").split()
    said = sum(int(count) * unit_us[unit] for count, unit in zip(pairs[::2], pairs[1::2], strict=True))
    return words if said == abs(duration_us) else f"{duration_us} µs"


def schedule_words(every_us: int, offset_us: int) -> str:
    """`daily`, `hourly`, `every 6 h`, `daily at +2 h`."""
    names = {3_600_000_000: "hourly", 86_400_000_000: "daily", 604_800_000_000: "weekly"}
    words = names.get(every_us, f"every {duration_words(every_us)}")
    return f"{words} at +{duration_words(offset_us)}" if offset_us else words


def _value_words(name: str, value: object) -> str:
    if value is None:
        return "none"
    if name.endswith("_us") and isinstance(value, int):
        return format_instant(from_us(value)) if name in _INSTANTS else duration_words(value)
    return str(value) if str(value) else "''"


def _short(old: str, new: str) -> tuple[str, str]:
    """Two texts on one line each; long ones around the first place in which they differ."""
    if max(len(old), len(new)) <= _LONGEST_VALUE:
        return " ".join(old.split()), " ".join(new.split())
    pairs = zip(old, new, strict=False)
    same = next((at for at, (left, right) in enumerate(pairs) if left != right), min(len(old), len(new)))
    first = max(0, same - _LONGEST_VALUE // 4)

    def excerpt(text: str) -> str:
        middle = " ".join(text[first : first + _LONGEST_VALUE].split())
        return f"{'…' if first else ''}{middle}{'…' if first + _LONGEST_VALUE < len(text) else ''}"

    return excerpt(old), excerpt(new)
