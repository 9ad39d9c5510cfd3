"""The contract's test vectors: the committed file is what its generator gives, and our own client passes all of it."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from typing import Any

import contract_vectors
import pytest
from cassandra.cqltypes import lookup_casstype
from cassandra.metadata import Murmur3Token
from contract_cases import statuses
from contract_cases.statuses import Case, OracleDisagrees, status_cases

from skewless.core.clock import ManualClock
from skewless.core.dtypes import DType, Int64, parse_dtype
from skewless.core.serving import ServedView, ServingManifest
from skewless.core.timeline import Revision
from skewless.core.vector import Status
from skewless.errors import StoreUnreachable
from skewless.online import cql, schema
from skewless.online.codec import checked_part, decoder, encoder, key_from_driver, partition_bytes
from skewless.online.errors import DamagedRow
from skewless.online.follower import TimelineFollower
from skewless.online.memory import MemoryStore
from skewless.online.packing import Packer, Unpacker
from skewless.online.transport import Snapshot
from tests.support.contract import FILE, VECTORS, parsed, revision_of, spelled, status_rows, status_told
from tests.support.contract import status_view as view_of_status

PAGE = FILE.with_name("online.md")
Cases = list[dict[str, Any]]


def view_of(keys: dict[str, DType], features: dict[str, DType] | None = None, *, table: str = "t") -> ServedView:
    return ServedView("v", 1, table, keys, features or {"x": Int64}, None, None, "f")


def keyed(case: dict[str, Any]) -> tuple[dict[str, DType], tuple[Any, ...]]:
    keys = {f"k{place}": parse_dtype(text) for place, text in enumerate(case["types"])}
    return keys, tuple(parsed(dtype, part) for dtype, part in zip(keys.values(), case["key"], strict=True))


def column_type(view: ServedView, name: str) -> Any:
    """The driver's type of a column of a view's table."""
    marshal = {
        "boolean": "BooleanType", "int": "Int32Type", "bigint": "LongType", "float": "FloatType",
        "double": "DoubleType", "text": "UTF8Type", "blob": "BytesType", "date": "SimpleDateType",
        "decimal": "DecimalType",
    }  # fmt: skip
    text = re.search(rf'"{name}" (.+?)(?=, (?:gen|"\w+"|PRIMARY) )', cql.create_table("ks", view))[1]  # type: ignore[index]
    text = re.sub(r"vector<float, (\d+)>", r"VectorType(FloatType, \1)", text)
    text = re.sub(r"\b(list|tuple|frozen)<", lambda found: f"{found[1].title()}Type(", text).replace(">", ")")
    return lookup_casstype(re.sub(r"\b[a-z]+\b", lambda found: marshal[found[0]], text))


def test_committed_vectors_are_what_their_generator_gives() -> None:
    assert FILE.read_text() == contract_vectors.vectors()


def test_generator_of_vectors_has_no_line_of_the_client() -> None:
    folder = FILE.parents[2] / "scripts"
    sources = [folder / "contract_vectors.py", *(folder / "contract_cases").glob("*.py")]
    assert len(sources) == 9
    for source in sources:
        assert re.findall(r"^\s*(?:import|from) (?:skewless|cassandra|tests)\b", source.read_text(), re.MULTILINE) == []


def test_status_by_hand_that_the_oracle_does_not_give_makes_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statuses, "_BY_HAND", (("a wrong one", "DELETED", Case()),))
    with pytest.raises(OracleDisagrees, match="a wrong one"):
        list(status_cases())


def test_vectors_have_every_type_every_kind_of_key_and_every_status() -> None:
    kinds = {"bool", "int32", "int64", "float32", "float64", "string", "bytes", "date", "timestamp", "decimal"}
    types = [parse_dtype(case["type"]) for case in VECTORS["values"]]
    assert {dtype.kind for dtype in types} == kinds | {"array", "vector"}
    assert {dtype.element.kind for dtype in types if dtype.element} == kinds
    assert {kind for case in VECTORS["keys"] for kind in case["types"]} == {k for k in kinds if DType(k).is_key}
    assert {case["expected"]["status"] for case in VECTORS["statuses"]} == {status.value for status in Status}


def test_vectors_names_are_told_apart() -> None:
    for part in ("packed", "statuses", "timelines"):
        assert max(Counter(case["name"] for case in VECTORS[part]).values()) == 1


@pytest.mark.parametrize("case", VECTORS["keys"], ids=lambda case: f"{case['types']}-{case['hex'][:20]}")
def test_key_of_the_vectors_has_our_bytes_and_the_drivers_token(case: dict[str, Any]) -> None:
    keys, key = keyed(case)
    view = view_of(keys)
    is_wrapped = cql.is_wrapped(view)
    assert tuple(checked_part(name, dtype, key[place]) for place, (name, dtype) in enumerate(keys.items())) == key
    assert partition_bytes(keys, key, is_wrapped=is_wrapped).hex() == case["hex"]
    assert f'("{cql.key_column(view)}" {case["cql_type"]}, gen bigint, ' in cql.create_table("ks", view)
    kind = column_type(view, cql.key_column(view))
    assert kind.to_binary(key if is_wrapped else key[0], 4).hex() == case["hex"]
    assert key_from_driver(kind.from_binary(bytes.fromhex(case["hex"]), 4), is_wrapped=is_wrapped) == key
    assert str(Murmur3Token.from_key(bytes.fromhex(case["hex"])).value) == case["token"]


@pytest.mark.parametrize("case", VECTORS["values"], ids=lambda case: f"{case['type']}-{case['name']}")
def test_value_of_the_vectors_is_written_and_read_by_our_codec(case: dict[str, Any]) -> None:
    dtype = parse_dtype(case["type"])
    assert str(dtype) == case["type"]
    assert cql.type_name(dtype) == case["cql_type"]
    kind = column_type(view_of({"k": Int64}, {"x": dtype}), "x")
    encode, decode = encoder(dtype), decoder(dtype)
    value = parsed(dtype, case["value"])
    assert kind.to_binary(value if encode is None else encode(value), 4).hex() == case["hex"]
    read = kind.from_binary(bytes.fromhex(case["hex"]), 4)
    assert spelled(dtype, read if decode is None else decode(read)) == case["value"]


@pytest.mark.parametrize("case", VECTORS["packed"], ids=lambda case: case["name"])
def test_packed_row_of_the_vectors_is_written_and_read_by_our_codec(case: dict[str, Any]) -> None:
    features = {f"f{place}": parse_dtype(text) for place, text in enumerate(case["types"])}
    unpacker, content = Unpacker(features, tuple(features)), bytes.fromhex(case["hex"])
    if case["values"] is None:
        with pytest.raises(DamagedRow):
            unpacker.unpack(content)
        return
    pairs = zip(features.values(), case["values"], strict=True)
    given = [None if each is None else parsed(dtype, each) for dtype, each in pairs]
    assert Packer(features).pack(given).hex() == case["hex"]
    told = zip(features.values(), map(decoder, features.values()), unpacker.unpack(content), strict=True)
    values = [None if one is None else spelled(dtype, decode(one) if decode else one) for dtype, decode, one in told]
    assert values == case["values"]


@pytest.mark.parametrize("case", VECTORS["statements"], ids=lambda case: case["table"])
def test_statement_of_the_vectors_is_the_one_that_our_client_sends(case: dict[str, Any]) -> None:
    view = view_of({name: parse_dtype(text) for name, text in case["keys"]}, table=case["table"])
    features = tuple(case["features"])
    assert cql.select_newest(case["keyspace"], view, features) == case["one"]
    assert cql.select_newest_of_many(case["keyspace"], view, features) == case["many"]


@pytest.mark.parametrize("case", VECTORS["statuses"], ids=lambda case: case["name"])
def test_status_of_the_vectors_is_what_our_client_tells(case: dict[str, Any]) -> None:
    store = MemoryStore("p")
    store.ensure_view_table(view_of_status(case))
    for generation, row in status_rows(case, user=1):
        # Put down as it would lie there, for no writer of ours writes all that a reader must understand.
        store._tables[case["view"]["table"]].setdefault(row.key, {})[generation] = row
    assert status_told(case, store.transport(), user=1) == case["expected"]


class Replica:
    """The timeline half of a transport, as a case tells it."""

    def __init__(self, revisions: list[Revision]) -> None:
        self.revisions_made = revisions
        self.shows: int | str = 0

    def snapshot(self) -> Snapshot | None:
        if isinstance(self.shows, str):
            raise StoreUnreachable(self.shows)
        shown = self.revisions_made[: self.shows]
        return Snapshot(shown[-1], shown[-2] if len(shown) > 1 else None) if shown else None

    def revisions(self, since: int) -> tuple[Revision, ...]:
        assert isinstance(self.shows, int)
        return tuple(self.revisions_made[since : self.shows])


@pytest.mark.parametrize("case", VECTORS["timelines"], ids=lambda case: case["name"])
def test_timeline_of_the_vectors_is_followed_by_our_client(case: dict[str, Any]) -> None:
    replica = Replica([revision_of(int(number), int(instant)) for number, instant in case["revisions"]])
    clock, seconds = ManualClock(0), [0.0]
    follower = TimelineFollower(
        replica,  # type: ignore[arg-type] # the other half is not asked
        clock=clock,
        poll_interval_s=case["interval_ms"] / 1000,
        monotonic=lambda: seconds[0],
    )
    for step in case["steps"]:
        clock.instant_us, seconds[0] = int(step["now_us"]), step["at_ms"] / 1000
        if step["shows"] is not None:
            replica.shows = step["shows"]
            if step["shows"] == "silent":
                with pytest.raises(StoreUnreachable):
                    follower.refresh()
            else:
                follower.refresh()
        found = follower.at(clock.now_us())
        told = {"in_force": None if found is None else str(found.number), "unconfirmed": not follower.is_confirmed()}
        assert told == step["expected"], step


def test_page_shows_the_reads_that_the_vectors_have_for_its_manifest() -> None:
    page = PAGE.read_text()
    (case,) = [case for case in VECTORS["statements"] if case["table"] == manifest_of_the_page().views[0].table]
    assert f"    {case['one']}\n" in page
    assert f"    {case['many']}\n" in page


def test_page_shows_the_reads_of_a_packed_view() -> None:
    page = PAGE.read_text()
    keys, features = {"household_id": Int64}, {"x": Int64}
    view = replace(view_of(keys, features, table="wide__v1_0a1b2c3d"), layout="packed")
    assert f"    {cql.select_newest('skewless_shop', view, ('x',))}\n" in page
    assert f"    {cql.select_newest_of_many('skewless_shop', view, ('x',))}\n" in page


def test_page_shows_a_manifest_that_our_client_reads_and_writes_alike() -> None:
    text = re.findall(r"```json\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)[0]
    assert json.loads(manifest_of_the_page().to_json()) == json.loads(text)


def test_page_maps_every_type_of_the_vectors_to_its_column() -> None:
    section = PAGE.read_text().partition("## Values")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)(?:<[\w,]+>)?` \| `([a-z]+)", section, re.MULTILINE))
    assert rows == {case["type"].partition("<")[0]: case["cql_type"].partition("<")[0] for case in VECTORS["values"]}


def test_page_decides_between_all_statuses() -> None:
    decided = re.findall(r"^\| \d \| .* \| ([A-Z_]+) \|", PAGE.read_text(), re.MULTILINE)
    assert set(decided) == {status.value for status in Status}


def test_page_names_columns_that_the_tables_have() -> None:
    defined = {text.partition(" ")[0]: text for text in schema._PROJECT_TABLES}
    told = dict(re.findall(r"^\| `(\w+)` \| `project`[^|]* \| ([^|]+) \|$", PAGE.read_text(), re.MULTILINE))
    assert told.keys() == defined.keys()
    for table, columns in told.items():
        names = re.findall(r"`(\w+)`", columns)
        assert [name for name in names if not re.search(rf"\b{name} \w", defined[table])] == []


def test_page_links_lead_to_files_that_exist() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", PAGE.read_text())
    assert [target for target in targets if not (PAGE.parent / target).exists()] == []


def manifest_of_the_page() -> ServingManifest:
    return ServingManifest.from_json(re.findall(r"```json\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)[0])
