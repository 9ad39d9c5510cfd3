"""train: a spine in, the same rows back with features as they were served, and the manifest of it all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from pyspark.sql import DataFrame

from skewless.core.ages import age_edges, of_bins
from skewless.core.manifest import Manifest, PinnedTable
from skewless.core.service import FeatureService
from skewless.core.split import SPLIT, Split
from skewless.core.time import duration_us
from skewless.core.timeline import Timeline
from skewless.errors import UsageError
from skewless.flows.point_in_time import Pins, pinned, view_facts
from skewless.flows.recover import synced_timeline
from skewless.flows.workshop import Workshop
from skewless.spark.point_in_time.join import Engine, using_of
from skewless.spark.read import read_at, table_id
from skewless.spark.training import check_spine
from skewless.spark.training_rows import (
    Counted,
    Shape,
    ages_by_view,
    counted,
    counts_by_view,
    nulls_by_feature,
    result_hash,
    result_rows,
    spine_hash,
)

MODES = ("as-served", "event-time", "as-known")
ENGINES = tuple(one.value for one in Engine)
_PACKAGES = ("skewless", "pyspark", "delta-spark")


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """A training set.

    Attributes:
        frame: The spine's columns, one column per feature (`view__feature`), statuses and split when asked for.
        manifest: What it is made of.
    """

    frame: DataFrame
    manifest: Manifest

    def write(self, path: str, *, file_format: str = "delta") -> Path:
        """Write the rows, and the manifest beside them as `<path>.manifest.json`.

        The frame is joined once more for it; `FeatureStore.write_training_set` joins once, and can be resumed.

        Args:
            path: A folder that is not there yet, or an earlier training set to replace.
            file_format: delta or parquet.

        Returns:
            The manifest's path.
        """
        self.frame.write.format(file_format).mode("overwrite").save(path)
        beside = Path(f"{path.rstrip('/')}.manifest.json")
        beside.write_text(json.dumps(self.manifest.to_json(), indent=2, sort_keys=True) + "\n")
        return beside


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for.

    Attributes:
        service: The service.
        time_column: The spine's observation time.
        mode: as-served, event-time or as-known.
        with_status: Adds a status column per feature.
        known_at_us: Of as-known: only what readers were told to use at this instant counts.
        engine: window or bucket; the rows are the same.
        split: Adds a column that parts the rows into `train` and `test`.
    """

    service: FeatureService
    time_column: str = "timestamp"
    mode: str = "as-served"
    with_status: bool = False
    known_at_us: int | None = None
    engine: str = Engine.WINDOW.value
    split: Split | None = None


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a training set is made of, beside its spine.

    Attributes:
        pins: The tables at their versions.
        views: What the manifest says of each view.
        contract: The service's contract hash.
    """

    pins: Pins
    views: Mapping[str, Mapping[str, Any]]
    contract: str

    def join(self, spine: DataFrame, request: Request) -> DataFrame:
        """Join the service's features to a spine, or to a part of it."""
        using = using_of(Engine(request.engine), spine, self.pins.values)
        as_served = request.mode == "as-served"
        return self.pins.join(spine, time_column=request.time_column, as_served=as_served, using=using)

    def shape(self, request: Request) -> Shape:
        """What the rows look like."""
        views = self.pins.views
        return Shape(request.service, views, request.time_column, request.with_status, request.split)


@dataclass(frozen=True, slots=True)
class Begun:
    """The inputs of a training set that was begun, to be read once more as they were then.

    Attributes:
        last_revision: The newest revision of the timeline; None when there was none.
        tables: `view/history` and `view/served` → the version that is read.
    """

    last_revision: int | None
    tables: Mapping[str, PinnedTable]


def train(shop: Workshop, spine: DataFrame, request: Request) -> TrainingSet:
    """Join a service's features to a spine, point in time.

    Every spine row comes back exactly once, its columns untouched; a null key or time is answered NOT_FOUND.

    Args:
        shop: The workshop.
        spine: Keys, observation time, label, whatever else.
        request: What is asked for.

    Raises:
        UsageError: The spine cannot be joined, the mode or engine does not exist, or its instant is missing.
        DefinitionConflict: The service or one of its views is not what was applied.
    """
    begun = perf_counter()
    check_request(request)
    inputs = inputs_of(shop, request)
    shape = checked_shape(spine, request, inputs)
    shop.say(f"Joining {len(request.service.features)} features of {len(inputs.pins.views)} views, {request.mode}…")
    answered = inputs.join(spine, request).persist()
    try:
        frame, found = result_rows(answered, spine, shape), counted(answered, spine, shape)
    finally:
        answered.unpersist()
    return TrainingSet(frame, manifest_of(shop, request, inputs, found, seconds=perf_counter() - begun))


def check_request(request: Request) -> None:
    """Refuse what contradicts itself.

    Raises:
        UsageError: The mode or engine does not exist, or its instant is missing.
    """
    if request.mode not in MODES:
        raise UsageError(f"Join '{request.mode}' does not exist. Use one of {', '.join(MODES)}.")
    if (request.mode == "as-known") != (request.known_at_us is not None):
        raise UsageError("The join as-known needs the instant of what was known, and no other join has one.")
    if request.engine not in ENGINES:
        raise UsageError(f"Engine '{request.engine}' does not exist. Use one of {', '.join(ENGINES)}.")


