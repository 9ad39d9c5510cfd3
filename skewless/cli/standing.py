"""How an environment stands: clock, definitions, revision, views, what is unfinished; read without Spark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from skewless.cli.registered import NOTHING, LastRuns, last_runs
from skewless.core.clock import SystemClock
from skewless.core.reference import short_reference
from skewless.core.time import Schedule, format_instant, from_us
from skewless.core.timeline import Pointer, Timeline
from skewless.errors import SkewlessError
from skewless.flows.certificates import newest_certificates
from skewless.flows.workshop import Workshop
from skewless.registry.compiled import AppliedProject, load_applied
from skewless.registry.leases import Leases
from skewless.registry.local import LocalStore

#: State in which a single stage leaves a generation → the stage that takes it up.
_NEXT_STAGE = {
    "planned": "run",
    "materialized": "validate",
    "validated": "push",
    "writing": "push",
    "written": "push",
    "verified": "publish",
}


@dataclass(frozen=True, slots=True)
class ViewStanding:
    """One view.

    Attributes:
        view: Its name.
        version: The applied version that this is about.
        generation: That readers see; None when unpublished.
        through: The tick through which its values are known.
        ticks_behind: Ticks of its schedule that came due since; None when unpublished.
        rolled_back: True when a later generation was published and taken back.
        last_outcome: Of the newest run that touched it.
        last_run: That run.
        last_at: When it ended.
    """

    view: str
    version: int
    generation: int | None = None
    through: datetime | None = None
    ticks_behind: int | None = None
    rolled_back: bool = False
    last_outcome: str | None = None
    last_run: str | None = None
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """An environment.

    Attributes:
        env: Its name.
        project: The project.
        now: By its clock.
        clock: system or replay.
        applied: Number of the registry's head; 0 before the first apply.
        applied_at: When that was.
        applied_by: Who did it.
        online: ready, or why it could not be asked.
        revision: That readers use now.
        visible_from: Since when.
        pointers_from: online, or run records when the online store could not be asked.
        views: Every applied view version.
        kept: Versions that are no longer applied nor refreshed, as `name@version`; clients that pin them read them.
        unfinished: What waits, or was left half-way, in words.
        certificates: The newest parity certificate of each service.
    """

    env: str
    project: str
    now: datetime
    clock: str
    applied: int
    applied_at: datetime | None
    applied_by: str | None
    online: str
    revision: int | None
    visible_from: datetime | None
    pointers_from: str
    views: tuple[ViewStanding, ...]
    kept: tuple[str, ...]
    unfinished: tuple[str, ...]
    certificates: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class _Online:
    state: str
    timeline: Timeline | None = None


def standing(shop: Workshop) -> Standing:
    """Look at an environment; nothing is started and nothing changed."""
    settings, now_us = shop.settings, shop.clock.now_us()
    applied = load_applied(shop.heads, settings.project)
    runs = last_runs(shop, applied.names("view"))
    online = _online(shop)
    revision, since_us = _revision(online, runs, now_us)
    return Standing(
        env=settings.env,
        project=settings.project,
        now=from_us(now_us),
        clock=settings.clock.kind,
        applied=applied.number,
        applied_at=applied.applied_at,
        applied_by=applied.applied_by,
        online=online.state,
        revision=revision,
        visible_from=None if since_us is None else from_us(since_us),
        pointers_from="run records" if online.timeline is None else "online",
        views=tuple(_view(applied, name, online, runs, now_us=now_us) for name in applied.names("view")),
        kept=_kept(applied, online, now_us),
        unfinished=(*_unfinished(shop, online, now_us), *_waiting(applied, runs)),
        certificates=tuple(newest_certificates(shop)),
    )


def _online(shop: Workshop) -> _Online:
    settings = shop.settings
    if settings.online.kind == "none":
        return _Online("none: this environment is offline only")
    try:
        if settings.online.kind == "embedded":
            from skewless.node import CassandraNode

            if not CassandraNode.of(settings).status().ready:
                return _Online("the local node does not run; it is started on demand")
        link = shop.online
        return _Online("ready", Timeline(link.timeline.log()) if link is not None else None)
    except SkewlessError as error:
        return _Online(f"cannot be asked: {error}")


def _revision(online: _Online, runs: LastRuns, now_us: int) -> tuple[int | None, int | None]:
    if online.timeline is not None:
        current = online.timeline.at(now_us)
        return (None, None) if current is None else (current.number, current.visible_from_us)
    known = [run for _, run in runs.published.values()]
    newest = max(known, key=lambda run: int(run["revision"]), default=None)
    return (None, None) if newest is None else (newest["revision"], newest["visible_from_us"])


def _view(applied: AppliedProject, name: str, online: _Online, runs: LastRuns, *, now_us: int) -> ViewStanding:
    document: Mapping[str, Any] = applied.documents[f"view/{name}"]
    pointer = _pointer(name, online, runs, now_us)
    outcome, run = runs.tried.get(name, NOTHING)
    finished_us = run.get("finished_us")
    return ViewStanding(
        view=document["name"],
        version=document["version"],
        generation=pointer.generation if pointer else None,
        through=from_us(pointer.through_us) if pointer else None,
        ticks_behind=_ticks_behind(document, pointer, finished_us, now_us=now_us),
        rolled_back=_is_rolled_back(name, online, pointer),
        last_outcome=outcome.get("outcome"),
        last_run=run.get("run_id"),
        last_at=None if finished_us is None else from_us(finished_us),
    )


def _kept(applied: AppliedProject, online: _Online, now_us: int) -> tuple[str, ...]:
    current = None if online.timeline is None else online.timeline.at(now_us)
    return () if current is None else tuple(sorted(set(current.views) - set(applied.names("view"))))


def _pointer(name: str, online: _Online, runs: LastRuns, now_us: int) -> Pointer | None:
    if online.timeline is not None:
        current = online.timeline.at(now_us)
        return None if current is None else current.views.get(name)
    outcome, _ = runs.published.get(name, NOTHING)
    if outcome.get("generation") is None or outcome["through_us"] is None:
        return None
    return Pointer("", outcome["generation"], outcome["through_us"])


def _ticks_behind(
    document: Mapping[str, Any], pointer: Pointer | None, looked_us: int | None, *, now_us: int
) -> int | None:
    """Ticks that came due since the values were known to hold: for a RowView, since its source was last looked at."""
    if pointer is None:
        return None
    meaning = document["meaning"]
    held_us = pointer.through_us if meaning["kind"] != "row" else max(pointer.through_us, looked_us or 0)
    schedule = Schedule(*(timedelta(microseconds=int(meaning[name])) for name in ("every_us", "offset_us")))
    return max(0, (schedule.floor_us(now_us) - schedule.floor_us(held_us)) // schedule.every_us)


def _is_rolled_back(name: str, online: _Online, pointer: Pointer | None) -> bool:
    if online.timeline is None or pointer is None:
        return False
    return pointer.generation < max(online.timeline.published(name, pointer.table))


def _unfinished(shop: Workshop, online: _Online, now_us: int) -> Iterator[str]:
    lease = _lease(shop)
    if lease is not None:
        yield lease
    head = online.timeline.head if online.timeline is not None else None
    if head is not None and head.visible_from_us > now_us:
        yield f"revision {head.number} becomes visible at {format_instant(from_us(head.visible_from_us))}"


def _waiting(applied: AppliedProject, runs: LastRuns) -> Iterator[str]:
    for reference, (outcome, run) in sorted(runs.tried.items()):
        is_backfill = outcome["outcome"] == "planned" and run.get("command") == "backfill"
        stage = "backfill" if is_backfill else _NEXT_STAGE.get(outcome["outcome"])
        if stage is not None:
            view = short_reference(reference, applied.names("view"))
            waiting = f"{view}: generation {outcome['generation']} is {outcome['outcome']} (run {run['run_id']})"
            yield f"{waiting}; it waits for `skewless {stage} {view}`"


def _lease(shop: Workshop) -> str | None:
    path = shop.settings.registry.path
    # looking must not create the folder
    if "://" in path or not Path(path).is_dir():
        return None
    lease = Leases(LocalStore(Path(path))).peek(f"project-{shop.settings.project}")
    if lease is None or lease.released:
        return None
    if lease.is_free(SystemClock().now_us()):
        return f"{lease.holder} ended without giving the project back; the next `skewless run` settles what it left"
    return f"{lease.holder} is running since {format_instant(from_us(lease.since_us).replace(microsecond=0))}"
