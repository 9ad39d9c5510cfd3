"""Training sets: spines checked, features laid out, results counted and hashed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from skewless.core.names import feature_column
from skewless.core.service import FeatureService
from skewless.core.vector import Status
from skewless.core.view import FeatureView
from skewless.errors import UsageError
from skewless.spark.dtypes import holds, spark_type
from skewless.spark.read import head_version, is_table, read_at, table_id


@dataclass(frozen=True, slots=True)
class Spine:
    """A spine, and where it was read.

    Attributes:
        rows: Its rows.
        place: `path`, and of a Delta table `table_id` and `version`; empty for a frame.
    """

    rows: DataFrame
    place: Mapping[str, Any] = field(default_factory=dict, hash=False)


def spine_at(session: SparkSession, path: str, views: Iterable[FeatureView], *, version: int | None = None) -> Spine:
    """Read a spine, of a Delta table one version that is known from then on.

    Args:
        session: Spark.
        path: Where it lies.
        views: Whose keys it has.
        version: Of a Delta table; None is the newest.

    Raises:
        UsageError: Nothing is there, or a CSV file has a key that is not of its type.
    """
    place = {"path": located(path)}
    if not is_table(session, path):
        return Spine(read_spine(session, path, views), place)
    pinned = head_version(session, path) if version is None else version
    return Spine(read_at(session, path, pinned), {**place, "table_id": table_id(session, path), "version": pinned})


def located(path: str) -> str:
    """A path that means the same from any folder."""
    return path if "://" in path else str(Path(path).resolve())


def read_spine(session: SparkSession, path: str, views: Iterable[FeatureView]) -> DataFrame:
    """A spine from a Delta table, a parquet file or a CSV file with a header.

    A CSV file tells no types: keys are read as what the views declare (so `007` stays a text where the key is one),
    all else is inferred; times without a zone are taken as UTC.

    Args:
        session: Spark.
        path: Where it lies.
        views: Whose keys it has.

    Raises:
        UsageError: Nothing is there, or a CSV file has a key that is not of its type.
    """
    if is_table(session, path):
        return session.read.format("delta").load(path)
    if not Path(path).exists():
        raise UsageError(f"There is no spine at {path}. Give a Delta table, or a .parquet or .csv file.")
    if path.endswith(".csv"):
        reader = session.read.option("header", "true")
        keys = {name: spark_type(dtype) for view in views for name, dtype in view.entity.keys.items()}
        inferred = reader.option("inferSchema", "true").csv(path).schema
        schema = T.StructType([T.StructField(one.name, keys.get(one.name, one.dataType)) for one in inferred])
        # the default would turn a key of a wrong type into null, without a word
        spine = reader.schema(schema).option("mode", "FAILFAST").csv(path)
        try:
            spine.agg(*(F.count(f"`{name}`") for name in spine.columns)).first()
        except (PySparkException, Py4JJavaError) as failure:  # pyspark translates some errors of files, not all
            declared = ", ".join(f"{name} {dtype.simpleString()}" for name, dtype in keys.items())
            message = f"The spine at {path} has a row that cannot be read; its keys are to be {declared}."
            raise UsageError(message) from failure
        return spine
    return session.read.parquet(path)


def check_spine(spine: DataFrame, views: Iterable[FeatureView], *, service: FeatureService, time_column: str) -> None:
    """Refuse a spine that cannot be joined.

    Args:
        spine: Keys, time, whatever else.
        views: The views of the service.
        service: The service.
        time_column: The observation time.

    Raises:
        UsageError: The time or a key is missing or of another type, or a column is named like a feature's.
    """
    added = {column for ref in service.features for column in _columns(ref.view, ref.feature)}
    check_columns(spine, views, added={*added, *service.view_names}, time_column=time_column)


def check_columns(spine: DataFrame, views: Iterable[FeatureView], *, added: Iterable[str], time_column: str) -> None:
    """Refuse a spine that lacks what is asked by, or has a name of what is added to it.

    Args:
        spine: Keys, time, whatever else.
        views: The views whose keys it needs.
        added: Names of the columns that it is given; of small letters.
        time_column: The observation time.

    Raises:
        UsageError: The time or a key is missing or of another type, or a column is named like an added one.
    """
    found = {field.name: field.dataType for field in spine.schema.fields}
    folded = [name.lower() for name in spine.columns]  # Spark takes names that differ in case for one
    twice = [name for name in spine.columns if folded.count(name.lower()) > 1]
    if twice:
        raise UsageError(f"The spine has columns of one name: {twice}. Rename or drop all but one.")
    if time_column not in found:
        message = f"The spine has no time column '{time_column}' (it has {list(found)}). Name it with --time-column."
        raise UsageError(message)
    if found[time_column] != T.TimestampType():
        seen = found[time_column].simpleString()
        message = f"The spine's '{time_column}' is {seen}, not a timestamp with a zone. Cast it: cast('timestamp')."
        raise UsageError(message)
    for view in views:
        _check_keys(view, found)
    clash = sorted(name for name in found if name.lower() in set(added))
    if clash:
        raise UsageError(f"The spine has columns named like what is joined to it: {clash}. Rename them.")


def _check_keys(view: FeatureView, found: Mapping[str, T.DataType]) -> None:
    for key, dtype in view.entity.keys.items():
        if key not in found:
            raise UsageError(f"The spine lacks key '{key}' of view '{view.name}' (it has {list(found)}).")
        if not holds(dtype, found[key]):
            wanted, seen = spark_type(dtype).simpleString(), found[key].simpleString()
            message = f"The spine's key '{key}' is {seen}, but view '{view.name}' has {wanted}. Cast it: "
            raise UsageError(f"{message}cast('{wanted}').")


def laid_out(
    answered: DataFrame, spine: DataFrame, service: FeatureService, *, with_status: bool, also: Iterable[Column] = ()
) -> DataFrame:
    """The spine's columns, then one column per feature named `view__feature`, then their statuses when asked for.

    Args:
        answered: What the point-in-time join gave.
        spine: The spine, for its columns.
        service: The service, for features and their order.
        with_status: Adds `view__feature__status` columns.
        also: Further columns, behind them.
    """
    features = [
        F.col(f"{ref.view}.values.{ref.feature}").alias(feature_column(ref.view, ref.feature))
        for ref in service.features
    ]
    statuses = [
        _feature_status(ref.view, ref.feature).alias(f"{feature_column(ref.view, ref.feature)}__status")
        for ref in service.features
    ]
    kept = [F.col(f"`{name}`") for name in spine.columns]
    return answered.select(*kept, *features, *(statuses if with_status else ()), *also)


def content_hash(rows: DataFrame) -> str:
    """A hash of the rows as a multiset: neither order nor partitioning changes it, every bit of a value does.

    Each row is spelled in JSON (shortest exact decimals; times as microseconds; -0.0, NaN and null apart) and hashed
    to two 64-bit numbers, which are summed; count and sums are hashed again.
    """
    first, second = row_numbers(rows.schema.fields)
    numbers = rows.select(first.alias("a"), second.alias("b"))
    sums = numbers.agg(F.count("*"), summed(F.col("a")), summed(F.col("b"))).first()
    return hash_of_sums(*(sums or (0, None, None)))


def row_numbers(fields: Iterable[T.StructField]) -> tuple[Column, Column]:
    """The two numbers of a row, of which a content hash is the sum."""
    spelled = F.to_json(F.struct(*(exact_value(field) for field in fields)), {"ignoreNullFields": "false"})
    return F.xxhash64(spelled), F.xxhash64(F.lit("second"), spelled)


def summed(numbers: Column) -> Column:
    """A sum of 64-bit numbers that cannot overflow."""
    return F.sum(numbers.cast("decimal(38,0)"))


def hash_of_sums(rows: int, first: Any, second: Any) -> str:
    """The content hash of rows by the sums of their numbers; sums of parts may be added up before."""
    told = (first, second) if rows else (None, None)
    return hashlib.sha256("|".join(str(value) for value in (rows, *told)).encode()).hexdigest()


def _columns(view: str, feature: str) -> tuple[str, str]:
    column = feature_column(view, feature)
    return column, f"{column}__status"


def _feature_status(view: str, feature: str) -> Column:
    status = F.col(f"{view}.status")
    is_null = (status == Status.PRESENT.value) & F.col(f"{view}.values.{feature}").isNull()
    return F.when(is_null, Status.NULL.value).otherwise(status)


def exact_value(field: T.StructField) -> Column:
    """A column whose JSON tells every bit of it; times as microseconds."""
    column = F.col(f"`{field.name}`")
    if field.dataType == T.TimestampType():
        return F.unix_micros(column).alias(field.name)
    if isinstance(field.dataType, T.ArrayType) and field.dataType.elementType == T.TimestampType():
        return F.transform(column, F.unix_micros).alias(field.name)  # JSON would cut them to milliseconds
    return column
