"""report: run records, timeline and certificates as a static site; no Spark is started."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from skewless.core.run_record import outcome_reference
from skewless.core.time import format_duration, format_instant, from_us
from skewless.core.timeline import Revision, Timeline
from skewless.core.view import FeatureView
from skewless.flows.certificates import newest_certificates
from skewless.flows.records import kept
from skewless.flows.workshop import Workshop
from skewless.site.build import build_report
from skewless.site.checks import check_rows
from skewless.site.model import FeatureRow, GenerationRow, Parity, ReportModel, RevisionRow, ViewReport

_STALE_TICKS = 2
_STATES = {"purged": "aborted", "materialized": "computed", "validated": "computed", "verified": "computed"}


def report(shop: Workshop, names: Iterable[str]) -> Path:
    """Build the report of views, all when none is named; returns its front page."""
    views = shop.chosen_views(names)
    timeline = Timeline(shop.online.timeline.log()) if shop.online is not None else Timeline()
    runs = list(kept(shop))
    head, now_us = timeline.at(shop.clock.now_us()), shop.clock.now_us()
    model = ReportModel(
        project=shop.settings.project,
        environment=shop.settings.env,
        built_at=format_instant(from_us(now_us)),
        revision=head.number if head else None,
        revision_at=format_instant(from_us(head.visible_from_us)) if head else "",
        revision_age=_ago(now_us - head.visible_from_us) if head else "",
        views=tuple(_view(shop, view, runs, timeline) for view in views),
    )
    return build_report(model, shop.settings.state / "report")


def _view(shop: Workshop, view: FeatureView, runs: Sequence[Mapping[str, Any]], timeline: Timeline) -> ViewReport:
    now_us = shop.clock.now_us()
    outcomes = [(run, found) for run in runs for found in run["views"] if outcome_reference(found) == view.reference]
    published = [(run, found) for run, found in outcomes if found["outcome"] == "published"]
    newest = next((found for _, found in outcomes if found["verdict"]), None)
    current = published[0][1] if published else None
    step = next(iter(reversed(timeline.steps(view.reference))), None)
    state, sentence = _state(view, newest, step.pointer.through_us if step else None, now_us)
    counts = current["counts"] if current else {}
    return ViewReport(
        name=shop.short(view),
        state=state,
        sentence=sentence,
        owner=view.owner,
        description=view.description,
        version=view.version,
        fingerprint=shop.applied().fingerprints.get(view.reference, ""),
        tags=view.tags,
        facts=_facts(view),
        published_revision=step.revision if step else None,
        published_at=format_instant(from_us(step.from_us)) if step else "",
        published_age=_ago(now_us - step.from_us) if step else "",
        rows=sum(counts.get(kind, 0) for kind in ("new", "corrected", "retracted")) if counts else None,
        entities=counts.get("entities"),
        entities_before=published[1][1]["counts"].get("entities") if len(published) > 1 else None,
        features=_features(view, [found["counts"] for _, found in published]),
        generations=tuple(_generation(run, found) for run, found in outcomes if found["generation"]),
        checks=check_rows(newest["verdict"]) if newest else (),
        revisions=_revisions(view.reference, timeline),
        consumers=tuple(one.name for one in shop.definitions.services if view.reference in one.view_references),
        parity=_parity(shop, view),
    )


def _state(view: FeatureView, newest: Mapping[str, Any] | None, through_us: int | None, now_us: int) -> tuple[str, str]:
    """The one word for a view, and why."""
    if newest is not None and newest["outcome"] == "refused":
        failed = [result for result in newest["verdict"]["results"] if not result["passed"]]
        return "refused", f"{len(failed)} checks failed, e.g. {failed[0]['expected'] or failed[0]['name']}"
    if through_us is None:
        return "new", "nothing was published yet"
    behind = (view.schedule.floor_us(now_us) - through_us) // view.schedule.every_us if view.has_ticks else 0
    if behind >= _STALE_TICKS:
        return "stale", f"its values hold through {format_instant(from_us(through_us))}, {behind} ticks ago"
    failed = [result for result in (newest["verdict"]["results"] if newest else ()) if not result["passed"]]
    if failed:
        return "warn", f"{len(failed)} checks failed without stopping it"
    return "good", "every check of the newest generation passed"


def _facts(view: FeatureView) -> tuple[tuple[str, ...], ...]:
    ttl = "never too old" if view.ttl is None else f"too old at {format_duration(view.ttl)}"
    sources = ", ".join(source.name for source in view.sources)
    return (
        ("Entity", f"{view.entity.name} ({', '.join(view.entity.key_names)})"),
        ("Kind", view.kind),
        ("Every", format_duration(view.every)),
        ("Time to live", ttl),
        ("Sources", sources),
    )


def _features(view: FeatureView, counts: Sequence[Mapping[str, int]]) -> tuple[FeatureRow, ...]:
    def rates(name: str) -> tuple[float, ...]:
        found = [each.get(f"nulls_{name}", 0) / each["entities"] for each in counts if each.get("entities")]
        return tuple(reversed(found))

    return tuple(
        FeatureRow(
            name=feature.name,
            dtype=str(feature.dtype),
            description=feature.description,
            tags=feature.tags,
            null_rate=next(reversed(rates(feature.name)), None),
            null_history=rates(feature.name),
        )
        for feature in view.features
    )


def _generation(run: Mapping[str, Any], found: Mapping[str, Any]) -> GenerationRow:
    counts = found["counts"]
    parts = [
        f"{counts[kind]:,} {kind}" for kind in ("new", "corrected", "retracted", "quarantined") if counts.get(kind)
    ]
    return GenerationRow(
        number=found["generation"],
        state=_STATES.get(found["outcome"], found["outcome"]),
        started=format_instant(from_us(run["started_us"])),
        finished=format_instant(from_us(run["finished_us"])),
        through=format_instant(from_us(found["through_us"])) if found["through_us"] is not None else "",
        rows=sum(counts.get(kind, 0) for kind in ("new", "corrected", "retracted")),
        entities=counts.get("entities"),
        run_id=run["run_id"],
        note=", ".join(parts),
    )


def _revisions(view: str, timeline: Timeline) -> tuple[RevisionRow, ...]:
    kinds: dict[int, Revision] = {revision.number: revision for revision in timeline.revisions}
    return tuple(
        RevisionRow(
            number=step.revision,
            visible_from=format_instant(from_us(step.from_us)),
            generation=step.pointer.generation,
            kind=kinds[step.revision].kind,
            run_id=kinds[step.revision].run_id,
        )
        for step in reversed(timeline.steps(view))
    )


def _parity(shop: Workshop, view: FeatureView) -> Parity | None:
    readers = {one.name for one in shop.definitions.services if view.reference in one.view_references}
    for certificate in newest_certificates(shop):
        if certificate["service"] in readers:
            return Parity(
                sample=certificate["sampled"],
                mismatches=certificate["mismatches"],
                revision=certificate["revision"],
                certified=certificate["at"],
                service=certificate["service"],
            )
    return None


def _ago(microseconds: int) -> str:
    return f"{format_duration(from_us(microseconds) - from_us(0))} ago"
