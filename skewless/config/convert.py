"""Raw values of files and variables, turned into the types that the settings declare."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from skewless.config.settings import Secret
from skewless.core.time import parse_duration
from skewless.errors import ConfigError, UsageError


@dataclass(frozen=True, slots=True)
class Given:
    """A raw value and where it was said, which every message about it repeats."""

    value: Any
    source: str
    """`conf/base.toml: [online] port`, or the name of the variable."""
    is_text: bool = False
    """True for an environment variable, whose numbers arrive as text."""

    def refusal(self, reason: str) -> ConfigError:
        """The error about this value."""
        return ConfigError(f"{self.source} {reason}")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a secret may be read from."""

    home: Path
    environ: Mapping[str, str]


def convert(given: Given, wanted: Any, around: Surroundings) -> Any:
    """Return the value as the type `wanted`.

    Args:
        given: The raw value.
        wanted: A type of the closed set that `settings` uses.
        around: Where secrets come from.

    Raises:
        ConfigError: The value does not fit the type.
    """
    origin = get_origin(wanted)
    if origin in (Union, UnionType):
        if given.is_text and given.value.strip().lower() in ("", "none"):
            return None
        return convert(given, next(kind for kind in get_args(wanted) if kind is not type(None)), around)
    if origin is Literal:
        return _choice(given, get_args(wanted))
    if wanted is Secret:
        return _secret(given, around)
    return _PLAIN[origin or wanted](given)


def check_bounds(given: Given, value: Any, bounds: Mapping[str, Any]) -> None:
    """Refuse a value outside the bounds that its field declares.

    Raises:
        ConfigError: It is below, above or off the pattern.
    """
    low, high, pattern = bounds.get("low"), bounds.get("high"), bounds.get("pattern")
    if value is None:
        return
    if low is not None and value < low:
        raise given.refusal(f"is {given.value}, which is below the least value {low}. Raise it.")
    if high is not None and value > high:
        raise given.refusal(f"is {given.value}, which is above the greatest value {high}. Lower it.")
    if pattern is not None and not re.fullmatch(pattern, value):
        raise given.refusal(f"is {given.value!r}, which does not match the pattern {pattern}. Rename it.")


def _choice(given: Given, choices: tuple[str, ...]) -> str:
    if given.value not in choices:
        raise given.refusal(f"is {given.value!r}. Choose one of: {', '.join(choices)}.")
    return str(given.value)


def _secret(given: Given, around: Surroundings) -> Secret:
    if given.is_text:
        return Secret(given.value)
    match given.value:
        case {"env": str(name), **rest} if not rest:
            return _secret_of_variable(given, name, around)
        case {"file": str(name), **rest} if not rest:
            return _secret_of_file(given, around.home / Path(name).expanduser())
    # the raw value stays out of the message: it may be a password
    raise given.refusal('must not stand in a file. Write { env = "NAME" } or { file = "path" } in its place.')


def _secret_of_variable(given: Given, name: str, around: Surroundings) -> Secret:
    value = around.environ.get(name)
    if not value:
        raise given.refusal(
            f"comes from the environment variable {name}, which is not set. Export {name} and try again."
        )
    return Secret(value)


def _secret_of_file(given: Given, path: Path) -> Secret:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise given.refusal(
            f"comes from the file {path}, which cannot be read ({reason}). Create it, or correct the path."
        ) from None
    if not text:
        raise given.refusal(f"comes from the file {path}, which is empty. Put the secret on its first line.")
    return Secret(text)


def _text(given: Given) -> str:
    if not isinstance(given.value, str):
        raise given.refusal(f"is {given.value!r}. Write a text in quotes.")
    return given.value


def _path(given: Given) -> Path:
    return Path(_text(given)).expanduser()


def _whole(given: Given) -> int:
    if given.is_text and re.fullmatch(r"[+-]?\d+", given.value.strip()):
        return int(given.value)
    if not isinstance(given.value, int) or isinstance(given.value, bool):
        raise given.refusal(f"is {given.value!r}. Write a whole number, without quotes in a file.")
    return given.value


def _number(given: Given) -> float:
    if given.is_text and re.fullmatch(r"[+-]?\d+(\.\d+)?", given.value.strip()):
        return float(given.value)
    if not isinstance(given.value, int | float) or isinstance(given.value, bool):
        raise given.refusal(f"is {given.value!r}. Write a number, without quotes in a file.")
    return float(given.value)


def _duration(given: Given) -> timedelta:
    if isinstance(given.value, str):
        thousandths = re.fullmatch(r"\s*(\d+)\s*ms\s*", given.value)
        if thousandths:
            return timedelta(milliseconds=int(thousandths.group(1)))
        with suppress(UsageError):
            return parse_duration(given.value)
    raise given.refusal(f'is {given.value!r}. Write a duration in quotes, such as "400d", "36h", "5m", "2s" or "50ms".')


def _texts(given: Given) -> tuple[str, ...]:
    value = given.value
    if given.is_text:
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list) or not value or not all(isinstance(part, str) for part in value):
        raise given.refusal(
            f'is {given.value!r}. Write a list of texts that is not empty, such as ["10.0.0.1", "10.0.0.2"].'
        )
    return tuple(value)


def _table(given: Given) -> Mapping[str, str]:
    if given.is_text or not isinstance(given.value, dict):
        raise given.refusal("is a table of texts and can be set in a file only.")
    for key, value in given.value.items():
        if not isinstance(value, str):
            raise given.refusal(
                f'has the key "{key}" with {value!r}. Write it as "{key}" = "text", with both in quotes.'
            )
    return MappingProxyType(dict(given.value))


_PLAIN: dict[Any, Callable[[Given], Any]] = {
    str: _text,
    Path: _path,
    int: _whole,
    float: _number,
    timedelta: _duration,
    tuple: _texts,
    Mapping: _table,
}
