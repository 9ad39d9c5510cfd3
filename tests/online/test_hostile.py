"""Names that could be statements are refused before anything is sent; values that could be are stored as they are."""

from __future__ import annotations

from typing import Any

import pytest

from skewless.core import dtypes
from skewless.core.serving import ServedView
from skewless.core.vector import Status
from skewless.errors import UsageError
from skewless.online import OnlineClient, TimelineStore
from skewless.online.connection import OnlineTarget
from skewless.online.errors import BadKeys
from skewless.online.roles import ensure_roles, role_statements
from skewless.online.schema import ensure_keyspace, ensure_project_tables, ensure_view_table
from skewless.online.writer import purge_rows, sweep_rows, write_rows
from tests.online.shop import T0, Shop
from tests.support.bits import same_bits

NAMES = [
    '"', "'", ";", 'x"', 'x"; DROP KEYSPACE y; --', "x'", "x;y", "x y", "x.y", "x\0", "x\n", "x--", "X", "1x", "_x",
    "ünïcode", "х", "x\u202e", "x\u200b", "x\ud800", "𝔵", "a" * 49,
]  # fmt: skip
TEXTS = [
    "", " ", "'", "''", '"', ";", "'; DROP TABLE x; --", "x' OR '1'='1", "$$", "?", "%s", "{0}", "/* x */", "\\", "\\'",
    "\0", "a\0b", "\0\0", "\r\n", "\x1b[31m", "\u202etxt.exe", "\u2067a\u2069", "\u200b", "\ufeff", "e\u0301", "é",
    "ﷺ", "𝔘", "😀", "\U0010ffff", "NULL", "null", "NaN", "a" * 49, "a" * 40_000,
]  # fmt: skip


class Untouchable:
    """A session that must never be asked for anything."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a hostile name reached the store by {name}")


def view_of(**changes: Any) -> ServedView:
    values: dict[str, Any] = {
        "name": "spend", "version": 1, "table": "spend__v1", "keys": {"user_id": dtypes.Int64},
        "features": {"spend": dtypes.Float64}, "ttl": None, "schedule": None, "fingerprint": "f",
    }  # fmt: skip
    return ServedView(**{**values, **changes})


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_hostile_keyspace_is_refused_before_anything_is_sent(name: str) -> None:
    with pytest.raises(UsageError, match="no name for a keyspace"):
        OnlineTarget(("127.0.0.1",), 1, name)
    with pytest.raises(UsageError):
        OnlineClient.connect(["127.0.0.1"], port=1, project="demo", keyspace=name)
    with pytest.raises(UsageError):
        TimelineStore(Untouchable(), name, "demo")
    for use in (ensure_keyspace, ensure_project_tables, lambda _, keyspace: role_statements(keyspace)):
        with pytest.raises(UsageError):
            use(Untouchable(), name)
    with pytest.raises(UsageError):
        ensure_roles(Untouchable(), name, {"read": "hush"})


@pytest.mark.parametrize(
    "changed",
    [
        lambda name: {"table": name},
        lambda name: {"keys": {name: dtypes.Int64}},
        lambda name: {"features": {name: dtypes.Float64}},
    ],
    ids=["table", "key", "feature"],
)
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_hostile_name_of_a_table_key_or_feature_is_refused_before_anything_is_sent(name: str, changed: Any) -> None:
    view, nowhere = view_of(**changed(name)), OnlineTarget(("127.0.0.1",), 1, "ks")
    with pytest.raises(UsageError, match="no name for"):
        ensure_view_table(Untouchable(), "ks", view)
    with pytest.raises(UsageError):
        next(write_rows(nowhere, view, 5, []))
    if name not in view.features:
        for work in (purge_rows(nowhere, view, 5, []), sweep_rows(nowhere, view, [])):
            with pytest.raises(UsageError):
                next(work)


def test_hostile_texts_come_back_bit_for_bit_as_keys_and_as_values(shop: Shop) -> None:
    view = shop.view(
        "said",
        keys={"name": dtypes.String},
        features={"text": dtypes.String, "raw": dtypes.Bytes, "list": dtypes.Array(dtypes.String)},
    )
    shop.serve(view)
    rows = [(text, T0, "", text, text.encode(), [text, text[::-1]]) for text in TEXTS]
    shop.put(view, 5, *rows)
    shop.publish((view, 5))
    client = shop.client()
    batch = client.get_many("svc", [{"name": text} for text in TEXTS])
    for place, (text, _, _, *values) in enumerate(rows):
        expected = dict(zip(("said:text", "said:raw", "said:list"), values, strict=True))
        assert same_bits(dict(batch[place].values), expected), ascii(text)
        assert same_bits(dict(client.get("svc", {"name": text}).values), expected), ascii(text)


def test_hostile_texts_in_composite_keys_find_their_own_row(shop: Shop) -> None:
    view = shop.view("pair", keys={"one": dtypes.String, "two": dtypes.Bytes}, features={"x": dtypes.Int64})
    shop.serve(view)
    short = [text for text in TEXTS if len(text) < 100]
    pairs = [(one, two.encode()) for one, two in zip(short, reversed(short), strict=True)]
    shop.put(view, 5, *((*pair, T0, "", place) for place, pair in enumerate(pairs)))
    shop.publish((view, 5))
    batch = shop.client().get_many("svc", [{"one": one, "two": two} for one, two in pairs])
    assert list(batch.values["pair:x"]) == list(range(len(pairs)))


def test_hostile_text_that_nobody_has_is_absent_and_harms_nobody(shop: Shop) -> None:
    view = shop.view("said", keys={"name": dtypes.String}, features={"text": dtypes.String})
    shop.serve(view)
    shop.put(view, 5, ("a", T0, "", "b"))
    shop.publish((view, 5))
    client = shop.client()
    for text in TEXTS:
        assert client.get("svc", {"name": text}).status["said:text"] is Status.NOT_FOUND, ascii(text)
    assert client.get("svc", {"name": "a"}).values["said:text"] == "b"


@pytest.mark.parametrize("text", ["\ud800", "a\udfff"], ids=ascii)
def test_half_a_character_as_a_key_is_refused_in_one_printable_line(shop: Shop, text: str) -> None:
    view = shop.view("said", keys={"name": dtypes.String}, features={"text": dtypes.String})
    shop.serve(view)
    shop.publish((view, 5))
    with pytest.raises(BadKeys, match="half a character") as refused:
        shop.client().get("svc", {"name": text})
    assert str(refused.value).isprintable()
    assert str(refused.value).isascii()


def test_hostile_service_name_is_unknown_in_one_line(shop: Shop) -> None:
    shop.serve(shop.view())
    for name in ("svc'; DROP TABLE serving; --", "svc\0", "svc\n", "\u202esvc"):
        with pytest.raises(UsageError, match="no feature service") as refused:
            shop.client().get(name, {"user_id": 1})
        assert str(refused.value).isprintable()
    assert shop.client().get("svc", {"user_id": 1}).revision is None