def inputs_of(shop: Workshop, request: Request, begun: Begun | None = None) -> Inputs:
    """Fix what is read.

    Args:
        shop: The workshop.
        request: What is asked for.
        begun: To read what was read then, whatever was published since; None reads what there is now.

    Raises:
        DefinitionConflict: The service or one of its views is not what was applied.
        UsageError: A table was replaced by another one since then.
    """
    timeline = synced_timeline(shop)
    if begun is not None:
        last = begun.last_revision or 0
        timeline = Timeline(tuple(one for one in timeline.revisions if one.number <= last))
    pins = pinned(shop, request.service, timeline)
    if begun is not None:
        pins = _as_begun(shop, pins, begun)
    if request.known_at_us is not None:
        pins = pins.at(request.known_at_us)
    return Inputs(pins, view_facts(shop, pins), shop.contract_hash(request.service, shop.applied()))


def checked_shape(spine: DataFrame, request: Request, inputs: Inputs) -> Shape:
    """What the rows look like.

    Raises:
        UsageError: The spine cannot be joined, or cannot be split so.
    """
    check_spine(spine, inputs.pins.views, service=request.service, time_column=request.time_column)
    shape, split = inputs.shape(request), request.split
    if split is not None:
        taken = [name for name in spine.columns if name.lower() == SPLIT]
        if taken:
            raise UsageError(f"The spine has a column '{taken[0]}', as the split is to be named. Rename it.")
        if split.key is not None and split.key not in shape.keys:
            known = ", ".join(shape.keys)
            raise UsageError(f"Split '{split}': '{split.key}' is no key of service '{request.service.name}' ({known}).")
    return shape


def manifest_of(
    shop: Workshop,
    request: Request,
    inputs: Inputs,
    found: Counted,
    *,
    seconds: float,
    label: Mapping[str, Any] | None = None,
) -> Manifest:
    """The manifest of rows that were counted.

    Args:
        shop: The workshop.
        request: What was asked for.
        inputs: What they are made of.
        found: What was counted.
        seconds: Real time that it took.
        label: The balance of the label.
    """
    shape, pins = inputs.shape(request), inputs.pins
    rows = found["rows"]
    return Manifest(
        project=shop.settings.project,
        service=request.service.name,
        contract_hash=inputs.contract,
        mode=request.mode,
        time_column=request.time_column,
        features=tuple(str(ref) for ref in request.service.features),
        views=inputs.views,
        tables=pins.tables,
        timeline=_range(pins, request.known_at_us),
        spine={"rows": rows, "content_hash": spine_hash(found)},
        rows=rows,
        counts=counts_by_view(found, shape),
        content_hash=result_hash(found),
        created_us=shop.clock.now_us(),
        seconds=round(seconds, 3),
        engine=request.engine,
        packages={name: version(name) for name in _PACKAGES},
        nulls=nulls_by_feature(found, shape),
        ages=_ages(found, shape),
        without_key_or_time=found["unasked"],
        split=_split(found, shape),
        label=dict(label or {}),
    )


def _ages(found: Counted, shape: Shape) -> dict[str, dict[str, Any]]:
    ttls = {view.name: None if view.ttl is None else duration_us(view.ttl) for view in shape.views}
    return {
        view: {"ttl_us": ttls[view], "from_us": list(age_edges(ttls[view])), "rows": list(of_bins(at_or_above))}
        for view, at_or_above in ages_by_view(found, shape).items()
    }


def _split(found: Counted, shape: Shape) -> dict[str, Any]:
    if shape.split is None:
        return {}
    keys = [] if shape.split.at_us is not None else list(shape.split_keys)
    rows = {"train": found["rows"] - found["test"], "test": found["test"]}
    return {"by": str(shape.split), "keys": keys, "rows": rows}


def _as_begun(shop: Workshop, pins: Pins, begun: Begun) -> Pins:
    frames: dict[str, DataFrame] = {}
    for name, pin in begun.tables.items():
        path = shop.located(pin.path)
        if table_id(shop.session, path) != pin.table_id:
            message = f"Table '{pin.path}' was replaced by another one since this training set was begun."
            raise UsageError(f"{message} Begin anew with --restart.")
        frames[name] = read_at(shop.session, path, pin.version)
    values = tuple(
        replace(
            one,
            history=frames.get(f"{one.view.name}/history", one.history),
            served=frames.get(f"{one.view.name}/served", one.served),
        )
        for one in pins.values
    )
    return replace(pins, values=values, tables=dict(begun.tables))


def _range(pins: Pins, known_at_us: int | None) -> dict[str, int | None]:
    revisions = pins.timeline.revisions
    return {
        **({} if known_at_us is None else {"known_at_us": known_at_us}),
        "first_revision": revisions[0].number if revisions else None,
        "first_visible_us": revisions[0].visible_from_us if revisions else None,
        "last_revision": revisions[-1].number if revisions else None,
        "last_visible_us": revisions[-1].visible_from_us if revisions else None,
    }
