"""Settings as values: frozen, typed, with the default of every key and the bounds that it must keep.

Where a field carries `computed`, it follows from the place of the checkout or the machine and cannot be set in a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

_NAME: Final = r"[a-z][a-z0-9_]{0,47}"
_COMPUTED: Final = {"computed": True}


def _at_least(low: float, high: float | None = None) -> dict[str, Any]:
    return {"low": low, "high": high}


def _nothing() -> Mapping[str, str]:
    return MappingProxyType({})


def _span(low: timedelta, high: timedelta | None = None) -> dict[str, Any]:
    return {"low": low, "high": high}


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A value that never shows itself in a message, a log or a dump."""

    _value: str

    def reveal(self) -> str:
        """The secret itself, for the call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"


@dataclass(frozen=True, slots=True)
class ClockSettings:
    """Which clock the entry points hand down."""

    kind: Literal["system", "replay"] = "system"
    file: Path = Path("clock.json")
    """State of the replay clock; relative to `project.state`."""
    max_skew: timedelta = field(default=timedelta(minutes=5), metadata=_span(timedelta(0), timedelta(hours=1)))


@dataclass(frozen=True, slots=True)
class SparkSettings:
    """How a session is started when spark-submit has not already decided it."""

    master: str = "local[*]"
    app_name: str = "skewless"
    driver_memory: str = field(default="2g", metadata={"pattern": r"[1-9]\d*[mg]"})
    java_options: str = ""
    """Further options of a session's JVM that the library starts itself."""
    shuffle_partitions: int = field(default=4, metadata=_at_least(1, 100_000))
    conf: Mapping[str, str] = field(default_factory=_nothing)
    """`conf/spark-defaults.conf`, overlaid by `[spark.conf]`."""
    jars: tuple[Path, ...] = field(default=(), metadata=_COMPUTED)
    """Delta's two jars; empty when they were not fetched yet."""
    submitted: bool = field(default=False, metadata=_COMPUTED)
    """True inside spark-submit, which already chose master, memory and jars."""


@dataclass(frozen=True, slots=True)
class PushSettings:
    """How hard the push may lean on the online store."""

    batch_statements: int = field(default=20, metadata=_at_least(1, 1_000))
    batch_bytes: int = field(default=5_000, metadata=_at_least(500, 50_000))
    in_flight: int = field(default=32, metadata=_at_least(1, 1_024))
    rows_per_second_cap: int | None = field(default=None, metadata=_at_least(1))
    retries: int = field(default=4, metadata=_at_least(0, 20))


@dataclass(frozen=True, slots=True)
class OnlineSettings:
    """The store that services read."""

    kind: Literal["embedded", "cassandra", "none"] = "embedded"
    contact_points: tuple[str, ...] = ("127.0.0.1",)
    port: int = field(default=0, metadata=_at_least(0, 65_535))
    """0: the embedded node chooses one per checkout; a real cluster is then asked on 9042."""
    keyspace: str = field(default="", metadata={"pattern": f"({_NAME})?"})
    """Empty: `skewless_<project>`."""
    local_dc: str = "datacenter1"
    username: str | None = None
    password: Secret | None = None
    ca_file: Path | None = None
    """Certificate authorities (PEM) by which the nodes' certificates are verified; None: no TLS."""
    tls_name: str | None = None
    """The name that every node's certificate holds; None: each holds its own address."""
    activation_delay: timedelta = field(
        default=timedelta(seconds=2), metadata=_span(timedelta(0), timedelta(minutes=5))
    )
    retain_revisions: int = field(default=10, metadata=_at_least(2, 10_000))
    deadline: timedelta = field(
        default=timedelta(milliseconds=50), metadata=_span(timedelta(milliseconds=1), timedelta(minutes=1))
    )
    poll_interval: timedelta = field(
        default=timedelta(seconds=1), metadata=_span(timedelta(milliseconds=10), timedelta(minutes=1))
    )
    replication_factor: int = field(default=1, metadata=_at_least(1, 9))
    heap_mb: int = field(default=512, metadata=_at_least(128, 8_192))
    """Heap of the embedded node."""
    push: PushSettings = PushSettings()


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """Where applied definitions, heads and leases are kept."""

    path: str = ""
    """A folder or an `s3://` address; empty: `<state>/registry`."""


@dataclass(frozen=True, slots=True)
class QualitySettings:
    """Bounds of the gate that hold for every view."""

    max_quarantine_share: float = field(default=0.05, metadata=_at_least(0, 1))
    max_entity_count_change: float = field(default=0.20, metadata=_at_least(0))
    max_null_rate_jump: float = field(default=0.20, metadata=_at_least(0, 1))


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """What training sets are promised."""

    horizon: timedelta = field(default=timedelta(days=400), metadata=_span(timedelta(days=1)))
    """How far back versions of the tables stay readable."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that an entry point needs to know, as one value."""

    env: str
    project: str
    home: Path
    """The checkout: the folder that holds `conf/`."""
    conf: Path
    state: Path
    """Folder of everything that this environment writes on local disk."""
    root: str
    """Offline store: a folder, or an address that Spark understands."""
    definitions: str
    """Package that lists the definitions."""
    definitions_path: Path
    """Folder from which that package is imported."""
    cassandra_jars: Path
    java_home: Path | None
    clock: ClockSettings = ClockSettings()
    spark: SparkSettings = SparkSettings()
    online: OnlineSettings = OnlineSettings()
    registry: RegistrySettings = RegistrySettings()
    quality: QualitySettings = QualitySettings()
    training: TrainingSettings = TrainingSettings()

    @property
    def horizon(self) -> timedelta:
        """How far back training sets can be rebuilt."""
        return self.training.horizon


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """Section `[project]` as it stands in the files; `Settings` holds its resolved form."""

    name: str = field(default="demo", metadata={"pattern": _NAME})
    state: Path = Path()
    """Relative to the checkout; not set: `.skewless/<env>`."""
    root: str = ""
    """Relative to the checkout; empty: `<state>/store`."""
    definitions: str = field(default="feature_defs", metadata={"pattern": r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"})
    definitions_path: Path = Path()
