"""FeatureStore: the product for jobs and notebooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from skewless.config import load_settings, prepare_process
from skewless.core.manifest import Manifest
from skewless.core.run_record import RunRecord
from skewless.core.service import FeatureService
from skewless.core.split import Split
from skewless.core.time import to_us
from skewless.core.timeline import Revision
from skewless.core.vector import FeatureVector, Status
from skewless.errors import UsageError
from skewless.flows.replay import ReplayClock
from skewless.flows.workshop import Workshop, quiet

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from skewless.core.aggregate import Aggregate
    from skewless.flows.explain import Explanation
    from skewless.flows.leaks import LeakReport
    from skewless.flows.optimize import LaidOut
    from skewless.flows.parity import Certificate
    from skewless.flows.refill import Refilled
    from skewless.flows.train import TrainingSet
    from skewless.flows.vacuum import Vacuumed
    from skewless.flows.write_training_set import Progress, Written
    from skewless.plan.definition_plan import DefinitionPlan
    from skewless.spark.training import Spine

#: How long a version stays readable after a newer one, unless it is said.
RETAIN = timedelta(days=30)
STAGES = ("materialize", "validate", "push", "publish")


@dataclass(frozen=True, slots=True)
class FeatureValue:
    """One feature of one entity at one instant.

    Attributes:
        value: None unless the status is PRESENT.
        status: Why it is there or not.
        vector: All that was asked beside it.
    """

    value: object
    status: Status
    vector: FeatureVector


@dataclass(frozen=True, slots=True)
class FeatureStore:
    """One environment of one project; nothing is opened before it is needed.

    Attributes:
        workshop: What the flows work with.
    """

    workshop: Workshop

    @staticmethod
    def open(conf: str | Path = "conf", *, env: str | None = None, say: Callable[[str], None] = quiet) -> FeatureStore:
        """Open an environment.

        Args:
            conf: The configuration folder.
            env: The environment; None takes SKEWLESS_ENV, or `demo`.
            say: Takes one line of progress.

        Raises:
            ConfigError: A setting, the environment's name or a secret is wrong or missing.
        """
        settings = load_settings(Path(conf), env)
        prepare_process(settings)
        return FeatureStore(Workshop.open(settings, say=say))

    @property
    def session(self) -> SparkSession:
        """Spark, started when it is first asked for."""
        return self.workshop.session

    def plan(self) -> DefinitionPlan:
        """What `apply` would change."""
        from skewless.flows.apply import plan  # noqa: PLC0415 - flows bring Spark or the driver; each call its own

        return plan(self.workshop)

    def apply(self) -> DefinitionPlan:
        """Make the definitions what is applied; returns what changed."""
        from skewless.flows.apply import apply  # noqa: PLC0415 - see plan

        return apply(self.workshop)[0]

    def land(self, source: str, file: str | Path, *, mode: str = "append", keys: tuple[str, ...] = ()) -> int:
        """Bring a file into a source's Delta table; returns its rows.

        Raises:
            UsageError: There is no such source, file or mode.
        """
        from skewless.flows.land import land  # noqa: PLC0415 - see plan

        found = {one.name: one for one in self.workshop.definitions.sources}
        if source not in found:
            raise UsageError(f"There is no source '{source}'. Known: {', '.join(sorted(found))}.")
        return land(self.workshop, found[source], Path(file), mode=mode, keys=keys)

    def move_clock(self, now: datetime | None) -> None:
        """Move the replay clock forward; None leaves it. It never goes back, so names are checked before.

        Raises:
            UsageError: The environment's clock is no replay clock, or stands later.
        """
        if now is None:
            return
        clock = self.workshop.clock
        if not isinstance(clock, ReplayClock):
            message = f"--now moves the replay clock; environment '{self.workshop.settings.env}' has the system's."
            raise UsageError(message)
        clock.move_to(now)

    def run(
        self,
        *views: str,
        through: datetime | None = None,
        now: datetime | None = None,
        accept: Mapping[str, str] | None = None,
    ) -> RunRecord:
        """Materialize, validate, push and publish views in one revision; all when none is named.

        Args:
            views: `name@version`, or `name` for every version of it.
            through: Upper bound of the ticks, included.
            now: Moves the replay clock first.
            accept: Check → reason for publishing in spite of its failure.

        Raises:
            NothingToDo: No source changed and no tick came due.
            RefusedByValidation: The gate refused a view; nothing became visible.
            LeaseHeld: Somebody else runs.
        """
        from skewless.flows.run import run  # noqa: PLC0415 - see plan

        self.workshop.chosen_views(views)
        self.move_clock(now)
        return run(self.workshop, views, through=through, accept=accept)

    def run_stage(
        self,
        stage: str,
        *views: str,
        through: datetime | None = None,
        now: datetime | None = None,
        accept: Mapping[str, str] | None = None,
    ) -> RunRecord:
        """Run one of materialize, validate, push, publish; each takes up what the one before left.

        Raises:
            NothingToDo: No view waits for this stage.
            RefusedByValidation: The gate refused a view.
        """
        from skewless.flows.run import run_stage  # noqa: PLC0415 - see plan

        if stage not in STAGES:
            raise UsageError(f"There is no stage '{stage}'. Stages are {', '.join(STAGES)}.")
        self.workshop.chosen_views(views)
        self.move_clock(now)
        return run_stage(self.workshop, stage, views, through=through, accept=accept)

    def backfill(  # noqa: PLR0913 - the front door: all but the view by keyword, each with a default
        self,
        view: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        chunk: timedelta | None = None,
        give_up: bool = False,
        now: datetime | None = None,
        accept: Mapping[str, str] | None = None,
    ) -> RunRecord:
        """Evaluate a range of a view's past chunk by chunk, and publish what differs from its history.

        A killed backfill is resumed by the same call.

        Args:
            view: `name@version`; the newest version when only the name is said.
            start: First tick or event time, included; None is where the view begins.
            end: Last one, included; None is where its history ends, or now.
            chunk: Length of a chunk; None is 90 days.
            give_up: Abandon a backfill that has not ended.
            now: Moves the replay clock first.
            accept: Check → reason for publishing in spite of its failure.

        Raises:
            UsageError: The range does not fit what is known of the view.
            NothingToDo: No value of the range differs from history.
            RefusedByValidation: The gate refused it.
        """
        from skewless.flows.backfill import LENGTH, Wanted, backfill  # noqa: PLC0415 - see plan

        self.workshop.chosen_views([view])
        self.move_clock(now)
        wanted = Wanted(start, end, chunk or LENGTH)
        return backfill(self.workshop, view, wanted, accept=accept, give_up=give_up)

    def rollback(self, *views: str, to: int | None = None, now: datetime | None = None) -> Revision:
        """Point views at what an earlier (or later) revision said of them; no data move.

        Args:
            views: `name@version`, or `name` for every version of it; all that are published when none is named. A
                version that is no longer defined has to be named as such.
            to: The revision; None is the newest in which one of the views had older values, and none newer ones.
            now: Moves the replay clock first.
        """
        from skewless.flows.publish import rollback  # noqa: PLC0415 - see plan

        self.workshop.chosen_references(views)
        self.move_clock(now)
        return rollback(self.workshop, views, to=to)

    def revert(
        self,
        view: str,
        *generations: int,
        now: datetime | None = None,
        accept: Mapping[str, str] | None = None,
    ) -> RunRecord:
        """Take bad generations of a view back: a new one restates what was known before them, and is published.

        Args:
            view: `name@version`; the newest version when only the name is said.
            generations: The bad ones; without any, those that the view is rolled back from.
            now: Moves the replay clock first.
            accept: Check → reason for publishing in spite of its failure.

        Raises:
            UsageError: There is no such generation.
            NothingToDo: Later generations have replaced all that they said.
            RefusedByValidation: The gate refused it.
        """
        from skewless.flows.revert import revert  # noqa: PLC0415 - see plan

        self.workshop.chosen_views([view])
        self.move_clock(now)
        return revert(self.workshop, view, generations, accept=accept)

    def training_set(  # noqa: PLR0913 - the front door: all but service and spine by keyword, each with a default
        self,
        service: str,
        spine: DataFrame | str,
        *,
        join: str = "as-served",
        known_at: datetime | None = None,
        time_column: str = "timestamp",
        with_status: bool = False,
        engine: str = "auto",
        split: str | None = None,
    ) -> TrainingSet:
        """Join a service's features to a spine as they were served.

        Args:
            service: Its name.
            spine: A frame, or the path of a Delta table, parquet or CSV file.
            join: as-served; event-time (the newest history: it leaks corrections and late rows); or as-known (the
                history that readers were told to use at `known_at`: an older study, made again).
            known_at: Of as-known.
            time_column: The spine's observation time.
            with_status: Adds a `view__feature__status` column per feature.
            engine: auto chooses; window is for any size, bucket holds each bucket of keys in memory and reads sorted
                copies. All give the same rows.
            split: Adds a column `split`: `time:2017-10-01`, `key:0.2` or `key:user_id:0.2`; see `skewless.core.split`.

        Raises:
            UsageError: Unknown service, or a spine that cannot be joined or split so.
        """
        from skewless.flows.train import Request, train  # noqa: PLC0415 - see plan

        known_at_us = None if known_at is None else to_us(known_at)
        parted = None if split is None else Split.parse(split)
        request = Request(self._service(service), time_column, join, with_status, known_at_us, engine, parted)
        return train(self.workshop, self._spine(request.service, spine), request)

    def window_values(
        self,
        view: str,
        spine: DataFrame | str,
        *,
        aggregates: Mapping[str, Aggregate] | None = None,
        time_column: str = "timestamp",
    ) -> DataFrame:
        """Evaluate windowed aggregates at the times of a spine: to try them before they are features.

        For a row at T each aggregate looks at the events of its entity in `[T - over, T)` and gives what a tick at T
        would. This is event time: the source is read as it is now, with late rows and corrections that were not known
        at T. Events that a run would set aside do not count; the clock and the view's start and ttl play no part.

        Args:
            view: A WindowView, `name@version` or the newest version; it need not be applied, nor ever have run.
            spine: A frame, or the path of a Delta table, parquet or CSV file.
            aggregates: Name → aggregate, as in a WindowView; the view's own when None.
            time_column: The spine's observation time.

        Returns:
            Every spine row once, its columns as they are, then one column per aggregate; without events the values of
            empty windows, for a null key or time all null.

        Raises:
            UsageError: There is no such WindowView, or the spine cannot be joined.
            DefinitionError: An aggregate does not fit the view's events.
        """
        from skewless.flows.window_values import window_values  # noqa: PLC0415 - see plan

        return window_values(self.workshop, view, spine, aggregates=aggregates, time_column=time_column)

    def rebuild(self, manifest: Manifest | str | Path, spine: DataFrame | str | None = None) -> TrainingSet:
        """Make a training set again: the same rows, or the reason why not.

        Args:
            manifest: A manifest, its file, or the id of one that is kept.
            spine: A frame, or a path; None is where the manifest says that it lies.

        Raises:
            UsageError: It is no manifest, or says of no place where its spine lies.
            ContractBroken: The rows differ, or cannot be made; the message names the first difference and its cause.
        """
        from skewless.flows.rebuild import rebuild  # noqa: PLC0415 - see plan

        return rebuild(self.workshop, manifest, spine)

    def vacuum(
        self,
        *views: str,
        retain: timedelta = RETAIN,
        dry_run: bool = False,
        forget: tuple[str, ...] = (),
    ) -> Vacuumed:
        """Remove data files that no version needs which is the newest, held by a manifest, or younger than so long.

        Args:
            views: `name@version`, or `name` for every version of it; all that were ever applied when none is named.
            retain: How long a version stays readable after a newer one; below a day only while nobody reads.
            dry_run: Only says what would be removed.
            forget: Manifests, by id or file, that hold nothing any longer.

        Raises:
            UsageError: There is no such view, or no such manifest is kept.
            LeaseHeld: Somebody else runs.
        """
        from skewless.flows.vacuum import vacuum  # noqa: PLC0415 - see plan

        return vacuum(self.workshop, views, retain=retain, dry_run=dry_run, forgotten=forget)

    def write_training_set(  # noqa: PLR0913 - as training_set
        self,
        service: str,
        spine: DataFrame | str,
        out: str,
        *,
        join: str = "as-served",
        known_at: datetime | None = None,
        time_column: str = "timestamp",
        with_status: bool = False,
        engine: str = "auto",
        split: str | None = None,
        label: str | None = None,
        slices: int | None = None,
        leaks: bool = False,
        restart: bool = False,
        tell: Callable[[Progress], None] | None = None,
    ) -> Written:
        """Join a service's features to a spine and write them: rows, manifest, a page for people.

        Each row is joined once. A killed call, repeated, goes on where it was, with the versions that it began with.

        Args:
            service: As for `training_set`, like all that is not named here.
            spine: As above.
            out: Where the rows go: Parquet if it ends in `.parquet`, else Delta.
            join: As above.
            known_at: As above.
            time_column: As above.
            with_status: As above.
            engine: As above.
            split: As above.
            label: A column of the spine whose balance is told.
            slices: Into how many parts the spine is cut; None goes by its rows.
            leaks: Tells also what a join by event time would have leaked; costs another join.
            restart: Throws away what was begun there and not finished.
            tell: Takes progress; None says it in lines.

        Raises:
            UsageError: Unknown service, a spine that cannot be joined, or a place that must not be written to.
            LeaseHeld: Another process writes there.
        """
        from skewless.flows.train import Request  # noqa: PLC0415 - see plan
        from skewless.flows.write_training_set import Target, write_training_set  # noqa: PLC0415 - see plan

        known_at_us = None if known_at is None else to_us(known_at)
        parted = None if split is None else Split.parse(split)
        request = Request(self._service(service), time_column, join, with_status, known_at_us, engine, parted)
        target = Target(out, label, slices, leaks, restart, tell)
        return write_training_set(self.workshop, self._spine(request.service, spine), request, target)

    def leaks(self, service: str, spine: DataFrame | str, *, time_column: str = "timestamp") -> LeakReport:
        """What the classic event-time join would leak for a spine: late and corrected facts that nobody was served.

        Args:
            service: Its name.
            spine: A frame, or the path of a Delta table, parquet or CSV file.
            time_column: The spine's observation time.

        Raises:
            UsageError: Unknown service, or a spine that cannot be joined.
        """
        from skewless.flows.leaks import leaks  # noqa: PLC0415 - see plan

        found = self._service(service)
        return leaks(self.workshop, found, self._spine(found, spine).rows, time_column=time_column)

    def get_features(self, service: str, keys: Mapping[str, object], *, at: datetime) -> FeatureVector:
        """A service's features of one entity at an instant, from history.

        Raises:
            UsageError: Unknown service, wrong keys, or a time without a zone.
        """
        from skewless.flows.look_up import look_up  # noqa: PLC0415 - see plan

        return look_up(self.workshop, self._service(service), keys, at=at)

    def get_feature(self, feature: str, keys: Mapping[str, object], *, at: datetime) -> FeatureValue:
        """One feature of one entity at an instant, from history: `view:feature`, or `view@version:feature`.

        Raises:
            UsageError: Unknown feature, wrong keys, or a time without a zone.
        """
        from skewless.flows.look_up import look_up  # noqa: PLC0415 - see plan

        view, _, name = feature.partition(":")
        picked = self.workshop.definitions.view(view).pick(name)
        vector = look_up(self.workshop, FeatureService("look_up", features=[picked]), keys, at=at)
        reference = str(picked[0])
        return FeatureValue(vector.values[reference], vector.status[reference], vector)

    def explain(self, view: str, keys: Mapping[str, object], *, at: datetime) -> Explanation:
        """Why a view says what it says of one entity at an instant: statements, generations, the winner.

        Args:
            view: `name@version`; the newest version when only the name is said.
            keys: Key column → value.
            at: The observation time.

        Raises:
            UsageError: Unknown view, wrong keys, or a time without a zone.
        """
        from skewless.flows.explain import explain  # noqa: PLC0415 - see plan

        return explain(self.workshop, self.workshop.definitions.view(view), keys, at=at)

    def parity(self, *services: str, sample: int | None = None) -> tuple[Certificate, ...]:
        """Compare the online answers of services with history; all services when none is named.

        Args:
            services: Names.
            sample: Entities per service; every one when None.

        Raises:
            StoreUnreachable: The online store does not answer.
        """
        from skewless.flows.parity import certify  # noqa: PLC0415 - see plan

        chosen = [self._service(name) for name in services] or list(self.workshop.definitions.services)
        return tuple(certify(self.workshop, one, sample=sample) for one in chosen)

    def optimize(self, *views: str) -> tuple[LaidOut, ...]:
        """Lay history and served of views, or of all, out for training joins; see `skewless optimize`."""
        from skewless.flows.optimize import optimize  # noqa: PLC0415 - see plan

        return optimize(self.workshop, views)

    def refill(self) -> Refilled:
        """Send all rows that the retained revisions can see to the online store again, and restore its timeline.

        Raises:
            NothingToDo: Nothing was ever published.
            ContractBroken: What was read back differs.
        """
        from skewless.flows.refill import refill  # noqa: PLC0415 - see plan

        return refill(self.workshop)

    def report(self, *views: str) -> Path:
        """Build the report site, of all views when none is named; returns its front page."""
        from skewless.flows.report import report  # noqa: PLC0415 - see plan

        return report(self.workshop, views)

    def close(self) -> None:
        """Disconnect from the online store; Spark ends with the process."""
        self.workshop.close()

    def __enter__(self) -> FeatureStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _spine(self, service: FeatureService, spine: DataFrame | str) -> Spine:
        from skewless.spark.training import Spine, spine_at  # noqa: PLC0415 - see plan

        views = self.workshop.definitions.views_of(service)
        return spine_at(self.session, spine, views) if isinstance(spine, str) else Spine(spine)

    def _service(self, name: str) -> FeatureService:
        return self.workshop.definitions.service(name)
