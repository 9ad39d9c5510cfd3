"""The options that commands share, and what their texts mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

import skewless
from skewless.core.dtypes import DType
from skewless.core.time import parse_instant
from skewless.errors import UsageError

_INT_BITS = {"int32": 31, "int64": 63}
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

Text = str | None

Views = Annotated[
    list[str] | None,
    typer.Argument(metavar="VIEW", help="Views: NAME for all its versions, or NAME@2; all when none is named."),
]
Service = Annotated[str, typer.Argument(metavar="SERVICE", help="A feature service; `skewless list` shows them.")]
Through = Annotated[Text, typer.Option(metavar="T", help="Last tick to evaluate, included: 2017-10-02 or …T06:00Z.")]
Now = Annotated[Text, typer.Option(metavar="T", help="First move the replay clock to T; replay environments only.")]
Accept = Annotated[
    list[str] | None,
    typer.Option(metavar="CHECK=REASON", help="Publish although this check fails, and record why. Repeatable."),
]
Conf = Annotated[Text, typer.Option("--conf", metavar="DIR", help="The folder of settings; default ./conf.")]
Env = Annotated[Text, typer.Option("--env", metavar="NAME", help="Environment; default $SKEWLESS_ENV or demo.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else there.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the stack of a defect, and what the engines say.")]


@dataclass(frozen=True, slots=True)
class Choices:
    """The options that every command has.

    Attributes:
        conf: The folder of settings; None looks for it.
        env: The environment; None takes the default.
        as_json: Output for machines.
        debug: Stacks and engine noise are shown.
        owns_process: The process runs this command and nothing else, so that its file descriptors may be moved.
    """

    conf: str | None = None
    env: str | None = None
    as_json: bool = False
    debug: bool = False
    owns_process: bool = False

    def over(self, before: Choices | None) -> Choices:
        """These, said after the command, over those said before it."""
        if before is None:
            return self
        return Choices(
            self.conf or before.conf,
            self.env or before.env,
            self.as_json or before.as_json,
            self.debug or before.debug,
            self.owns_process or before.owns_process,
        )


def conf_folder(stated: str | None) -> Path:
    """The folder of settings: the stated one, else the nearest `conf` from here upwards, else the checkout's."""
    if stated is not None:
        return Path(stated)
    here = Path.cwd()
    checkout = Path(skewless.__file__).resolve().parent.parent
    places = [folder / "conf" for folder in (here, *here.parents, checkout)]
    return next((place for place in places if (place / "base.toml").is_file()), Path("conf"))


def instant(text: str | None) -> datetime | None:
    """A time, or None for none.

    Raises:
        UsageError: It is no time, or has no zone.
    """
    return None if text is None else parse_instant(text)


def reasons(pairs: Iterable[str] | None) -> dict[str, str]:
    """`CHECK=REASON` texts as check → reason.

    Raises:
        UsageError: A text has no reason.
    """
    found = dict(_pair(text, wanted="CHECK=REASON") for text in pairs or ())
    empty = [check for check, reason in found.items() if not reason.strip()]
    if empty:
        raise UsageError(
            f"Check '{empty[0]}' is accepted without a reason. Write --accept '{empty[0]}=why it is right'."
        )
    return found


def typed_keys(pairs: Iterable[str], wanted: Mapping[str, DType], *, service: str) -> dict[str, object]:
    """`KEY=VALUE` texts as key → value of the key's type.

    Args:
        pairs: The texts.
        wanted: Key column → type.
        service: Named in messages.

    Raises:
        UsageError: A key is missing, unknown or given twice, or a value is of another type.
    """
    split = [_pair(text, wanted="KEY=VALUE") for text in pairs]
    given = dict(split)
    expected = " ".join(f"{key}=<{dtype}>" for key, dtype in wanted.items())
    if len(given) < len(split):
        raise UsageError(f"A key is given twice. Service '{service}' is asked by {expected}.")
    if set(given) != set(wanted):
        raise UsageError(f"Service '{service}' is asked by {expected}, not by {', '.join(sorted(given)) or 'nothing'}.")
    return {key: _typed(key, given[key], dtype) for key, dtype in wanted.items()}


def _pair(text: str, *, wanted: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise UsageError(f"'{text}' is not {wanted}. Write it with an equals sign between the two.")
    return name, value


def _typed(key: str, text: str, dtype: DType) -> object:
    try:
        return _PARSERS[dtype.kind](text, dtype)
    except (ValueError, KeyError):
        raise UsageError(f"Key '{key}' is {_EXPECTED[dtype.kind]}, and '{text}' is not.") from None


def _whole(text: str, dtype: DType) -> int:
    value = int(text)
    bound = 1 << _INT_BITS[dtype.kind]
    if "_" in text or not -bound <= value < bound:
        raise ValueError(text)
    return value


_PARSERS: Mapping[str, Callable[[str, DType], object]] = {
    "int32": _whole,
    "int64": _whole,
    "string": lambda text, _: text,
    "bool": lambda text, _: _TRUTH[text.lower()],
    "date": lambda text, _: date.fromisoformat(text),
    "bytes": lambda text, _: bytes.fromhex(text.removeprefix("0x")),
}

_EXPECTED = {
    "int32": "a whole number of 32 bits",
    "int64": "a whole number of 64 bits",
    "string": "a text",
    "bool": "true or false",
    "date": "a date such as 2017-10-02",
    "bytes": "bytes in hexadecimal such as 0aff",
}
