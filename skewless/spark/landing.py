"""Files into Delta tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skewless.core.dtypes import String
from skewless.core.source import DeltaSource
from skewless.errors import UsageError
from skewless.spark.dtypes import spark_schema, spark_type
from skewless.spark.read import SourceDrift, SourceMissing, is_table

_KINDS = {".parquet": "parquet", ".csv": "csv", ".json": "json", ".jsonl": "json"}
#: Taken when the table is created.
_PROPERTIES = {"delta.enableChangeDataFeed": "true", "delta.enableInCommitTimestamps": "true"}


def read_file(session: SparkSession, source: DeltaSource, file: Path, *, only: Sequence[str] = ()) -> DataFrame:
    """The declared columns of a file.

    A parquet file's own times without a zone (INT96 among them) are taken as UTC.

    Args:
        session: Spark.
        source: The source.
        file: CSV with a header, JSON lines or Parquet; or a folder of such files.
        only: Just these columns; all that are declared when empty.

    Raises:
        UsageError: There is no such file, or its kind is unknown.
        SourceDrift: A column is missing or of a type that cannot be taken for the declared one.
    """
    if not file.exists():
        raise UsageError(f"There is no file {file.name} to land. Check the path.")
    kind = _KINDS.get(file.suffix.lower(), "parquet" if file.is_dir() else "")
    if not kind:
        raise UsageError(f"'{file.suffix}' files cannot be landed. Give .parquet, .csv, .json or .jsonl.")
    wanted = {name: dtype for name, dtype in source.schema.items() if not only or name in only}
    # the default would turn a value of a wrong type into null, without a word
    reader = session.read.option("header", "true").option("mode", "FAILFAST")
    if kind == "csv":
        # a schema is taken by place, so it has to name the file's own columns in their order
        header = reader.csv(str(file)).columns
        reader = reader.schema(spark_schema({name: wanted.get(name, String) for name in header}))
    elif kind == "json":
        reader = reader.schema(spark_schema(wanted))
    rows = reader.format(kind).load(str(file))
    missing = [name for name in wanted if name not in rows.columns]
    if missing:
        raise SourceDrift(
            f"File {file.name} lacks {missing}, which source '{source.name}' declares. It has {rows.columns}."
        )
    return rows.select(*(F.col(f"`{name}`").cast(spark_type(dtype)).alias(name) for name, dtype in wanted.items()))


def append_file(rows: DataFrame, path: str) -> None:
    """Add rows to a source's table, creating it with a change feed when it is missing."""
    rows.write.format("delta").mode("append").options(**_PROPERTIES).save(path)


def change_rows(session: SparkSession, rows: DataFrame, path: str, keys: Sequence[str], *, is_delete: bool) -> None:
    """Replace (or remove) the rows of equal keys; rows without a match are added (or ignored).

    Raises:
        SourceMissing: There is no table yet.
    """
    if not is_table(session, path):
        raise SourceMissing(f"There is no table at {path} to change. Land it with --mode append first.")
    match = " AND ".join(f"held.`{key}` = landed.`{key}`" for key in keys)
    merge = DeltaTable.forPath(session, path).alias("held").merge(rows.alias("landed"), match)
    if is_delete:
        merge.whenMatchedDelete().execute()
    else:
        merge.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()
