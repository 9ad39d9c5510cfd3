"""train: a spine in, the same rows back with features as they were served, and the manifest of it all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from pyspark.sql import DataFrame

from skewless.core.ages import age_edges, of_bins
from skewless.core.fingerprint import timeline_digest
from skewless.core.manifest import Manifest, PinnedTable
from skewless.core.service import FeatureService
from skewless.core.split import SPLIT, Split
from skewless.core.time import duration_us
from skewless.errors import UsageError
from skewless.flows.manifests import keep_manifest, manifests_folder, new_manifest_id
from skewless.flows.point_in_time import Pins, Recorded, pinned, view_facts
from skewless.flows.recover import synced_timeline
from skewless.flows.training_place import write_json
from skewless.flows.workshop import Workshop
from skewless.spark.point_in_time.using import OFF, Engine, Using, using_of
from skewless.spark.read import head_version, table_id
from skewless.spark.training import Spine, check_spine, located
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
AUTO = "auto"
ENGINES = (AUTO, *(one.value for one in Engine))
_PACKAGES = ("skewless", "pyspark", "delta-spark")


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """A training set.

    Attributes:
        frame: The spine's columns, one column per feature (`view__feature`), statuses and split when asked for.
        manifest: What it is made of.
        folder: Where a copy of the manifest is kept.
    """

    frame: DataFrame
    manifest: Manifest
    folder: Path

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
        manifest = replace(self.manifest, output=output_of(self.frame, path, file_format))
        keep_manifest(self.folder, manifest)
        beside = Path(f"{path.rstrip('/')}.manifest.json")
        write_json(beside, manifest.to_json())
        return beside


def output_of(rows: DataFrame, path: str, file_format: str) -> dict[str, Any]:
    """What a manifest says of the place of written rows."""
    version = head_version(rows.sparkSession, path) if file_format == "delta" else None
    return {"path": located(path), "format": file_format, "version": version}


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for.

    Attributes:
        service: The service.
        time_column: The spine's observation time.
        mode: as-served, event-time or as-known.
        with_status: Adds a status column per feature.
        known_at_us: Of as-known: only what readers were told to use at this instant counts.
        engine: auto, window or bucket; the rows are the same.
        split: Adds a column that parts the rows into `train` and `test`.
    """

    service: FeatureService
    time_column: str = "timestamp"
    mode: str = "as-served"
    with_status: bool = False
    known_at_us: int | None = None
    engine: str = AUTO
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

    def using(self, spine: DataFrame, request: Request) -> Using:
        """What finds the winners for a spine, and for each part of it."""
        engine = None if request.engine == AUTO else Engine(request.engine)
        return using_of(engine, spine, self.pins.values, request.time_column)

    def join(self, spine: DataFrame, request: Request, using: Using) -> DataFrame:
        """Join the service's features to a spine, or to a part of it."""
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


def train(shop: Workshop, given: Spine, request: Request) -> TrainingSet:
    """Join a service's features to a spine, point in time.

    Every spine row comes back exactly once, its columns untouched; a null key or time is answered NOT_FOUND.

    Args:
        shop: The workshop.
        given: Keys, observation time, label, whatever else.
        request: What is asked for.

    Raises:
        UsageError: The spine cannot be joined, the mode or engine does not exist, or its instant is missing.
        DefinitionConflict: The service or one of its views is not what was applied.
    """
    check_request(request)
    made = made_of(shop, given, request, inputs_of(shop, request))
    keep_manifest(made.folder, made.manifest)
    return made


def made_of(shop: Workshop, given: Spine, request: Request, inputs: Inputs) -> TrainingSet:
    """Join what is pinned to a spine; no copy of the manifest is kept yet.

    Raises:
        UsageError: The spine cannot be joined, or cannot be split so.
    """
    begun, spine = perf_counter(), given.rows
    shape = checked_shape(spine, request, inputs)
    shop.say(f"Joining {len(request.service.features)} features of {len(inputs.pins.views)} views, {request.mode}…")
    using = inputs.using(spine, request)
    say_hot(shop, using)
    answered = inputs.join(spine, request, using).persist()
    try:
        frame, found = result_rows(answered, spine, shape), counted(answered, spine, shape)
    finally:
        answered.unpersist()
    done = Done(found, using.engine, seconds=perf_counter() - begun, place=given.place)
    return TrainingSet(frame, manifest_of(shop, request, inputs, done), manifests_folder(shop))


