"""What the machine can give to a node: ports and memory."""

from __future__ import annotations

import re
import socket
import zlib
from pathlib import Path

from skewless.node.errors import PortTaken
from skewless.node.templates import LOOPBACK

# below the range from which the kernel gives ports to clients, so that a remembered port is still free tomorrow
_FIRST, _COUNT = 20_000, 10_000


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """True when nobody listens on the port of an address of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def is_answering(port: int, host: str = LOOPBACK) -> bool:
    """True when somebody accepts connections on the port of an address of this machine."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def free_port(folder: Path, *, avoid: int = 0) -> int:
    """A free port, looked for from a place that depends on the folder, so that two checkouts seldom meet.

    Raises:
        PortTaken: Every port of the range is taken.
    """
    start = zlib.crc32(str(folder).encode()) % _COUNT
    for step in range(_COUNT):
        port = _FIRST + (start + step) % _COUNT
        if port != avoid and is_free(port):
            return port
    raise PortTaken(_FIRST)


def available_mb() -> int | None:
    """Memory that can still be had, in MB, within the machine and the container; None when it cannot be told."""
    found = [mb for mb in (_machine_mb(), _container_mb()) if mb is not None]
    return min(found) if found else None


def _machine_mb() -> int | None:
    text = _read(Path("/proc/meminfo"))
    match = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    return int(match.group(1)) // 1024 if match else None


def _container_mb() -> int | None:
    group = Path("/sys/fs/cgroup")
    limit, used = _read(group / "memory.max").strip(), _read(group / "memory.current").strip()
    # the page cache counts as used and is given back on demand
    cache = re.search(r"^inactive_file (\d+)", _read(group / "memory.stat"), re.MULTILINE)
    if not (limit.isdigit() and used.isdigit()):
        return None
    return (int(limit) - int(used) + (int(cache.group(1)) if cache else 0)) // 1_048_576


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
