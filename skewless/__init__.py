"""A feature store that proves its contract: training and serving get the same value, bit for bit."""

from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
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


def __getattr__(name: str) -> Any:
    """Load `FeatureStore` when it is asked for: it needs Spark, which services and `skewless --help` do not have."""
    if name != "FeatureStore":
        raise AttributeError(name)
    from skewless.store import FeatureStore  # noqa: PLC0415 - see above

    return FeatureStore
