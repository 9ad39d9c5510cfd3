"""train: a spine in, the same rows back with features as they were served, and the manifest of it all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from pyspark.sql import DataFrame

from skewless.core.fingerprint import timeline_digest
from skewless.core.manifest import Manifest
from skewless.core.service import FeatureService
from skewless.errors import UsageError
from skewless.flows.manifests import keep_manifest, manifests_folder, new_manifest_id, spelled
from skewless.flows.point_in_time import Pins, pinned, view_facts
from skewless.flows.recover import synced_timeline
from skewless.flows.workshop import Workshop
from skewless.spark.point_in_time.using import OFF, Engine, using_of
from skewless.spark.read import head_version
from skewless.spark.training import Spine, check_spine, content_hash, counted, laid_out, located

MODES = ("as-served", "event-time", "as-known")
AUTO = "auto"
ENGINES = (AUTO, *(one.value for one in Engine))
_PACKAGES = ("skewless", "pyspark", "delta-spark")


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """A training set.

    Attributes:
        frame: The spine's columns, one column per feature (`view__feature`), statuses when asked for.
        manifest: What it is made of.
        folder: Where a copy of the manifest is kept.
    """

    frame: DataFrame
    manifest: Manifest
    folder: Path

    def write(self, path: str, *, file_format: str = "delta") -> Path:
        """Write the rows, and the manifest beside them as `<path>.manifest.json`.

        Args:
            path: A folder that is not there yet, or an earlier training set to replace.
            file_format: delta or parquet.

        Returns:
            The manifest's path.
        """
        self.frame.write.format(file_format).mode("overwrite").save(path)
        at = head_version(self.frame.sparkSession, path) if file_format == "delta" else None
        output = {"path": located(path), "format": file_format, "version": at}
        manifest = replace(self.manifest, output=output)
        keep_manifest(self.folder, manifest)
        beside = Path(f"{path.rstrip('/')}.manifest.json")
        beside.write_text(spelled(manifest))
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
        engine: auto, window or bucket; the rows are the same.
    """

    service: FeatureService
    time_column: str = "timestamp"
    mode: str = "as-served"
    with_status: bool = False
    known_at_us: int | None = None
    engine: str = AUTO


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
    if request.mode not in MODES:
        raise UsageError(f"Join '{request.mode}' does not exist. Use one of {', '.join(MODES)}.")
    if (request.mode == "as-known") != (request.known_at_us is not None):
        raise UsageError("The join as-known needs the instant of what was known, and no other join has one.")
    if request.engine in OFF:
        raise UsageError(f"Engine '{request.engine}' is off: {OFF[request.engine]}. Use one of {', '.join(ENGINES)}.")
    if request.engine not in ENGINES:
        raise UsageError(f"Engine '{request.engine}' does not exist. Use one of {', '.join(ENGINES)}.")
    pins = pinned(shop, request.service, synced_timeline(shop))
    if request.known_at_us is not None:
        pins = pins.at(request.known_at_us)
    inputs = Inputs(pins, view_facts(shop, pins), shop.contract_hash(request.service, shop.applied()))
    made = made_of(shop, given, request, inputs)
    keep_manifest(made.folder, made.manifest)
    return made


def made_of(shop: Workshop, given: Spine, request: Request, inputs: Inputs) -> TrainingSet:
    """Join what is pinned to a spine; no copy of the manifest is kept yet.

    Raises:
        UsageError: The spine cannot be joined.
    """
    begun = perf_counter()
    spine, pins = given.rows, inputs.pins
    check_spine(spine, pins.views, service=request.service, time_column=request.time_column)
    shop.say(f"Joining {len(request.service.features)} features of {len(pins.views)} views, {request.mode}…")
    as_served = request.mode == "as-served"
    engine = None if request.engine == AUTO else Engine(request.engine)
    pins = pins.prepared(shop)
    using = using_of(engine, spine, pins.values, request.time_column)
    for hot in using.hot:
        shop.say(f"Cutting the time of {hot} into {len(hot.cuts) + 1} slices.")
    answered = pins.join(spine, time_column=request.time_column, as_served=as_served, using=using).persist()
    try:
        frame = laid_out(answered, spine, request.service, with_status=request.with_status)
        counts = counted(answered, request.service)
        result_hash, spine_hash = content_hash(frame), content_hash(spine)
    finally:
        answered.unpersist()
    rows = next(iter(counts.values()))["rows"]
    created_us = shop.clock.now_us()
    return TrainingSet(
        frame,
        Manifest(
            project=shop.settings.project,
            service=request.service.name,
            contract_hash=inputs.contract,
            mode=request.mode,
            time_column=request.time_column,
            features=tuple(str(ref) for ref in request.service.features),
            views=inputs.views,
            tables=pins.tables,
            timeline=_range(pins, request.known_at_us),
            spine={"rows": rows, "content_hash": spine_hash, **given.place},
            rows=rows,
            counts=counts,
            content_hash=result_hash,
            created_us=created_us,
            seconds=round(perf_counter() - begun, 3),
            engine=using.engine.value,
            packages=packages(),
            manifest_id=new_manifest_id(created_us),
            with_status=request.with_status,
        ),
        manifests_folder(shop),
    )


def packages() -> dict[str, str]:
    """The packages that decide a result, as they are installed."""
    return {name: version(name) for name in _PACKAGES}


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
