"""What the service is told by its environment: variables that begin with SERVING_."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from skewless.errors import ConfigError

_PREFIX = "SERVING_"


@dataclass(frozen=True, slots=True)
class ServingSettings:
    """How the service runs.

    Attributes:
        contact_points: Cassandra's host names or addresses.
        project: Whose services are read.
        services: Those that are served; a closed list, for each is warmed up and is a label of metrics.
        contracts: Service → contract hash that its model was trained on; others are read as they are at the start.
        port: Native protocol port.
        keyspace: Of the project; None means `skewless_<project>`.
        local_dc: Data centre whose replicas are asked.
        username: Role; None without authentication.
        password: Of the role; never shown.
        ca_file: Certificate authorities for TLS; None without TLS.
        tls_name: The name that every node's certificate holds; None: each holds its own address.
        deadline_ms: For a whole read.
        longest_batch: Keys of one request, at most.
        oldest_snapshot_s: Seconds since the timeline was last confirmed, beyond which the service is not ready.
    """

    contact_points: tuple[str, ...]
    project: str
    services: tuple[str, ...]
    contracts: Mapping[str, str] = field(default_factory=dict, hash=False)
    port: int = 9042
    keyspace: str | None = None
    local_dc: str = "datacenter1"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    tls_name: str | None = None
    deadline_ms: float = 50.0
    longest_batch: int = 1_000
    oldest_snapshot_s: float = 60.0


def settings_from(environ: Mapping[str, str]) -> ServingSettings:
    """Read the settings.

    Args:
        environ: The process's variables; a password may lie in the file that SERVING_PASSWORD_FILE names.

    Raises:
        ConfigError: A variable is missing, unknown or cannot be what it says.
    """
    given = {
        name.removeprefix(_PREFIX).lower(): text for name, text in environ.items() if name.startswith(_PREFIX) and text
    }
    missing = sorted({"contact_points", "project", "services"} - given.keys())
    unknown = sorted(given.keys() - _PARSERS.keys())
    if missing or unknown:
        raise ConfigError(
            f"The environment lacks {_listed(missing)} and has unknown {_listed(unknown)}. "
            f"The service knows {_listed(sorted(_PARSERS))}."
        )
    values = {name: _parsed(name, text) for name, text in given.items()}
    from_file = values.pop("password_file", None)
    if from_file is not None:
        values["password"] = from_file
    return ServingSettings(**values)  # type: ignore[arg-type] # the parsers make what the fields hold


def _parsed(name: str, text: str) -> object:
    try:
        return _PARSERS[name](text)
    except (ValueError, OSError) as error:
        shown = type(error).__name__ if "password" in name else f"'{text}': {error}"
        raise ConfigError(f"{_PREFIX}{name.upper()} cannot be used ({shown}). Correct it.") from None


def _words(text: str) -> tuple[str, ...]:
    found = tuple(word.strip() for word in text.split(",") if word.strip())
    if not found:
        raise ValueError("it names nothing")
    return found


def _pairs(text: str) -> dict[str, str]:
    pairs = [word.partition("=") for word in _words(text)]
    if not all(name and value for name, _, value in pairs):
        raise ValueError("write it as service=hash, with commas between")
    return {name: value for name, _, value in pairs}


def _above_zero(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError("it must be above zero")
    return number


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError("it must be 1 or more")
    return number


def _listed(names: list[str]) -> str:
    return ", ".join(f"{_PREFIX}{name.upper()}" for name in names) or "nothing"


_PARSERS: Mapping[str, Callable[[str], object]] = {
    "contact_points": _words,
    "project": str,
    "services": _words,
    "contracts": _pairs,
    "port": _count,
    "keyspace": str,
    "local_dc": str,
    "username": str,
    "password": str,
    "password_file": lambda path: Path(path).read_text().strip(),
    "ca_file": str,
    "tls_name": str,
    "deadline_ms": _above_zero,
    "longest_batch": _count,
    "oldest_snapshot_s": _above_zero,
}
