"""Small frames travel to the rows that they are joined with, instead of both being brought together."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

#: So many keys fit into every executor.
_FEW = 500_000


def settled(keys: DataFrame) -> DataFrame:
    """Compute keys, here and once; when they are few, a join sends them to every executor."""
    # columns of their own: under a hint Spark does not tell those of a checkpoint from those that it was made of
    kept = keys.select(*(F.col(name).alias(name) for name in keys.columns)).localCheckpoint()
    return F.broadcast(kept) if kept.count() <= _FEW else kept.hint("shuffle_hash")
