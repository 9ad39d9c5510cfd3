"""Feature views: features of one entity from one transform; three kinds, one per way of computing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import gcd
from typing import TYPE_CHECKING, Any, ClassVar, get_args

from skewless.core.aggregate import Aggregate
from skewless.core.dtypes import DType
from skewless.core.entity import Entity
from skewless.core.layout import TYPED, OnlineLayout
from skewless.core.names import PACKED, checked_name, unique_names
from skewless.core.reference import view_reference
from skewless.core.rules import Rule
from skewless.core.source import DeltaSource
from skewless.core.time import Schedule, duration_us, to_us
from skewless.errors import DefinitionError


@dataclass(frozen=True, slots=True)
class Feature:
    """A typed column of values.

    Attributes:
        name: By which models ask for it.
        dtype: One of the closed set of types; every feature may be null.
        description: For people.
        tags: For search; `pii` keeps its values out of every report.
    """

    name: str
    dtype: DType
    description: str = ""
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        checked_name(self.name, what="Feature")


@dataclass(frozen=True, slots=True)
class FeatureRef:
    """One feature of one version of a view, as a service pins it."""

    view: str
    version: int
    feature: str

    def __str__(self) -> str:
        """`view:feature`."""
        return f"{self.view}:{self.feature}"

    @property
    def view_reference(self) -> str:
        """The view version that it pins, as `name@version`."""
        return view_reference(self.view, self.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureView:
    """What the three kinds share.

    Attributes:
        name: By which it is found.
        entity: What its features describe.
        version: Integer that the author raises when values change.
        ttl: Age at which a value is too old and withheld; None never.
        every: Period of its runs (RowView) or of its ticks (the others), aligned in UTC.
        offset: Shift of the ticks from that alignment.
        start: First instant whose ticks are evaluated; None begins with the first event.
        availability_delay: Assumed delay of a value before the view was first published; None takes one period.
        quality: Rules that each generation must meet before it becomes visible.
        online_layout: `typed` stores a column per feature, `packed` all features of a row in one, which is smaller
            and quicker for wide views; values and the offline side are the same. It is fixed with the version.
        owner: Team or address.
        description: For people.
        tags: For search.
    """

    kind: ClassVar[str] = ""

    name: str
    entity: Entity
    version: int = 1
    ttl: timedelta | None = None
    every: timedelta = timedelta(days=1)
    offset: timedelta = timedelta(0)
    start: datetime | None = None
    availability_delay: timedelta | None = None
    quality: tuple[Rule, ...] = ()
    online_layout: OnlineLayout = TYPED
    owner: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()

    def check(self) -> None:
        """Refuse what no run could make sense of.

        Raises:
            DefinitionError: It says what, why and what to do.
        """
        checked_name(self.name, what="Feature view")
        self.schedule  # noqa: B018 - building it checks it
        if self.version < 1:
            raise DefinitionError(f"View '{self.name}' has version {self.version}. Versions are 1, 2, 3, …")
        self._check_times()
        names = unique_names(self.feature_names, what="Feature", where=f"view '{self.name}'")
        if not names:
            raise DefinitionError(f"View '{self.name}' has no features. Declare at least one.")
        clash = sorted(set(names) & set(self.entity.key_names))
        if clash:
            raise DefinitionError(f"View '{self.name}' has features named like its keys: {clash}. Rename them.")
        self._check_layout()
        rules: tuple[object, ...] = self.quality
        for rule in rules:
            if not isinstance(rule, Rule):
                message = f"View '{self.name}': quality rule {rule!r} is not one of ours. Use skewless.gxe.Expect…(…)."
                raise DefinitionError(message)

    def _check_layout(self) -> None:
        layouts = get_args(OnlineLayout)
        if self.online_layout not in layouts:
            message = f"View '{self.name}' has online_layout {self.online_layout!r}. Use one of {', '.join(layouts)}."
            raise DefinitionError(message)
        if self.online_layout == PACKED and PACKED in self.entity.keys:
            message = (
                f"View '{self.name}' is packed and has a key '{PACKED}', which is how the column of its values is "
                "called. Rename the key, or use online_layout='typed'."
            )
            raise DefinitionError(message)

    def _check_times(self) -> None:
        if self.ttl is not None and self.ttl <= timedelta(0):
            message = f"View '{self.name}' has ttl {self.ttl}: nothing would ever be served. Use None for 'never'."
            raise DefinitionError(message)
        if self.availability_delay is not None and self.availability_delay < timedelta(0):
            message = (
                f"View '{self.name}' has availability_delay {self.availability_delay}: "
                "values would be known before their time. Use 0 or more."
            )
            raise DefinitionError(message)
        if self.start is not None:
            to_us(self.start)

    @property
    def reference(self) -> str:
        """This version of it, as `name@version`: the key under which everything knows it."""
        return view_reference(self.name, self.version)

    @property
    def schedule(self) -> Schedule:
        """Its ticks."""
        return Schedule(self.every, self.offset)

    if TYPE_CHECKING:  # a body here would become the default of the kinds' own fields

        @property
        def features(self) -> tuple[Feature, ...]:
            """Its features in order."""

        @property
        def sources(self) -> tuple[DeltaSource, ...]:
            """The tables that it reads."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of its features in order."""
        return tuple(feature.name for feature in self.features)

    @property
    def feature_types(self) -> dict[str, DType]:
        """Feature → type, in order."""
        return {feature.name: feature.dtype for feature in self.features}

    @property
    def has_ticks(self) -> bool:
        """True for the kinds that are evaluated at ticks (values hold until the next one)."""
        return True

    @property
    def delay_us(self) -> int:
        """The availability delay of its simulated era, in microseconds."""
        return duration_us(self.every if self.availability_delay is None else self.availability_delay)

    def pick(self, *names: str) -> tuple[FeatureRef, ...]:
        """Refer to some of its features, or to all of them when none is named, for a service.

        Raises:
            DefinitionError: It has no feature of that name.
        """
        unknown = [name for name in names if name not in self.feature_names]
        if unknown:
            raise DefinitionError(f"View '{self.name}' has no features {unknown}; it has {list(self.feature_names)}.")
        return tuple(FeatureRef(self.name, self.version, name) for name in names or self.feature_names)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowView(FeatureView):
    """One source row gives zero or more value rows.

    Attributes:
        source: The table that it reads.
        transform: Source rows → keys, `event_timestamp`, features (and the source's tie-break columns).
        features: Its features.
    """

    kind: ClassVar[str] = "row"

    source: DeltaSource
    transform: Callable[[Any], Any]
    features: tuple[Feature, ...]

    def __post_init__(self) -> None:
        self.check()

    @property
    def sources(self) -> tuple[DeltaSource, ...]:
        """Its one source."""
        return (self.source,)

    @property
    def has_ticks(self) -> bool:
        """False: a value speaks for its own event time."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowView(FeatureView):
    """Declared aggregates over trailing windows `[tick - over, tick)`, evaluated at every tick.

    Attributes:
        source: The table that it reads.
        events: Source rows → keys, `event_timestamp` and the plain columns that the aggregates read.
        aggregates: Feature name → aggregate.
        descriptions: Feature name → text for people.
    """

    kind: ClassVar[str] = "window"

    source: DeltaSource
    events: Callable[[Any], Any]
    aggregates: Mapping[str, Aggregate] = field(hash=False)
    descriptions: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        self.check()
        for name, aggregate in self.aggregates.items():
            if aggregate.over is None or aggregate.over <= timedelta(0):
                message = f"Aggregate '{name}' of view '{self.name}' has no window. Give it over=days(7), say."
                raise DefinitionError(message)

    @property
    def features(self) -> tuple[Feature, ...]:
        """One feature per aggregate."""
        return tuple(
            Feature(name, aggregate.dtype, self.descriptions.get(name, ""))
            for name, aggregate in self.aggregates.items()
        )

    @property
    def sources(self) -> tuple[DeltaSource, ...]:
        """Its one source."""
        return (self.source,)

    @property
    def tile_us(self) -> int:
        """Length of a tile: the greatest common divisor of the period and all windows, in microseconds."""
        return gcd(self.schedule.every_us, *(duration_us(one.over) for one in self.aggregates.values() if one.over))


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotView(FeatureView):
    """Any PySpark over its sources, already cut at the tick.

    Attributes:
        sources: The tables that it reads.
        transform: (source name → rows of `[as_of - lookback, as_of)`, as_of) → keys and features.
        features: Its features.
        lookback: Source name → how far back its cut reaches; all of the past for sources that are not named.
    """

    kind: ClassVar[str] = "snapshot"

    sources: tuple[DeltaSource, ...]
    transform: Callable[[Mapping[str, Any], Any], Any]
    features: tuple[Feature, ...]
    lookback: Mapping[str, timedelta] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        self.check()
        unique_names((source.name for source in self.sources), what="Source", where=f"view '{self.name}'")
        unknown = sorted(set(self.lookback) - {source.name for source in self.sources})
        if unknown:
            raise DefinitionError(f"View '{self.name}' looks back into {unknown}, which it does not read.")
        empty = sorted(name for name, reach in self.lookback.items() if reach <= timedelta(0))
        if empty:
            raise DefinitionError(f"View '{self.name}' looks back no time into {empty}. Give it days(90), say.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedView(FeatureView):
    """What the records say of a view version: enough to read its values, nothing to evaluate it by.

    Attributes:
        recorded_kind: row, window or snapshot.
        features: Its features.
    """

    kind: ClassVar[str] = "recorded"

    recorded_kind: str
    features: tuple[Feature, ...]

    @property
    def sources(self) -> tuple[DeltaSource, ...]:
        """None: values that are known need no source."""
        return ()

    @property
    def has_ticks(self) -> bool:
        """As of the view that was recorded."""
        return self.recorded_kind != RowView.kind
