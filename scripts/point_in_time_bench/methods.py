"""Ways to do the same work, each timed and each able to show its rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Timer
from time import perf_counter
from typing import Protocol

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

Checksum = tuple[object, ...]


class Void(Exception):
    """A method that has no time; the message says why."""


class Method(Protocol):
    """One way to do the work of a case.

    Attributes:
        name: Of the method, in the figures.
        group: What it answers: methods of one group must give the same rows. Empty: it answers nothing.
    """

    name: str
    group: str

    def seconds(self, limit_s: float | None) -> float:
        """Do the work once, and say how long it took.

        Raises:
            Void: It failed, or took longer than the limit.
        """

    def checksum(self) -> Checksum:
        """The number of rows, and a checksum of all values.

        Raises:
            Void: It failed.
        """

    def processes(self) -> tuple[int, ...]:
        """Those whose memory, with that of their children, is the method's."""

    def close(self) -> None:
        """Let go of what the method holds."""


@dataclass
class SparkMethod:
    """A method in the bench's own session.

    Attributes:
        name: Of the method.
        group: What it answers.
        session: Spark.
        rows: Makes the rows that are to be computed.
        roots: Spark's process.
    """

    name: str
    group: str
    session: SparkSession
    rows: Callable[[], DataFrame]
    roots: tuple[int, ...]

    def seconds(self, limit_s: float | None) -> float:
        """Compute all rows, keep none."""
        is_late = Event()

        def end() -> None:
            is_late.set()
            self.session.sparkContext.cancelAllJobs()

        clock = Timer(limit_s, end) if limit_s is not None else None
        begun = perf_counter()
        try:
            if clock is not None:
                clock.start()
            self.rows().write.format("noop").mode("overwrite").save()
        except (PySparkException, Py4JError) as failure:
            if not is_late.is_set():
                raise
            raise Void(f"not finished after {limit_s:.0f} s") from failure
        finally:
            if clock is not None:
                clock.cancel()
        return perf_counter() - begun

    def checksum(self) -> Checksum:
        """Compute the rows once more."""
        return checksum(self.rows())

    def processes(self) -> tuple[int, ...]:
        """Spark's."""
        return self.roots

    def close(self) -> None:
        """Nothing is held."""


def checksum(rows: DataFrame) -> Checksum:
    """The number of rows, and a sum over the hashes of all."""
    hashed = F.xxhash64(F.to_json(F.struct("*"), {"ignoreNullFields": "false"}))
    found = rows.agg(F.count("*"), F.sum(hashed.cast("decimal(38,0)"))).first()
    return (found[0], str(found[1])) if found is not None else ()