def say_hot(shop: Workshop, using: Using) -> None:
    """Name the entities whose time is cut."""
    for hot in using.hot:
        shop.say(f"Cutting the time of {hot} into {len(hot.cuts) + 1} slices.")


def check_request(request: Request) -> None:
    """Refuse what contradicts itself.

    Raises:
        UsageError: The mode or engine does not exist, or its instant is missing.
    """
    if request.mode not in MODES:
        raise UsageError(f"Join '{request.mode}' does not exist. Use one of {', '.join(MODES)}.")
    if (request.mode == "as-known") != (request.known_at_us is not None):
        raise UsageError("The join as-known needs the instant of what was known, and no other join has one.")
    if request.engine in OFF:
        raise UsageError(f"Engine '{request.engine}' is off: {OFF[request.engine]}. Use one of {', '.join(ENGINES)}.")
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
    if begun is None:
        pins = pinned(shop, request.service, timeline)
    else:
        _refuse_replaced(shop, begun)
        recorded = Recorded(shop.definitions.views_of(request.service), begun.tables)
        pins = pinned(shop, request.service, timeline.until(begun.last_revision), recorded=recorded)
    if request.known_at_us is not None:
        pins = pins.at(request.known_at_us)
    pins = pins.prepared(shop)
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


@dataclass(frozen=True, slots=True)
class Done:
    """What a manifest says of the making itself.

    Attributes:
        found: What was counted.
        engine: The join's engine.
        seconds: Real time that it took.
        place: Where the spine lies.
        label: The balance of the label.
    """

    found: Counted
    engine: Engine
    seconds: float
    place: Mapping[str, Any]
    label: Mapping[str, Any] = field(default_factory=dict)


def manifest_of(shop: Workshop, request: Request, inputs: Inputs, done: Done) -> Manifest:
    """The manifest of rows that were counted."""
    shape, pins, found, created_us = inputs.shape(request), inputs.pins, done.found, shop.clock.now_us()
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
        spine={"rows": rows, "content_hash": spine_hash(found), **done.place},
        rows=rows,
        counts=counts_by_view(found, shape),
        content_hash=result_hash(found),
        created_us=created_us,
        seconds=round(done.seconds, 3),
        engine=done.engine.value,
        packages=packages(),
        manifest_id=new_manifest_id(created_us),
        with_status=request.with_status,
        nulls=nulls_by_feature(found, shape),
        ages=_ages(found, shape),
        without_key_or_time=found["unasked"],
        split=_split(found, shape),
        label=dict(done.label),
    )


def packages() -> dict[str, str]:
    """The packages that decide a result, as they are installed."""
    return {name: version(name) for name in _PACKAGES}


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


def _refuse_replaced(shop: Workshop, begun: Begun) -> None:
    for pin in begun.tables.values():
        if table_id(shop.session, shop.located(pin.path)) != pin.table_id:
            message = f"Table '{pin.path}' was replaced by another one since this training set was begun."
            raise UsageError(f"{message} Begin anew with --restart.")


def _range(pins: Pins, known_at_us: int | None) -> dict[str, Any]:
    revisions = pins.timeline.revisions
    return {
        **({} if known_at_us is None else {"known_at_us": known_at_us}),
        "first_revision": revisions[0].number if revisions else None,
        "first_visible_us": revisions[0].visible_from_us if revisions else None,
        "last_revision": revisions[-1].number if revisions else None,
        "last_visible_us": revisions[-1].visible_from_us if revisions else None,
        "digest": timeline_digest(pins.timeline, [one.reference for one in pins.views]),
    }
