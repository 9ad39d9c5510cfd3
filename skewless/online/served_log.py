"""The served-vector log: what a client answered, for a sample of keys, so that it can be replayed offline."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from skewless.core.vector import Status
from skewless.online.reading import Question
from skewless.online.service_plan import Answer

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServedRecord:
    """One answer that was given.

    Attributes:
        service: The service.
        keys: Of the request.
        at_us: The observation time.
        revision: The revision that answered, which pins the answer; None before the first.
        values: `view:feature` → value.
        statuses: `view:feature` → status.
    """

    service: str
    keys: Mapping[str, object] = field(hash=False)
    at_us: int
    revision: int | None
    values: Mapping[str, object] = field(hash=False)
    statuses: Mapping[str, Status] = field(hash=False)


@dataclass(frozen=True, slots=True)
class ServedLog:
    """Where records go, and which share of the keys is recorded, always the same ones."""

    write: Callable[[ServedRecord], None]
    share: float = 1.0

    def record(self, question: Question, answers: Sequence[Sequence[Answer]]) -> None:
        """Record the sampled ones of a call; a log that fails never fails the call."""
        for place, keys in enumerate(question.keys):
            if key_fraction(keys) < self.share:
                vector = question.vector(answers, place)
                try:
                    self.write(
                        ServedRecord(
                            service=question.plan.manifest.service,
                            keys=keys,
                            at_us=question.moment.now_us,
                            revision=vector.revision,
                            values=vector.values,
                            statuses=vector.status,
                        )
                    )
                except Exception:
                    _log.exception("the served-vector log refused a record")


def key_fraction(keys: Mapping[str, object]) -> float:
    """A number in [0, 1) that depends on the keys only: the same in every process and release."""
    text = "|".join(f"{name}={keys[name]!r}" for name in sorted(keys))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest(), "big") / 2**56
