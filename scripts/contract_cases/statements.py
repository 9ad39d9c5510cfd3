"""Statements: a view as its manifest tells → the two reads, letter by letter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_KEYSPACE = "skewless_shop"
_VIEWS: tuple[tuple[str, list[list[str]], list[str]], ...] = (
    ("spend__v1_0a1b2c3d", [["household_id", "int64"]], ["spend_7d", "visits"]),
    ("coupons__v2_00ff00ff", [["code", "string"]], ["redeemed"]),
    ("blobs__v1_12345678", [["digest", "bytes"]], ["x"]),
    ("days__v1_9abcdef0", [["day", "date"]], ["x"]),
    ("baskets__v3_deadbeef", [["store", "string"], ["basket_id", "int64"]], ["total", "items", "order"]),
)


def statement_cases() -> Iterator[dict[str, Any]]:
    """Every view with its reads."""
    for table, keys, features in _VIEWS:
        column = keys[0][0] if len(keys) == 1 else "k"
        wanted = "".join(f', "{feature}"' for feature in features)
        source = f'FROM "{_KEYSPACE}"."{table}" WHERE "{column}"'
        yield {
            "keyspace": _KEYSPACE,
            "table": table,
            "keys": keys,
            "features": features,
            "one": f"SELECT gen, event_us, state{wanted} {source} = ? AND gen <= ? LIMIT 1",
            "many": f'SELECT gen, event_us, state{wanted}, "{column}" {source} IN ? AND gen <= ? PER PARTITION LIMIT 1',
        }
