"""leaks: which rows of a training set would use what no reader knew yet, if it were joined by event time alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pyspark.sql import DataFrame

from skewless.core.service import FeatureService
from skewless.flows.point_in_time import Pins, pinned
from skewless.flows.recover import synced_timeline
from skewless.flows.workshop import Workshop
from skewless.spark.leaks import SERVED, FeatureLeak, compared
from skewless.spark.point_in_time.using import Engine, using_of
from skewless.spark.training import check_spine


@dataclass(frozen=True, slots=True)
class LeakReport:
    """What the classic point-in-time join would leak for one spine.

    Attributes:
        service: The service.
        rows: Rows of the spine.
        compared: Rows at whose time at least one view was served; before that there is nothing to compare with.
        leaking: Of these, rows of which at least one feature differs.
        features: Every feature of the service, also those that leak nothing.
    """

    service: str
    rows: int
    compared: int
    leaking: int
    features: tuple[FeatureLeak, ...]

    def to_json(self) -> dict[str, Any]:
        """Its JSON form."""
        return asdict(self)


def leaks(shop: Workshop, service: FeatureService, spine: DataFrame, *, time_column: str = "timestamp") -> LeakReport:
    """Join a spine as served and by event time, and compare.

    Args:
        shop: The workshop.
        service: The service.
        spine: Keys, observation time, whatever else.
        time_column: The observation time.

    Raises:
        UsageError: The spine cannot be joined.
    """
    pins = pinned(shop, service, synced_timeline(shop))
    return leaked_by(shop, pins, spine, time_column=time_column)


def leaked_by(shop: Workshop, pins: Pins, spine: DataFrame, *, time_column: str) -> LeakReport:
    """The same of inputs that are pinned already.

    Raises:
        UsageError: The spine cannot be joined.
    """
    service = pins.service
    check_spine(spine, pins.views, service=service, time_column=time_column)
    shop.say(f"Joining {len(service.features)} features of {len(pins.views)} views twice…")
    keys = [f"`{name}`" for name in dict.fromkeys(key for view in pins.views for key in view.entity.key_names)]
    narrow = spine.select(*keys, f"`{time_column}`")
    # both joins reach as far as the spine does: to look at the second one's would mean to make the first
    using = using_of(Engine.WINDOW, narrow, pins.values, time_column)
    served = pins.join(narrow, time_column=time_column, as_served=True, using=using)
    renamed = served.withColumnsRenamed({view.name: f"{view.name}{SERVED}" for view in pins.views})
    both = pins.join(renamed, time_column=time_column, as_served=False, using=using)
    dtypes = {view.name: view.feature_types for view in pins.views}
    asked = {name: {one: dtypes[name][one] for one in service.features_of(name)} for name in service.view_names}
    totals, found = compared(both, asked)
    return LeakReport(service.name, totals["rows"], totals["compared"], totals["leaking"], tuple(found))
