"""write a training set: one join per slice, counted while it is written; killed, the same call goes on."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from pyspark.sql import DataFrame

from skewless.core.failpoints import Failpoint, reached
from skewless.core.manifest import Manifest, PinnedTable
from skewless.core.time import format_instant, from_us
from skewless.errors import UsageError
from skewless.flows.leaks import LeakReport, leaked_by
from skewless.flows.manifests import keep_manifest, keep_unfinished, manifests_folder
from skewless.flows.train import (
    Begun,
    Done,
    Inputs,
    Request,
    check_request,
    checked_shape,
    inputs_of,
    manifest_of,
    output_of,
    say_hot,
)
from skewless.flows.training_page import training_page
from skewless.flows.training_place import Place, write_json, write_whole
from skewless.flows.workshop import Workshop
from skewless.site.training import page_text
from skewless.spark.point_in_time.using import Using
from skewless.spark.spine_facts import SpineFacts, label_balance, spine_facts
from skewless.spark.training import Spine
from skewless.spark.training_output import has_slice, write_delta, write_nothing, write_parquet
from skewless.spark.training_rows import Counted, Shape, part, spine_hash, written

#: Rows of a slice: some minutes of work, and few passes over the values.
_SLICE_ROWS = 2_000_000
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the writing came.

    Attributes:
        slices: Slices that are written.
        of_slices: All of them.
        rows: Rows that are written.
        of_rows: All of them.
    """

    slices: int
    of_slices: int
    rows: int
    of_rows: int

    @property
    def line(self) -> str:
        """The same as a line."""
        return f"{self.slices} of {self.of_slices} slices written, {self.rows:,} of {self.of_rows:,} rows"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a training set goes, and how.

    Attributes:
        out: A path; Parquet if it ends so, else Delta.
        label: A column whose balance is told.
        slices: Into how many the spine is cut; None goes by its rows.
        with_leaks: Compares with a join by event time, which costs another join.
        restart: Throws away what was begun and not finished.
        tell: Takes progress; None says it in lines.
    """

    out: str
    label: str | None = None
    slices: int | None = None
    with_leaks: bool = False
    restart: bool = False
    tell: Callable[[Progress], None] | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A training set on disk.

    Attributes:
        path: Its rows.
        manifest: What it is made of.
        manifest_path: The manifest's file.
        summary_path: The page for people.
        headline: Whether all is fine, in one sentence.
        leaks: What a join by event time would have leaked; None when that was not asked.
    """

    path: Path
    manifest: Manifest
    manifest_path: Path
    summary_path: Path
    headline: str
    leaks: LeakReport | None = None


@dataclass(slots=True)
class _Plan:
    """What is being written, and how far it came: the file beside the rows."""

    place: Place
    writer: str
    asked: dict[str, Any]
    begun: Begun
    slices: int
    begun_us: int
    done: list[Counted] = field(default_factory=list)
    seconds: float = 0.0

    def save(self) -> None:
        tables = {name: asdict(pin) for name, pin in self.begun.tables.items()}
        document = {
            "format": _FORMAT,
            "writer": self.writer,
            "asked": self.asked,
            "last_revision": self.begun.last_revision,
            "tables": tables,
            "slices": self.slices,
            "begun_us": self.begun_us,
            "done": self.done,
            "seconds": round(self.seconds, 3),
        }
        write_json(self.place.plan, document)

    @staticmethod
    def load(place: Place) -> _Plan | None:
        found = place.read_plan()
        if found is None:
            return None
        if found.get("format") != _FORMAT:
            raise UsageError(f"What was begun at '{place.out}' is of another release. Begin anew with --restart.")
        tables = {name: PinnedTable(**pin) for name, pin in found["tables"].items()}
        return _Plan(
            place=place,
            writer=found["writer"],
            asked=found["asked"],
            begun=Begun(found["last_revision"], tables),
            slices=found["slices"],
            begun_us=found["begun_us"],
            done=found["done"],
            seconds=found["seconds"],
        )

    def refuse_another(self, asked: Mapping[str, Any], slices: int | None) -> None:
        others = [name for name, value in asked.items() if self.asked.get(name) != value]
        others += ["slices"] if slices not in {None, self.slices} else []
        if others:
            differing = ", ".join(others)
            message = f"An unfinished training set at '{self.place.out}' was asked for with another {differing}."
            raise UsageError(f"{message} Repeat that request to finish it, or begin anew with --restart.")

    def total(self) -> Counted:
        return {name: sum(one[name] for one in self.done) for name in self.done[0]}


