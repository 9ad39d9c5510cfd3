"""CQL text: quoted identifiers, type names and every statement on a view's table."""
# ruff: noqa: S608 - names are quoted by `cql.quoted`, values are always bound

from __future__ import annotations

import re
from collections.abc import Sequence

from skewless.core.dtypes import DType
from skewless.core.serving import ServedView
from skewless.errors import UsageError

COMPOSITE_KEY = "k"
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,47}")
_TYPES = {
    "bool": "boolean",
    "int32": "int",
    "int64": "bigint",
    "float32": "float",
    "float64": "double",
    "string": "text",
    "bytes": "blob",
    "date": "date",
    "timestamp": "bigint",
    "decimal": "decimal",
}
#: Cassandra refuses an empty partition key, so a key that may be empty is wrapped in a tuple of one.
_MAY_BE_EMPTY = frozenset({"string", "bytes"})


def quoted(identifier: str) -> str:
    """Quote a name.

    Raises:
        UsageError: It is off our pattern, so it could be anything but a name.
    """
    if not _IDENTIFIER.fullmatch(identifier):
        message = f"{identifier!r} is no name for a keyspace, table or column. Use 1 to 48 of a-z, 0-9 and _."
        raise UsageError(message)
    return f'"{identifier}"'


def type_name(dtype: DType) -> str:
    """Name the CQL type that holds one of our types exactly; timestamps are bigint, for theirs is in milliseconds."""
    if dtype.kind == "vector":
        return f"vector<float, {dtype.length}>"
    if dtype.element is not None:
        return f"frozen<list<{type_name(dtype.element)}>>"
    return _TYPES[dtype.kind]


def is_wrapped(view: ServedView) -> bool:
    """True when the partition key is a tuple: composite keys, and single ones that may be empty."""
    return len(view.keys) > 1 or next(iter(view.keys.values())).kind in _MAY_BE_EMPTY


def key_column(view: ServedView) -> str:
    """Name the partition key column: the key's own name, or `k` for a composite."""
    return next(iter(view.keys)) if len(view.keys) == 1 else COMPOSITE_KEY


def create_keyspace(keyspace: str, *, local_dc: str, replication_factor: int) -> str:
    """Create a keyspace whose rows are kept so many times in one data centre."""
    center = local_dc.replace("'", "''")
    return (
        f"CREATE KEYSPACE IF NOT EXISTS {quoted(keyspace)} WITH replication = "
        f"{{'class': 'NetworkTopologyStrategy', '{center}': {int(replication_factor)}}}"
    )


def create_table(keyspace: str, view: ServedView) -> str:
    """Create a view version's table: the entity is the partition, rows inside are generations, newest first."""
    key_types = ", ".join(type_name(dtype) for dtype in view.keys.values())
    key_type = f"frozen<tuple<{key_types}>>" if is_wrapped(view) else key_types
    key = quoted(key_column(view))
    columns = [f"{key} {key_type}", "gen bigint", "event_us bigint", "state tinyint"]
    columns += [f"{quoted(column)} {type_name(dtype)}" for column, dtype in view.value_columns.items()]
    return (
        f"CREATE TABLE IF NOT EXISTS {_table(keyspace, view)} ({', '.join(columns)}, PRIMARY KEY (({key}), gen)) "
        "WITH CLUSTERING ORDER BY (gen DESC) "
        "AND compaction = {'class': 'UnifiedCompactionStrategy', 'scaling_parameters': 'L4'} "
        "AND compression = {'class': 'LZ4Compressor', 'chunk_length_in_kb': 4} "
        "AND bloom_filter_fp_chance = 0.01 AND gc_grace_seconds = 86400 AND default_time_to_live = 0 "
        "AND read_repair = 'NONE' AND speculative_retry = '99p'"
    )


def insert_row(keyspace: str, view: ServedView) -> str:
    """Insert one row: key, gen, event_us, state, value columns, write time."""
    columns = [quoted(key_column(view)), "gen", "event_us", "state", *map(quoted, view.value_columns)]
    marks = ", ".join("?" for _ in columns)
    return f"INSERT INTO {_table(keyspace, view)} ({', '.join(columns)}) VALUES ({marks}) USING TIMESTAMP ?"


def delete_row(keyspace: str, view: ServedView) -> str:
    """Delete exactly one row: write time, key, gen."""
    key = quoted(key_column(view))
    return f"DELETE FROM {_table(keyspace, view)} USING TIMESTAMP ? WHERE {key} = ? AND gen = ?"


def delete_older(keyspace: str, view: ServedView) -> str:
    """Delete an entity's rows of generations before one: write time, key, gen."""
    key = quoted(key_column(view))
    return f"DELETE FROM {_table(keyspace, view)} USING TIMESTAMP ? WHERE {key} = ? AND gen < ?"


def select_newest(keyspace: str, view: ServedView, features: Sequence[str]) -> str:
    """The newest row of one entity up to a generation: gen, event_us, state, columns of the features."""
    key = quoted(key_column(view))
    columns = ", ".join(["gen", "event_us", "state", *map(quoted, view.columns_of(features))])
    return f"SELECT {columns} FROM {_table(keyspace, view)} WHERE {key} = ? AND gen <= ? LIMIT 1"


def select_newest_of_many(keyspace: str, view: ServedView, features: Sequence[str]) -> str:
    """The newest row of each of many entities up to a generation: gen, event_us, state, their columns, key."""
    key = quoted(key_column(view))
    columns = ", ".join(["gen", "event_us", "state", *map(quoted, view.columns_of(features)), key])
    source = _table(keyspace, view)
    return f"SELECT {columns} FROM {source} WHERE {key} IN ? AND gen <= ? PER PARTITION LIMIT 1"


def select_exactly(keyspace: str, view: ServedView) -> str:
    """The rows of exactly one generation for many entities: key, gen, event_us, state, value columns."""
    key = quoted(key_column(view))
    columns = ", ".join([key, "gen", "event_us", "state", *map(quoted, view.value_columns)])
    return f"SELECT {columns} FROM {_table(keyspace, view)} WHERE {key} IN ? AND gen = ?"


def select_keys(keyspace: str, view: ServedView) -> str:
    """The key of every entity of a table."""
    return f"SELECT DISTINCT {quoted(key_column(view))} FROM {_table(keyspace, view)}"


def select_rows(keyspace: str, view: ServedView) -> str:
    """All rows of one entity: gen, event_us, value columns."""
    columns = ", ".join(["gen", "event_us", *map(quoted, view.value_columns)])
    return f"SELECT {columns} FROM {_table(keyspace, view)} WHERE {quoted(key_column(view))} = ?"


def _table(keyspace: str, view: ServedView) -> str:
    return f"{quoted(keyspace)}.{quoted(view.table)}"
