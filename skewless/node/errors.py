"""What can keep the local Cassandra node from starting; each is one line that says what to do."""

from __future__ import annotations

from pathlib import Path

from skewless.errors import SkewlessError, TryAgainLater


class NodeNotInstalled(SkewlessError):
    """Java 17 or Cassandra's jars are not there."""

    exit_code = 2


class JavaMissing(NodeNotInstalled):
    """No Java 17 was found."""

    def __init__(self) -> None:
        super().__init__(
            "The local Cassandra node needs Java 17, and none was found in JAVA_HOME, on PATH or in /usr/lib/jvm. "
            "Run 'make setup', or set JAVA_HOME."
        )


class JarsMissing(NodeNotInstalled):
    """Cassandra's jars were not fetched."""

    def __init__(self, jars: Path) -> None:
        super().__init__(f"Cassandra's jars are not in {jars}. Run 'make setup', which fetches and verifies them.")


class PortTaken(TryAgainLater):
    """Somebody else listens on the port that was asked for."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        super().__init__(
            f"Port {port} of {host} is taken by another process, so the local Cassandra node cannot listen there. "
            f"Stop that process, or set online.port to another port, or to 0 to have a free one chosen."
        )


class TooLittleMemory(TryAgainLater):
    """The machine has too little memory left for the node."""

    def __init__(self, *, needed_mb: int, available_mb: int) -> None:
        super().__init__(
            f"The local Cassandra node needs about {needed_mb} MB of memory and only {available_mb} MB are available. "
            "Close something, or lower online.heap_mb (at least 128)."
        )


class NodeDidNotStart(TryAgainLater):
    """The process ended, or did not answer in time."""

    def __init__(self, *, what: str, cause: str | None, log: Path) -> None:
        told = f" Its log says: {cause}" if cause else ""
        super().__init__(f"The local Cassandra node {what}.{told} Read {log}, then try again.")
