"""The workshop: everything that a flow may need, opened when it is first used, closed at the end."""

from __future__ import annotations

import getpass
import importlib
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING

from skewless.config.settings import Settings
from skewless.core.clock import Clock, SystemClock
from skewless.core.fingerprint import contract_hash, digest, view_meaning
from skewless.core.generation import Generation
from skewless.core.reference import is_meant
from skewless.core.service import Definitions, FeatureService
from skewless.core.serving import ServedView, served_view
from skewless.core.source import DeltaSource
from skewless.core.view import FeatureView
from skewless.errors import ConfigError, DefinitionConflict, DefinitionError, SkewlessError
from skewless.flows.replay import ReplayClock
from skewless.registry.compiled import AppliedProject, load_applied
from skewless.registry.heads import Heads
from skewless.registry.holder import Holder
from skewless.registry.leases import HeldLease, Leases
from skewless.registry.local import LocalStore
from skewless.registry.marks import Marks

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pyspark.sql import SparkSession

    from skewless.flows.online_link import OnlineLink
    from skewless.spark.ledger import Ledger
    from skewless.spark.value_tables import ValueTables

LEASE_TTL = timedelta(seconds=60)
CHANGED = (
    "View '{view.name}' v{view.version} is not what was applied under this version. See `skewless plan`; raise its "
    "version to change values, or take the change back."
)


def quiet(_: str) -> None:
    """Say nothing: for notebooks and tests."""