@dataclass(frozen=True, slots=True)
class _Job:
    """A spine, and all that was checked of it."""

    given: Spine
    request: Request
    inputs: Inputs
    shape: Shape
    facts: SpineFacts
    using: Using

    @property
    def spine(self) -> DataFrame:
        return self.given.rows


def write_training_set(shop: Workshop, given: Spine, request: Request, target: Target) -> Written:
    """Join a service's features to a spine and write the rows, a manifest and a page of it.

    All checks come first: until they pass, nothing that lies at the path is touched. The spine is cut into slices by a
    hash of its rows; each is joined and written once, and recorded. Killed, the same call goes on, with the table
    versions and the timeline that it began with. Parquet takes its place when all of it is written; a Delta table is
    overwritten by the first slice (its versions of before stay readable). The manifest is written last: rows without
    one are no training set.

    Args:
        shop: The workshop.
        given: Keys, observation time, label, whatever else; it must give the same rows each time it is read.
        request: What is asked for.
        target: Where it goes.

    Raises:
        UsageError: The spine cannot be joined, or has no rows; a view of the service was never
            published; something else lies at the path; or what was begun there is another training set.
        DefinitionConflict: The service or one of its views is not what was applied.
        LeaseHeld: Another process writes there.
    """
    check_request(request)
    place = Place(target.out)
    place.check()
    with place.held():
        if target.restart:
            place.throw_away()
        plan = _Plan.load(place)
        job = _checked(shop, given, request, target, begun=plan.begun if plan else None)
        plan = _begun(shop, job, target, place, plan)
        _write_slices(shop, job, plan, target)
        return _finish(shop, job, plan, target)


def _checked(shop: Workshop, given: Spine, request: Request, target: Target, *, begun: Begun | None) -> _Job:
    spine = given.rows
    inputs = inputs_of(shop, request, begun)
    shape = checked_shape(spine, request, inputs)
    if target.label is not None and target.label not in spine.columns:
        message = f"The spine has no label column '{target.label}' (it has {spine.columns})."
        raise UsageError(f"{message} Name one of them with --label.")
    silent = [one.view.name for one in inputs.pins.values if one.newest is None]
    if silent:
        when = "yet" if request.known_at_us is None else f"by {format_instant(from_us(request.known_at_us))}"
        message = f"Nothing was published {when} of {', '.join(silent)}: each of its values would be missing."
        raise UsageError(f"{message} Publish it first with `skewless run`, or ask for a later time.")
    shop.say("Reading the spine…")
    facts = spine_facts(spine, request.time_column, now_us=shop.clock.now_us())
    if not facts.rows:
        raise UsageError("The spine has no rows, so there is nothing to join. See what it was selected by.")
    if facts.later and facts.last_us is not None:
        last, now = (format_instant(from_us(one)) for one in (facts.last_us, shop.clock.now_us()))
        told = f"{facts.later:,} of {facts.rows:,} rows of the spine lie in the future (up to {last}; now is {now})"
        shop.say(f"{told}: they get what is known now, which is not what will be served then.")
    return _Job(given, request, inputs, shape, facts, inputs.using(spine, request))


