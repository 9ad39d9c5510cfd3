"""rebuild: a training set again from what its manifest says, the same rows or the reason why not."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pyspark.sql import DataFrame

from skewless.core.manifest import Manifest
from skewless.core.reference import view_reference
from skewless.core.service import FeatureService
from skewless.core.split import Split
from skewless.core.timeline import Timeline
from skewless.core.view import FeatureRef, FeatureView
from skewless.errors import ContractBroken, UsageError
from skewless.flows.manifests import named_manifest
from skewless.flows.point_in_time import Recorded, pinned
from skewless.flows.rebuild_causes import causes, first_cell, refuse_lost_spine, refuse_lost_tables
from skewless.flows.recover import synced_timeline
from skewless.flows.train import Inputs, Request, TrainingSet, made_of
from skewless.flows.workshop import Workshop
from skewless.registry.recorded import applied_once, recorded_view
from skewless.spark.training import Spine, spine_at


def rebuild(shop: Workshop, named: Manifest | str | Path, spine: DataFrame | str | None) -> TrainingSet:
    """Make a training set again; what was defined, corrected, published or rolled back since changes nothing.

    Args:
        shop: The workshop.
        named: A manifest, its file, or the id of one that is kept.
        spine: A frame, or a path; None is where the manifest says that it lies.

    Returns:
        The same rows. No copy of the new manifest is kept before they are written.

    Raises:
        UsageError: It is no manifest, or says of no place where its spine lies.
        ContractBroken: The rows differ, or cannot be made.
    """
    manifest = named if isinstance(named, Manifest) else named_manifest(shop, str(named))
    if manifest.project != shop.settings.project:
        message = f"The manifest is of project '{manifest.project}', and this is '{shop.settings.project}'."
        raise UsageError(f"{message} Choose its environment with --env.")
    views = tuple(_view(shop, manifest, name) for name in manifest.views)
    refuse_lost_tables(shop, manifest)
    service = _service(manifest)
    given = _spine(shop, manifest, spine, views)
    pins = pinned(shop, service, _timeline(shop, manifest), recorded=Recorded(views, manifest.tables))
    known_at_us = manifest.timeline.get("known_at_us")
    if known_at_us is not None:
        pins = pins.at(known_at_us)
    request = Request(
        service,
        manifest.time_column,
        manifest.mode,
        manifest.with_status,
        known_at_us,
        engine=manifest.engine,
        split=Split.parse(manifest.split["by"]) if manifest.split else None,
    )
    made = made_of(shop, given, request, Inputs(pins, manifest.views, manifest.contract_hash))
    if made.manifest.content_hash != manifest.content_hash:
        raise ContractBroken(_differing(shop, manifest, made, views))
    return made


def _differing(shop: Workshop, manifest: Manifest, made: TrainingSet, views: Iterable[FeatureView]) -> str:
    keys = dict.fromkeys(name for view in views for name in view.entity.key_names)
    cell = first_cell(shop, manifest, made.frame, keys=keys)
    why = "; ".join(causes(shop, manifest, made.manifest))
    return f"Training set {manifest.manifest_id or manifest.service} differs. First difference: {cell}. Cause: {why}."


def _view(shop: Workshop, manifest: Manifest, name: str) -> FeatureView:
    """A view as it was applied when the manifest was made; the definitions of now do not matter."""
    facts = manifest.views[name]
    reference = view_reference(name, facts["version"])
    document = applied_once(shop.heads, shop.settings.project, reference)
    found = None if document is None else document["fingerprint"]
    if document is None or found != facts["fingerprint"]:
        known = f"is {found}" if found else "of this version is not known"
        raise ContractBroken(
            f"View '{reference}' was applied with fingerprint {facts['fingerprint']} when this was made, and the one "
            f"in the registry {known}. Restore the registry's folder of then; its values were made by another meaning."
        )
    return recorded_view(document, availability_delay_us=facts["availability_delay_us"])


def _service(manifest: Manifest) -> FeatureService:
    """The features of then; whether the service is still defined does not matter."""
    pairs = [text.split(":", 1) for text in manifest.features]
    refs = [FeatureRef(view, manifest.views[view]["version"], feature) for view, feature in pairs]
    return FeatureService(manifest.service, features=[refs])


def _timeline(shop: Workshop, manifest: Manifest) -> Timeline:
    last = manifest.timeline["last_revision"]
    timeline = shop.ledger.timeline()
    if last is not None and timeline.numbered(last) is None:
        # the ledger's copy may lag behind the online store
        timeline = synced_timeline(shop)
    return timeline.until(last)


def _spine(shop: Workshop, manifest: Manifest, spine: DataFrame | str | None, views: tuple[FeatureView, ...]) -> Spine:
    if isinstance(spine, DataFrame):
        return Spine(spine)
    if spine is not None:
        return spine_at(shop.session, spine, views)
    place = manifest.spine.get("path")
    if place is None:
        message = "The spine of this training set was a frame, so its manifest says of no place. Give it again"
        raise UsageError(f"{message}: --spine PATH, or spine= in Python.")
    refuse_lost_spine(shop, manifest)
    return spine_at(shop.session, place, views, version=manifest.spine.get("version"))
