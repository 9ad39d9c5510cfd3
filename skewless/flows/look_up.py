"""look up: one entity's features offline at any time, in the same shape as the online answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from skewless.core.dtypes import DType, Timestamp
from skewless.core.resolver import value_status
from skewless.core.service import FeatureService
from skewless.core.time import from_us, to_us
from skewless.core.vector import FeatureVector, Status
from skewless.errors import UsageError
from skewless.flows.point_in_time import Pins, pinned
from skewless.flows.recover import synced_timeline
from skewless.flows.workshop import Workshop
from skewless.spark.dtypes import spark_schema

_TIME = "timestamp"


def look_up(
    shop: Workshop, service: FeatureService, keys: Mapping[str, object], *, at: datetime, mode: str = "as-served"
) -> FeatureVector:
    """Answer a service's features of one entity at an instant, from history.

    Args:
        shop: The workshop.
        service: The service.
        keys: Key column → value.
        at: The observation time; a value at exactly that time counts.
        mode: as-served, or event-time.

    Raises:
        UsageError: A key is missing, unknown or of another type, or the time has no zone.
    """
    observed_us = to_us(at)
    pins = pinned(shop, service, synced_timeline(shop))
    wanted: dict[str, DType] = {key: dtype for view in pins.views for key, dtype in view.entity.keys.items()}
    if set(keys) != set(wanted):
        raise UsageError(f"Service '{service.name}' is asked by {sorted(wanted)}, not by {sorted(keys)}.")
    row = (*(keys[name] for name in wanted), from_us(observed_us))
    spine = shop.session.createDataFrame([row], spark_schema({**wanted, _TIME: Timestamp}))
    [(_, answers)] = pins.collected(pins.join(spine, time_column=_TIME, as_served=mode == "as-served"))
    return _vector(pins, answers, at=from_us(observed_us))


def _vector(pins: Pins, answers: Mapping[str, Mapping[str, Any]], *, at: datetime) -> FeatureVector:
    values: dict[str, object] = {}
    status: dict[str, Status] = {}
    for ref in pins.service.features:
        answer = answers[ref.view]
        value = answer["values"][ref.feature] if answer["values"] is not None else None
        values[str(ref)] = value
        status[str(ref)] = value_status(Status(answer["status"]), value)
    return FeatureVector(
        values=values,
        status=status,
        event_time={view: _time(answer["event_us"]) for view, answer in answers.items()},
        age={view: _age(answer["age_us"]) for view, answer in answers.items()},
        generation={view: answer["generation"] for view, answer in answers.items()},
        revision=next((one["revision"] for one in answers.values() if one["revision"] is not None), None),
        at=at,
        simulated=any(answer["is_simulated"] for answer in answers.values()),
    )


def _time(event_us: int | None) -> datetime | None:
    return None if event_us is None else from_us(event_us)


def _age(age_us: int | None) -> timedelta | None:
    return None if age_us is None else timedelta(microseconds=age_us)
