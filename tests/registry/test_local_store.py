"""What only the store in a local folder can get wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from skewless.errors import StoreUnreachable, UsageError
from skewless.registry.local import LocalStore
from skewless.registry.store import AlreadyThere, Moved


def test_local_store_link_out_of_the_root_is_refused(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "registry")
    store.create("objects/a", b"")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"s")
    (tmp_path / "registry/objects/link").symlink_to(outside)
    with pytest.raises(UsageError, match="leads out of"):
        store.read("objects/link/secret")
    with pytest.raises(UsageError, match="leads out of"):
        store.create("objects/link/new", b"")
    assert [path.name for path in outside.iterdir()] == ["secret"]


def test_local_store_refused_writes_leave_no_staged_files(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.create("a", b"one")
    with pytest.raises(AlreadyThere):
        store.create("a", b"")
    with pytest.raises(Moved):
        store.swap("a", b"", expected_etag="x")
    assert list((tmp_path / ".staging").iterdir()) == []


def test_local_store_half_written_staged_file_is_never_an_object(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.create("a", b"one")
    (tmp_path / ".staging/killed").write_bytes(b"ha")
    assert store.list("") == ("a",)


def test_local_store_folder_that_cannot_be_made_is_store_unreachable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnreachable, match="Could not create 'a' in the registry"):
        LocalStore(tmp_path / "file").create("a", b"")


def test_local_store_name_of_a_folder_reads_as_none(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.create("a/b", b"")
    assert store.read("a") is None
    assert store.read("a/b/c") is None
