"""Our closed set of types in Spark's terms, and identities that keep what `=` confuses."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from skewless.core.dtypes import DType

_SCALARS: Mapping[str, T.DataType] = {
    "bool": T.BooleanType(),
    "int32": T.IntegerType(),
    "int64": T.LongType(),
    "float32": T.FloatType(),
    "float64": T.DoubleType(),
    "string": T.StringType(),
    "bytes": T.BinaryType(),
    "date": T.DateType(),
    "timestamp": T.TimestampType(),
}


def spark_type(dtype: DType) -> T.DataType:
    """The Spark type that holds one of ours."""
    if dtype.kind == "decimal":
        return T.DecimalType(dtype.precision, dtype.scale)
    if dtype.kind == "vector":
        return T.ArrayType(T.FloatType(), containsNull=False)
    if dtype.element is not None:
        return T.ArrayType(spark_type(dtype.element), containsNull=False)
    return _SCALARS[dtype.kind]


def spark_schema(columns: Mapping[str, DType]) -> T.StructType:
    """Columns with our types as a Spark schema; everything may be null."""
    return T.StructType([T.StructField(name, spark_type(dtype)) for name, dtype in columns.items()])


def holds(dtype: DType, found: T.DataType) -> bool:
    """True when a frame's column of this Spark type holds values of ours, array nullability aside."""
    return spark_type(dtype).simpleString() == found.simpleString()


def identity(column: Column, dtype: DType) -> Column:
    """Something that is equal exactly when two values are the same to the bit.

    Spark's `=` takes 0.0 for -0.0 (and NaN for NaN, which we want); their spelling differs.
    """
    value = column.alias("value")
    if dtype.is_float:
        return F.struct(value, F.when(column == 0, column.cast("string")).alias("spelled"))
    is_float_array = dtype.kind == "vector" or (dtype.element is not None and dtype.element.is_float)
    return F.struct(value, column.cast("string").alias("spelled")) if is_float_array else column


def identities(columns: Mapping[str, DType], *, within: str = "") -> Column:
    """One struct of the identities of many columns.

    Args:
        columns: Name → type.
        within: Prefix that the columns have in the frame, such as `row.` for fields of a struct.
    """
    return F.struct(*(identity(F.col(f"{within}{name}"), dtype).alias(name) for name, dtype in columns.items()))
