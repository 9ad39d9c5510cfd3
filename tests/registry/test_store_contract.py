"""What every object store promises."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from skewless.errors import UsageError
from skewless.registry.store import AlreadyThere, Moved, ObjectStore


def test_store_read_of_unknown_name_is_none(store: ObjectStore) -> None:
    assert store.read("objects/none.json") is None
    assert store.list("") == ()


def test_store_create_then_read_gives_same_body_and_etag(store: ObjectStore) -> None:
    etag = store.create("objects/a.json", b"\x00one")
    found = store.read("objects/a.json")
    assert found is not None
    assert (found.body, found.etag) == (b"\x00one", etag)


@pytest.mark.parametrize("body", [b"one", b"two"])
def test_store_create_twice_is_refused_and_keeps_the_first(store: ObjectStore, body: bytes) -> None:
    etag = store.create("a", b"one")
    with pytest.raises(AlreadyThere, match="'a' is there already"):
        store.create("a", body)
    found = store.read("a")
    assert found is not None
    assert (found.body, found.etag) == (b"one", etag)


def test_store_swap_with_current_etag_replaces_and_changes_etag(store: ObjectStore) -> None:
    first = store.create("a", b"one")
    second = store.swap("a", b"two", expected_etag=first)
    found = store.read("a")
    assert first != second
    assert found is not None
    assert (found.body, found.etag) == (b"two", second)


def test_store_swap_with_old_etag_is_refused_and_changes_nothing(store: ObjectStore) -> None:
    first = store.create("a", b"one")
    store.swap("a", b"two", expected_etag=first)
    with pytest.raises(Moved):
        store.swap("a", b"three", expected_etag=first)
    found = store.read("a")
    assert found is not None
    assert found.body == b"two"


def test_store_swap_of_missing_object_is_refused_and_creates_nothing(store: ObjectStore) -> None:
    with pytest.raises(Moved):
        store.swap("a", b"one", expected_etag="x")
    assert store.read("a") is None


def test_store_list_gives_sorted_names_of_the_prefix_only(store: ObjectStore) -> None:
    for name in ("objects/b", "heads/x.json", "objects/a", "leases/p/q.json"):
        store.create(name, b"")
    store.swap("objects/a", b"2", expected_etag=_etag(store, "objects/a"))
    assert store.list("objects/") == ("objects/a", "objects/b")
    assert store.list("") == ("heads/x.json", "leases/p/q.json", "objects/a", "objects/b")
    assert store.list("../") == ()


def test_store_delete_removes_and_a_second_delete_does_nothing(store: ObjectStore) -> None:
    store.create("a", b"one")
    store.delete("a")
    store.delete("a")
    assert store.read("a") is None
    assert store.create("a", b"two")


@pytest.mark.parametrize(
    "name",
    ["", "/", "/etc/passwd", "..", "../a", "a/../../b", "a/./b", "a//b", "a/", ".lock", "a/.b", "a b", "a\\b", "ä",
     "a\n", "a\x00b", "C:/x", "x" * 129, "a/" * 300 + "a"],
)  # fmt: skip
def test_store_illegal_name_is_refused_by_every_call(store: ObjectStore, name: str) -> None:
    calls = (
        lambda: store.read(name),
        lambda: store.create(name, b""),
        lambda: store.swap(name, b"", expected_etag=""),
        lambda: store.delete(name),
    )
    for call in calls:
        with pytest.raises(UsageError, match="not a name that the registry can keep"):
            call()
    assert store.list("") == ()


def test_store_twelve_creators_of_one_name_have_exactly_one_winner(store: ObjectStore) -> None:
    def create(writer: int) -> bool:
        try:
            store.create("a", str(writer).encode())
        except AlreadyThere:
            return False
        return True

    with ThreadPoolExecutor(12) as pool:
        won = list(pool.map(create, range(12)))
    found = store.read("a")
    assert found is not None
    assert won.count(True) == 1
    assert found.body == str(won.index(True)).encode()


def test_store_twelve_swappers_of_one_etag_have_exactly_one_winner(store: ObjectStore) -> None:
    etag = store.create("a", b"start")

    def swap(writer: int) -> bool:
        try:
            store.swap("a", str(writer).encode(), expected_etag=etag)
        except Moved:
            return False
        return True

    with ThreadPoolExecutor(12) as pool:
        won = list(pool.map(swap, range(12)))
    found = store.read("a")
    assert found is not None
    assert won.count(True) == 1
    assert found.body == str(won.index(True)).encode()


def test_store_reader_beside_writers_sees_whole_bodies_only(store: ObjectStore) -> None:
    etag = store.create("a", b"0" * 200_000)

    def write() -> None:
        current = etag
        for digit in b"123456789" * 3:
            current = store.swap("a", bytes([digit]) * 200_000, expected_etag=current)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while not writing.done():
            found = store.read("a")
            assert found is not None
            assert len(found.body) == 200_000
            assert len(set(found.body)) == 1
        writing.result()


def _etag(store: ObjectStore, name: str) -> str:
    found = store.read(name)
    assert found is not None
    return found.etag
