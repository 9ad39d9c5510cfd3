"""Quarantine: rows that were not used, as they came, with the reasons."""

from __future__ import annotations

import json

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from skewless.core.generation import Generation
from skewless.spark.transform import ERRORS
from skewless.spark.value_tables import ValueTables


def set_aside(rows: DataFrame, tables: ValueTables, generation: Generation, *, writer: str = "quarantine") -> None:
    """Append rejected rows to the view's quarantine; a repeat by one writer for the same generation is a no-op.

    Args:
        rows: Rows with `_errors`; whatever other columns they have are kept as one JSON text, for a value that could
            not be used may not fit any column.
        tables: The view's tables.
        generation: The generation that did not use them, with the source versions that they were read at.
        writer: Whose rows they are: those of a chunk are its own.
    """
    columns = [column for column in rows.columns if column != ERRORS]
    kept = rows.select(
        F.to_json(F.struct(*columns), {"ignoreNullFields": "false"}).alias("row"),
        ERRORS,
        F.lit(generation.number).alias("_gen"),
        F.lit(generation.run_id).alias("_run_id"),
        F.lit(json.dumps(dict(generation.sources), sort_keys=True)).alias("_source_versions"),
    )
    once = kept.write.format("delta").option("txnAppId", writer).option("txnVersion", generation.number)
    once.mode("append").save(tables.quarantine)
