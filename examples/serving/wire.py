"""Keys and vectors as text and JSON."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal

from skewless.core.dtypes import DType
from skewless.online import FeatureVector
from skewless.online.errors import BadKeys

_TRUTH = {"true": True, "false": False}


def typed_keys(types: Mapping[str, DType], given: Mapping[str, object]) -> dict[str, object]:
    """Turn texts into what the keys are: a date is 2017-10-02, bytes are base64, a truth value is true or false.

    What is no text stays as it is, and so does a name that is no key: the client says what is wrong with it.

    Raises:
        BadKeys: A text cannot be such a key.
    """
    return {
        name: _typed(name, value, types[name]) if isinstance(value, str) and name in types else value
        for name, value in given.items()
    }


def vector_json(vector: FeatureVector) -> dict[str, object]:
    """A vector's values, statuses and ages; a value that is not PRESENT is null."""
    return {
        "values": {name: plain(value) for name, value in vector.values.items()},
        "status": {name: status.value for name, status in vector.status.items()},
        "age_seconds": {view: plain(age) for view, age in vector.age.items()},
    }


def plain(value: object) -> object:
    """A value as JSON has it: NaN and infinities, which JSON has not, and decimals are texts; bytes are base64."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return str(value) if isinstance(value, Decimal) else value


def _typed(name: str, text: str, dtype: DType) -> object:
    try:
        return _PARSERS[dtype.kind](text)
    except (ValueError, KeyError):
        raise BadKeys(f"Key '{name}' is {dtype}, and {text!r} is not. Correct it.") from None


def _whole(text: str) -> int:
    # int() would take blanks, underscores and the digits of every script
    if re.fullmatch(r"[+-]?[0-9]{1,19}", text, flags=re.ASCII) is None:
        raise ValueError(text)
    return int(text)


_PARSERS: Mapping[str, Callable[[str], object]] = {
    "int32": _whole,
    "int64": _whole,
    "string": str,
    "bool": lambda text: _TRUTH[text.lower()],
    "date": date.fromisoformat,
    "bytes": lambda text: base64.b64decode(text, validate=True),
}
