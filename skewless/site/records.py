"""Frozen dataclasses to plain JSON and back, by their annotations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from math import isfinite
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """Dictionaries, lists, text, numbers, truth values and None; numbers that JSON lacks become text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (list, tuple)):
        return [to_plain(one) for one in value]
    return str(value) if isinstance(value, float) and not isfinite(value) else value


def from_plain(kind: type[T], stored: Mapping[str, Any]) -> T:
    """Read what `to_plain` wrote of a dataclass; names that it does not know are left out."""
    hints = get_type_hints(kind)
    return kind(**{name: _read(hints[name], stored[name]) for name in hints if name in stored})


def _read(hint: Any, value: Any) -> Any:
    if get_origin(hint) is tuple:
        return tuple(_read(get_args(hint)[0], one) for one in value)
    options = [one for one in get_args(hint) if is_dataclass(one)] if get_args(hint) else [hint]
    if isinstance(value, Mapping) and options and is_dataclass(options[0]):
        return from_plain(options[0], value)  # type: ignore[arg-type] # a dataclass is a type; mypy cannot see it
    return value
