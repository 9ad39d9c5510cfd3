"""Where the jars of Delta and Cassandra are kept: a per-user cache, filled and verified by the set-up script.

Standard library only, and nothing else of this package: the set-up script runs this file before anything is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class JarSet:
    """A named, versioned set of jars."""

    name: str
    version: str

    def folder(self, environ: Mapping[str, str]) -> Path:
        """The folder that holds the set once it was fetched."""
        return cache_root(environ) / f"{self.name}-{self.version}"


DELTA = JarSet("delta", "4.4.0")
CASSANDRA = JarSet("cassandra", "5.0.9")


def cache_root(environ: Mapping[str, str]) -> Path:
    """The per-user folder of all jar sets: `$XDG_CACHE_HOME` or `~/.cache`, then `skewless/jars`."""
    stated = Path(environ.get("XDG_CACHE_HOME") or "-")
    # the XDG rules say that a relative path is invalid and must be ignored
    cache = stated if stated.is_absolute() else Path(environ.get("HOME") or Path.home()) / ".cache"
    return cache / "skewless" / "jars"
