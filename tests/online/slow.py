"""A transport in front of another one that answers late, fails, or never answers: by view, on purpose."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from skewless.core.vector import Status
from skewless.online.transport import Gather, Read, Transport


class SlowTransport:
    """Delays the reads of some views by seconds; None loses them."""

    def __init__(self, inner: Transport, delays: Mapping[str, float | None]) -> None:
        self._inner = inner
        self._delays = delays

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def start(self, reads: Sequence[Read], gather: Gather) -> None:
        gather.opened(len(reads))
        for number, read in enumerate(reads):
            delay = self._delays.get(read.view.name, 0.0)
            if delay:
                threading.Timer(delay, self._pass_on, (number, read, gather)).start()
            elif delay is not None:
                self._pass_on(number, read, gather)

    def _pass_on(self, number: int, read: Read, gather: Gather) -> None:
        done = threading.Event()
        inner = Gather(1, deadline=gather.deadline + 10, on_done=done.set)
        self._inner.start([read], inner)
        assert done.wait(10)
        rows = {key: row for key, row in inner.rows[0].items() if row is not None}
        if inner.failures[0]:
            gather.failed(number, read.keys, Status.ERROR)
        else:
            gather.arrived(number, read.keys, rows)
