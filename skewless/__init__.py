"""A feature store that proves its contract: training and serving get the same value, bit for bit."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skewless.core.aggregate import (
        ApproxCountDistinct,
        Count,
        CountDistinct,
        First,
        Last,
        LastN,
        Max,
        Mean,
        Min,
        Quantile,
        Ratio,
        Stddev,
        Sum,
        TopK,
    )
    from skewless.core.dtypes import (
        Array,
        Bool,
        Bytes,
        Date,
        Decimal,
        Float32,
        Float64,
        Int32,
        Int64,
        String,
        Timestamp,
        Vector,
    )
    from skewless.core.entity import Entity
    from skewless.core.readiness import Marked, Within
    from skewless.core.rules import gxe
    from skewless.core.service import Definitions, FeatureService
    from skewless.core.source import DeltaSource
    from skewless.core.time import days, hours, minutes
    from skewless.core.view import Feature, FeatureView, RowView, SnapshotView, WindowView
    from skewless.store import FeatureStore

__version__ = "0.1.0"

__all__ = [
    "ApproxCountDistinct",
    "Array",
    "Bool",
    "Bytes",
    "Count",
    "CountDistinct",
    "Date",
    "Decimal",
    "Definitions",
    "DeltaSource",
    "Entity",
    "Feature",
    "FeatureService",
    "FeatureStore",
    "FeatureView",
    "First",
    "Float32",
    "Float64",
    "Int32",
    "Int64",
    "Last",
    "LastN",
    "Marked",
    "Max",
    "Mean",
    "Min",
    "Quantile",
    "Ratio",
    "RowView",
    "SnapshotView",
    "Stddev",
    "String",
    "Sum",
    "Timestamp",
    "TopK",
    "Vector",
    "WindowView",
    "Within",
    "days",
    "gxe",
    "hours",
    "minutes",
]

#: Where they live. The last one needs Spark.
_MODULES = (
    "core.aggregate",
    "core.dtypes",
    "core.entity",
    "core.readiness",
    "core.rules",
    "core.service",
    "core.source",
    "core.time",
    "core.view",
    "store",
)


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is: a service that only reads needs none of it, and `skewless --help` no Spark."""
    if name in __all__:
        for module in _MODULES:
            found = getattr(import_module(f"skewless.{module}"), name, None)
            if found is not None:
                return found
    raise AttributeError(f"module 'skewless' has no attribute '{name}'")


def __dir__() -> list[str]:
    """What completion offers."""
    return [*globals(), *__all__]