def _begun(shop: Workshop, job: _Job, target: Target, place: Place, plan: _Plan | None) -> _Plan:
    """What was begun, or a plan that is begun now."""
    asked = _identity(job, target, place)
    if plan is not None:
        plan.refuse_another(asked, target.slices)
        since, revision = format_instant(from_us(plan.begun_us)), plan.begun.last_revision
        shop.say(f"Going on with what was begun at {since}, as of revision {revision}.")
        return plan
    head = job.inputs.pins.timeline.head
    plan = _Plan(
        place=place,
        writer=f"training set {secrets.token_hex(8)}",
        asked=asked,
        begun=Begun(head.number if head else None, job.inputs.pins.tables),
        slices=target.slices or max(1, -(-job.facts.rows // _SLICE_ROWS)),
        begun_us=shop.clock.now_us(),
    )
    # before the plan is seen by anybody, vacuum knows where to look for what it needs
    keep_unfinished(shop, place.plan)
    plan.save()
    reached(Failpoint.TRAIN_PLANNED)
    return plan


def _identity(job: _Job, target: Target, place: Place) -> dict[str, Any]:
    """What decides the rows and the manifest; an engine does not."""
    request = job.request
    return {
        "service": request.service.name,
        "contract": job.inputs.contract,
        "join": request.mode,
        "known_at": request.known_at_us,
        "time column": request.time_column,
        "status": request.with_status,
        "split": None if request.split is None else str(request.split),
        "label": target.label,
        "format": place.file_format,
        "views": {name: dict(told) for name, told in job.inputs.views.items()},
        "spine": {"rows": job.facts.rows, "content_hash": job.facts.content_hash},
    }


def _write_slices(shop: Workshop, job: _Job, plan: _Plan, target: Target) -> None:
    service, views = job.request.service, job.inputs.pins.views
    shop.say(f"Joining {len(service.features)} features of {len(views)} views, {job.request.mode}…")
    say_hot(shop, job.using)
    tell = target.tell or (lambda progress: shop.say(f"{progress.line}."))

    def told() -> None:
        rows = sum(one["rows"] for one in plan.done)
        tell(Progress(len(plan.done), plan.slices, rows, job.facts.rows))

    if plan.done or target.tell:
        told()
    for number in range(len(plan.done), plan.slices):
        begun = perf_counter()
        some = part(job.spine, number, plan.slices)
        answered = job.inputs.join(some, job.request, job.using)
        found = written(answered, some, job.shape, _writer(shop, plan, number))
        reached(Failpoint.TRAIN_SLICE)
        plan.done.append(found)
        plan.seconds += perf_counter() - begun
        plan.save()
        reached(Failpoint.TRAIN_RECORDED)
        told()


def _writer(shop: Workshop, plan: _Plan, number: int) -> Callable[[DataFrame], None]:
    place = plan.place
    if place.is_parquet:
        return lambda rows: write_parquet(rows, str(place.slice(number)))
    path = str(place.rows)
    if has_slice(shop.session, path, writer=plan.writer, slice_number=number):
        return write_nothing
    if number == 0:
        # from here on what lay there is replaced
        place.manifest.unlink(missing_ok=True)
        place.summary.unlink(missing_ok=True)
    return lambda rows: write_delta(rows, path, writer=plan.writer, slice_number=number)


def _finish(shop: Workshop, job: _Job, plan: _Plan, target: Target) -> Written:
    place, total = plan.place, plan.total()
    if spine_hash(total) != job.facts.content_hash:
        message = "The spine did not give the same rows when it was read again."
        raise UsageError(f"{message} Write it to a table, then begin anew with --restart.")
    label = None if target.label is None else label_balance(job.spine, target.label, job.shape)
    done = Done(total, job.using.engine, plan.seconds, job.given.place, label or {})
    manifest = manifest_of(shop, job.request, job.inputs, done)
    leaked = None
    if target.with_leaks:
        leaked = leaked_by(shop, job.inputs.pins, job.spine, time_column=job.request.time_column)
    if place.is_parquet:
        place.manifest.unlink(missing_ok=True)
        place.put_slices_in_place(plan.slices)
    reached(Failpoint.TRAIN_PLACED)
    manifest = replace(manifest, output=output_of(job.spine, str(place.rows), place.file_format))
    # before the manifest is seen by anybody, vacuum knows what it pins
    keep_manifest(manifests_folder(shop), manifest)
    page = training_page(shop, manifest, place, leaked)
    write_whole(place.summary, page_text(page))
    write_json(place.manifest, manifest.to_json())
    place.plan.unlink()
    return Written(place.rows, manifest, place.manifest, place.summary, page.headline, leaked)