@dataclass
class Workshop:
    """Settings and clock, and what follows from them.

    Attributes:
        settings: The environment.
        clock: Handed down to everything that asks for the time.
        say: Takes one line of progress.
        lease: The lease under which this process writes; None while it only reads.
    """

    settings: Settings
    clock: Clock
    say: Callable[[str], None] = quiet
    lease: HeldLease | None = None
    _opened: list[Callable[[], None]] = field(default_factory=list)

    @staticmethod
    def open(settings: Settings, *, say: Callable[[str], None] = quiet) -> Workshop:
        """A workshop with the clock that the environment names."""
        is_replay = settings.clock.kind == "replay"
        clock: Clock = ReplayClock.load(settings.state / settings.clock.file) if is_replay else SystemClock()
        return Workshop(settings, clock, say)

    @cached_property
    def definitions(self) -> Definitions:
        """What `feature_defs` declares.

        Raises:
            DefinitionError: It cannot be imported, or has no `definitions`.
        """
        place = str(self.settings.definitions_path)
        if place not in sys.path:
            sys.path.insert(0, place)
        name = self.settings.definitions
        try:
            found = importlib.import_module(name)
        except SkewlessError:
            raise
        except Exception as failure:
            message = f"Definitions '{name}' cannot be imported: {type(failure).__name__}: {failure}."
            raise DefinitionError(message) from failure
        if not isinstance(getattr(found, "definitions", None), Definitions):
            raise DefinitionError(f"Package '{name}' has no `definitions = Definitions(views=[…], services=[…])`.")
        return found.definitions  # type: ignore[no-any-return]

    @cached_property
    def session(self) -> SparkSession:
        """Spark; started when a flow first needs it."""
        from skewless.spark.session import open_session  # noqa: PLC0415 - reading online needs no Spark

        self.say("Starting Spark…")
        spark = self.settings.spark
        conf = {**spark.conf, "spark.sql.shuffle.partitions": str(spark.shuffle_partitions)}
        if spark.submitted:
            return open_session(name=spark.app_name, master=None, jars=(), conf=conf)
        conf["spark.driver.memory"] = spark.driver_memory
        return open_session(name=spark.app_name, master=spark.master, jars=spark.jars, conf=conf)

    @cached_property
    def ledger(self) -> Ledger:
        """Generations, timeline and runs."""
        from skewless.spark.ledger import Ledger  # noqa: PLC0415 - see above

        return Ledger(self.session, self.settings.root)

    @cached_property
    def online(self) -> OnlineLink | None:
        """The online store; None in an offline-only environment. The embedded node is started on demand."""
        if self.settings.online.kind == "none":
            return None
        from skewless.flows.online_link import OnlineLink  # noqa: PLC0415 - planning needs no driver

        link = OnlineLink.open(self.settings, say=self.say)
        self._opened.append(link.close)
        return link

    @cached_property
    def heads(self) -> Heads:
        """The registry."""
        return Heads(self._registry)

    @cached_property
    def marks(self) -> Marks:
        """How far work came that is done piece by piece."""
        return Marks(self._registry)

    @cached_property
    def _registry(self) -> LocalStore:
        path = self.settings.registry.path or str(self.settings.state / "registry")
        if "://" in path:
            raise ConfigError(f"Registry '{path}' is no local folder; others are not supported yet.")
        return LocalStore(Path(path))

    def applied(self) -> AppliedProject:
        """What was applied.

        Raises:
            DefinitionError: Nothing was applied yet.
        """
        found = load_applied(self.heads, self.settings.project)
        if found.is_empty:
            raise DefinitionError("Nothing was applied yet. Run `skewless apply` first.")
        return found

    def fingerprint(self, view: FeatureView, applied: AppliedProject) -> str:
        """The fingerprint under which a view was applied.

        Raises:
            DefinitionConflict: This version of it was not applied, or means something else than what was. Whether its
                transform does, only Spark can tell: see `unapplied`.
        """
        document = applied.document("view", view.reference)
        if document is None:
            message = f"View '{view.name}' v{view.version} was not applied. Run `skewless plan`, then `skewless apply`."
            raise DefinitionConflict(message)
        if digest(view_meaning(view, document["meaning"]["transform"])) != applied.fingerprints[view.reference]:
            raise DefinitionConflict(CHANGED.format(view=view))
        return applied.fingerprints[view.reference]

    def contract_hash(self, service: FeatureService, applied: AppliedProject) -> str:
        """The contract hash under which a service was applied.

        Raises:
            DefinitionConflict: It was not applied, or with other features.
        """
        known = applied.contract_hashes.get(service.name)
        if known is None or known != contract_hash(service, applied.fingerprints):
            message = f"Service '{service.name}' is not what was applied. See `skewless plan`, then `skewless apply`."
            raise DefinitionConflict(message)
        return known

    def served(self, view: FeatureView, applied: AppliedProject) -> ServedView:
        """How a view is read online."""
        return served_view(self.settings.project, view, self.fingerprint(view, applied))

    def tables(self, view: FeatureView) -> ValueTables:
        """The offline tables of a view."""
        from skewless.spark.value_tables import ValueTables  # noqa: PLC0415 - see session

        return ValueTables(self.session, self.settings.root, view, self.settings.horizon)

    def source_path(self, source: DeltaSource) -> str:
        """Where a source's table lies."""
        return self.located(source.path)

    def located(self, path: str) -> str:
        """A path of a definition, completed by the offline store's root when it is relative."""
        is_absolute = path.startswith("/") or "://" in path
        return path if is_absolute else str(PurePosixPath(self.settings.root) / path)

    def chosen_views(self, names: Iterable[str]) -> tuple[FeatureView, ...]:
        """The named views, or all of them when none is named, in the order of the definitions.

        Args:
            names: `name@version`, or `name` for every version of it.

        Raises:
            UsageError: There is no such view.
        """
        wanted = {view.reference for name in names for view in self.definitions.views_named(name)}
        return tuple(view for view in self.definitions.views if not wanted or view.reference in wanted)

    def chosen_references(self, names: Iterable[str]) -> tuple[str, ...]:
        """As `chosen_views`, but as `name@version`, and of views no longer defined every version that was applied.

        Raises:
            UsageError: There is no such view, and never was.
        """
        chosen: list[str] = []
        for name in names:
            past = [one for one in load_applied(self.heads, self.settings.project).view_versions if is_meant(one, name)]
            defined = [one for one in self.definitions.view_references if is_meant(one, name)]
            chosen += defined or past or [view.reference for view in self.definitions.views_named(name)]
        return tuple(dict.fromkeys(chosen))

    def short(self, view: FeatureView | Generation) -> str:
        """A view version as people read it: its name alone when it is the only version that is defined."""
        return self.definitions.short(view.reference)

    def leased(self, what: str) -> AbstractContextManager[HeldLease]:
        """Hold the project: one writer at a time.

        Raises:
            LeaseHeld: Somebody else holds it.
        """
        holder = Holder.here(f"{what} by {getpass.getuser()}")
        return Leases(self._registry).held(f"project-{self.settings.project}", holder=holder, ttl=LEASE_TTL)

    def close(self) -> None:
        """Close what was opened; Spark ends with the process."""
        while self._opened:
            self._opened.pop()()

    def __enter__(self) -> Workshop:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
