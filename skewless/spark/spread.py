"""Work on the rows of a frame in the executors: Arrow batches in, one small result per task out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from skewless.core.dtypes import Timestamp
from skewless.core.names import EVENT_TIMESTAMP, STATE
from skewless.core.view import FeatureView

Worker = Callable[[Iterator[Any]], Iterator[Mapping[str, Any]]]


def spread(rows: DataFrame, worker: Worker) -> list[dict[str, Any]]:
    """Give each task's rows to a worker and collect what the workers tell.

    Args:
        rows: The rows; a failed task is repeated by Spark with the same rows.
        worker: Takes record batches and yields small mappings; it travels to the executors, so it must pickle.

    Returns:
        Every mapping that a worker yielded.
    """

    def told(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for result in worker(batches):
            yield pa.RecordBatch.from_pydict({"result": [json.dumps(dict(result), default=str)]})

    return [json.loads(row["result"]) for row in rows.mapInArrow(told, "result STRING").collect()]


def for_the_wire(view: FeatureView, served: DataFrame) -> DataFrame:
    """Served rows in the columns that the writer takes: times as microseconds, nothing of the ledger."""
    features = (_on_the_wire(feature.name, is_time=feature.dtype == Timestamp) for feature in view.features)
    event_us = F.unix_micros(EVENT_TIMESTAMP).alias("event_us")
    return served.select(*view.entity.key_names, event_us, STATE, *features)


def _on_the_wire(name: str, *, is_time: bool) -> Column:
    return F.unix_micros(name).alias(name) if is_time else F.col(name)
