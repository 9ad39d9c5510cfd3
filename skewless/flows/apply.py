"""plan and apply: definitions against the registry."""

from __future__ import annotations

import getpass

from skewless.core.clock import SystemClock
from skewless.core.dtypes import DType
from skewless.core.failpoints import Failpoint, reached
from skewless.core.serving import serving_manifest
from skewless.core.view import FeatureView
from skewless.flows.workshop import Workshop
from skewless.plan.definition_plan import DefinitionPlan
from skewless.registry.compiled import (
    AppliedProject,
    CompiledProject,
    apply_compiled,
    compile_definitions,
    load_applied,
)
from skewless.spark.meaning import describe_transform
from skewless.spark.read import SourceMissing, check_schema
from skewless.validation.suite import check_rules


def compiled(shop: Workshop) -> CompiledProject:
    """Check the definitions against their sources and transforms, and compile them.

    Raises:
        DefinitionError: A source lacks a column, a transform does not give what its view promises, a rule does not
            exist, …
    """
    for source in shop.definitions.sources:
        try:
            check_schema(shop.session, source, shop.source_path(source))
        except SourceMissing:
            shop.say(f"Source '{source.name}' has no table yet, so its columns were not checked.")
    for view in shop.definitions.views:
        check_rules(view.quality, _columns(view))
    transforms = {view.reference: describe_transform(shop.session, view) for view in shop.definitions.views}
    return compile_definitions(shop.definitions, transforms)


def plan(shop: Workshop) -> DefinitionPlan:
    """What apply would change."""
    return load_applied(shop.heads, shop.settings.project).plan(compiled(shop))


def apply(shop: Workshop) -> tuple[DefinitionPlan, AppliedProject]:
    """Make the definitions what is applied, here and in the online store; a repeat changes nothing.

    Raises:
        DefinitionConflict: A change is refused.
        LeaseHeld: Somebody else writes.
    """
    with shop.leased("apply"):
        before = load_applied(shop.heads, shop.settings.project)
        wanted = compiled(shop)
        changes = before.plan(wanted)
        applied = apply_compiled(shop.heads, wanted, applied=before, author=getpass.getuser(), clock=SystemClock())
        reached(Failpoint.APPLY_REGISTERED)
        prepare_online(shop, applied)
    return changes, applied


def prepare_online(shop: Workshop, applied: AppliedProject) -> None:
    """Create what is missing online: keyspace, tables, the manifests of services."""
    if shop.online is None:
        return
    views = {view.reference: shop.served(view, applied) for view in shop.definitions.views}
    manifests = [
        serving_manifest(shop.settings.project, service, views, applied.contract_hashes[service.name])
        for service in shop.definitions.services
    ]
    shop.online.prepare(list(views.values()), manifests)


def _columns(view: FeatureView) -> dict[str, DType]:
    return {**view.entity.keys, **view.feature_types}
