"""Splits: which rows of a training set are for training, and which are kept for the test.

By keys, a row's side is decided by its keys alone, the same for ever: of each key column in the order of their names,
`name:type:length:value` is written one behind the other (the value as text, its length in bytes of UTF-8; bytes as
hexadecimal digits, truth values as true and false, dates as 2017-10-02), SHA-256 of it is taken, and its first 52 bits,
read as a number and divided by 2**52, are compared with the share: below it, the row is for the test.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from skewless.core.time import format_instant, from_us, parse_instant, to_us
from skewless.errors import UsageError

SPLIT = "split"
TRAIN, TEST = "train", "test"
#: Bits of the hash that decide, and the digits in hexadecimal that hold them.
BITS, DIGITS = 52, 13
_WHOLE: int = 2**BITS
_SHARE = re.compile(r"0?\.\d{1,15}")
_HOW = "Write time:2017-10-01 (rows before it train), key:0.2 (a fifth of the keys test) or key:user_id:0.2."


@dataclass(frozen=True, slots=True)
class Split:
    """How rows are parted.

    Attributes:
        at_us: By time: rows before this instant train, rows at or after it test. None: by keys.
        key: By keys: the one column that decides; None stands for all of the service.
        share: By keys: the share that tests, as it was written.
    """

    at_us: int | None = None
    key: str | None = None
    share: str = ""

    @staticmethod
    def parse(text: str) -> Split:
        """Read `time:2017-10-01`, `key:0.2` or `key:user_id:0.2`.

        Raises:
            UsageError: It is none of these.
        """
        kind, _, rest = text.strip().partition(":")
        if kind == "time" and rest:
            return Split(at_us=to_us(parse_instant(rest)))
        key, _, share = rest.rpartition(":")
        if kind != "key" or not _SHARE.fullmatch(share) or not Fraction(share):
            raise UsageError(f"'{text}' is no split. {_HOW}")
        return Split(key=key or None, share=share)

    @property
    def limit(self) -> int:
        """By keys: rows whose number is below it are for the test; exact, whatever the share."""
        return ceil(Fraction(self.share) * _WHOLE)

    def __str__(self) -> str:
        """The text that `parse` reads back."""
        if self.at_us is not None:
            return f"time:{from_us(self.at_us).isoformat().replace('+00:00', 'Z')}"
        return ":".join(("key", *([self.key] if self.key else []), self.share))

    @property
    def sentence(self) -> str:
        """What it does, for people."""
        if self.at_us is not None:
            return f"Rows before {format_instant(from_us(self.at_us))} are for training, the later ones for the test."
        keys = f"the values of {self.key}" if self.key else "the keys"
        return f"A share of {self.share} of {keys} is for the test, always the same ones."
