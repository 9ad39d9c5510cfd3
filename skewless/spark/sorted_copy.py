"""History and served once more, in buckets by a hash of their keys: a join reads them without a shuffle or a sort.

A copy is derived and never the truth: who loses it loses time. It holds the files of one version of its table; what was
appended later is read beside it.
"""

from __future__ import annotations

import json
import shutil
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from skewless.core.dtypes import DType
from skewless.core.names import EVENT_TIMESTAMP, FLAG, GENERATION, STATE
from skewless.errors import UsageError
from skewless.spark.point_in_time.bucket import bucket_of
from skewless.spark.point_in_time.inputs import SortedRows
from skewless.spark.point_in_time.positions import says
from skewless.spark.point_in_time.sorted_read import BUCKET, EVENT_US, SAYS
from skewless.spark.read import head_version, table_id
from skewless.spark.value_tables import ValueTables

FORMAT = 1
#: About so many rows of a bucket; the number of buckets is a power of two, so that those of several tables fit.
_ROWS = 750_000


@dataclass(frozen=True, slots=True)
class SortedCopy:
    """What a copy is of.

    Attributes:
        folder: Name of its folder.
        buckets: How many.
        table_id: Delta's identity of the table.
        version: The version that it holds.
        rows: How many rows.
        files: The table's files that it holds.
    """

    folder: str
    buckets: int
    table_id: str
    version: int
    rows: int
    files: tuple[str, ...]


def make_copy(tables: ValueTables, name: str, *, rows_of_bucket: int = _ROWS) -> SortedCopy:
    """Copy history or served as it stands, sorted; one that is as new stays.

    The description is written when all else is there; until then joins go on with the copy before, whose files are
    removed when the next one is made.

    Args:
        tables: The tables of the view; the one that is meant exists.
        name: history or served.
        rows_of_bucket: About so many rows of a bucket.

    Raises:
        UsageError: The offline store is no local folder.
    """
    path = getattr(tables, name)
    known, version = find_copy(tables, name), head_version(tables.session, path)
    identity = table_id(tables.session, path)
    if known is not None and (known.table_id, known.version) == (identity, version):
        return known
    rows = tables.read(path, version)
    count = rows.count()
    buckets = 1 << max(-(-count // rows_of_bucket) - 1, 0).bit_length()
    copy = SortedCopy(
        folder=f"{name}-{version}-{uuid.uuid4().hex[:8]}",
        buckets=buckets,
        table_id=identity,
        version=version,
        rows=count,
        files=tuple(sorted(rows.inputFiles())),
    )
    folder = _folder(tables)
    _sorted(tables, rows, name, buckets).write.partitionBy(BUCKET).parquet(str(folder / copy.folder))
    staged = folder / f".{name}.json"
    staged.write_text(json.dumps({"format": FORMAT, **asdict(copy)}, indent=1))
    staged.replace(folder / f"{name}.json")
    _sweep(folder, name, keep={copy.folder, known.folder if known else copy.folder})
    return copy


def find_copy(tables: ValueTables, name: str) -> SortedCopy | None:
    """The copy of history or served that joins read; None when there is none."""
    described = _folder(tables) / f"{name}.json" if "://" not in tables.folder else None
    if described is None or not described.is_file():
        return None
    found = json.loads(described.read_text())
    if found.pop("format") != FORMAT:
        return None
    return SortedCopy(**{**found, "files": tuple(found["files"])})


def sorted_rows(tables: ValueTables, name: str, version: int) -> SortedRows | None:
    """A table at a version as its copy and what the copy lacks.

    Args:
        tables: The tables of the view.
        name: history or served.
        version: The version that is to be read.

    Returns:
        None when there is no copy, or the table's files were rewritten since, by OPTIMIZE perhaps.
    """
    copy, path = find_copy(tables, name), getattr(tables, name)
    if copy is None or copy.table_id != table_id(tables.session, path):
        return None
    whole = tables.read(path, version)
    held, wanted = set(copy.files), set(whole.inputFiles())
    # generations that the version does not know yet are left out by whoever reads; nothing else is told by its files
    if not (held <= wanted or wanted <= held):
        return None
    later = (
        tables.session.read.schema(whole.schema).parquet(*sorted(wanted - held)) if wanted - held else whole.limit(0)
    )
    return SortedRows(str(_folder(tables) / copy.folder), copy.buckets, later)


def _folder(tables: ValueTables) -> Path:
    if "://" in tables.folder:
        raise UsageError(f"Sorted copies need a local folder, and {tables.folder} is none. Join without them.")
    return Path(tables.folder) / "sorted"


def _sorted(tables: ValueTables, rows: DataFrame, name: str, buckets: int) -> DataFrame:
    keys = tables.view.entity.key_names
    features = (_plain(F.col(feature), dtype).alias(feature) for feature, dtype in tables.features.items())
    told = rows.select(
        *keys,
        F.unix_micros(EVENT_TIMESTAMP).alias(EVENT_US),
        F.col(GENERATION),
        says(F.col(FLAG if name == "history" else STATE)).alias(SAYS),
        *features,
        bucket_of(keys, buckets).alias(BUCKET),
    )
    return told.repartitionById(buckets, F.col(BUCKET)).sortWithinPartitions(BUCKET, *keys, EVENT_US, GENERATION)


def _plain(column: Column, dtype: DType) -> Column:
    """Microseconds instead of timestamps, which Parquet's readers do not all read alike."""
    if dtype.kind == "timestamp":
        return F.unix_micros(column)
    if dtype.element is not None and dtype.element.kind == "timestamp":
        return F.transform(column, F.unix_micros)
    return column


def _sweep(folder: Path, name: str, *, keep: set[str]) -> None:
    for old in folder.glob(f"{name}-*"):
        if old.name not in keep:
            shutil.rmtree(old)
