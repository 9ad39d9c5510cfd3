"""land: files into a source's Delta table, so that versions exist."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pyspark.errors import PySparkException

from skewless.core.source import DeltaSource
from skewless.errors import UsageError
from skewless.flows.workshop import Workshop
from skewless.spark.landing import append_file, change_rows, read_file

MODES = ("append", "upsert", "delete")


def land(shop: Workshop, source: DeltaSource, file: Path, *, mode: str = "append", keys: Iterable[str] = ()) -> int:
    """Bring a CSV, JSON or Parquet file (or folder) into a source's table.

    Args:
        shop: The workshop.
        source: The source; the file must have its declared columns, others are left out.
        file: The file; its kind is told by its suffix.
        mode: `append` adds rows; `upsert` replaces those of equal `keys` and adds the rest; `delete` removes those of
            equal `keys`.
        keys: Columns that identify a row, for upsert and delete.

    Returns:
        The rows of the file.

    Raises:
        UsageError: No such file, kind, mode or key column; or a value is not of its column's type. Nothing is landed.
        SourceDrift: A declared column is missing or of another type.
    """
    columns = tuple(keys)
    if mode not in MODES:
        raise UsageError(f"Mode '{mode}' does not exist. Use one of {', '.join(MODES)}.")
    unknown = [column for column in columns if column not in source.schema]
    if unknown or (mode != "append" and not columns):
        message = f"Mode '{mode}' needs key columns of source '{source.name}' (got {unknown or 'none'}). Give --key."
        raise UsageError(message)
    with shop.leased(f"land {source.name}"):
        rows = read_file(shop.session, source, file, only=columns if mode == "delete" else ())
        path = shop.source_path(source)
        try:
            if mode == "append":
                append_file(rows, path)
            else:
                change_rows(shop.session, rows, path, columns, is_delete=mode == "delete")
            return rows.count()
        except PySparkException as failure:
            reason = str(failure).strip().splitlines()[0][:200]
            message = f"File {file.name} does not fit source '{source.name}', so nothing of it was landed: {reason}"
            raise UsageError(message) from failure
