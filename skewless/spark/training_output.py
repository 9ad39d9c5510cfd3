"""Where the rows of a training set are written: slices of a Delta table, or folders of Parquet files."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession

from skewless.spark.read import is_table, transaction


def write_delta(rows: DataFrame, path: str, *, writer: str, slice_number: int) -> None:
    """Write one slice of a table: the first one replaces what lies there, the others are appended.

    Repeated, it is a no-op: Delta knows the writer and its number.

    Args:
        rows: The slice.
        path: The table.
        writer: Unique to one training set.
        slice_number: Counted from 0; slices are written in their order.
    """
    options = {"txnAppId": writer, "txnVersion": str(slice_number)}
    one = rows.write.format("delta").options(**options)
    if slice_number:
        one.mode("append").save(path)
    else:
        one.mode("overwrite").option("overwriteSchema", "true").save(path)


def has_slice(session: SparkSession, path: str, *, writer: str, slice_number: int) -> bool:
    """True when a table has a slice already: it was committed for a process that did not live to record it."""
    last = transaction(session, path, writer) if is_table(session, path) else None
    return last is not None and last >= slice_number


def write_parquet(rows: DataFrame, folder: str) -> None:
    """Write one slice into a folder of its own; repeated, it is written anew."""
    rows.write.mode("overwrite").parquet(folder)


def write_nothing(rows: DataFrame) -> None:
    """Compute rows and keep none, for what is counted on the way."""
    rows.write.format("noop").mode("overwrite").save()
