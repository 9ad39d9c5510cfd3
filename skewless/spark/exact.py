"""Values on their way from Spark to Python: pyspark gives timestamps without a zone, in that of the machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from skewless.core.dtypes import DType, Timestamp
from skewless.core.time import from_us


def leaving(features: Mapping[str, DType], values: Column) -> Column:
    """A struct of features, null as a whole or not, with timestamps as microseconds."""
    fields = (_leaving(dtype, values[name]).alias(name) for name, dtype in features.items())
    return F.when(values.isNotNull(), F.struct(*fields))


def arrived(features: Mapping[str, DType], values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What `leaving` gave, as Python values: timestamps in UTC."""
    return None if values is None else {name: _arrived(dtype, values[name]) for name, dtype in features.items()}


def _leaving(dtype: DType, value: Column) -> Column:
    if dtype == Timestamp:
        return F.unix_micros(value)
    return F.transform(value, F.unix_micros) if dtype.element == Timestamp else value


def _arrived(dtype: DType, value: Any) -> Any:
    if value is None:
        return None
    if dtype == Timestamp:
        return from_us(value)
    return [from_us(one) for one in value] if dtype.element == Timestamp else value
