"""Objects are what their names say; heads move by one, and nobody's change is lost."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from skewless.core.clock import ManualClock
from skewless.errors import DefinitionConflict, UsageError
from skewless.registry.heads import HeadChange, HeadMoved, Heads
from skewless.registry.local import LocalStore
from skewless.registry.objects import ObjectDamaged, Objects
from skewless.registry.store import Moved, ObjectStore, Stored

CLOCK = ManualClock(1_506_902_400_000_000)
ANN = HeadChange("demo", "ann")


def test_objects_put_twice_gives_one_object_with_the_same_content(store: ObjectStore) -> None:
    objects = Objects(store)
    first = objects.put({"b": [1, None], "a": "ä"})
    assert objects.put({"a": "ä", "b": [1, None]}) == first
    assert objects.get(first) == {"a": "ä", "b": [1, None]}
    assert store.list("") == (f"objects/{first}.json",)


def test_objects_floats_are_refused(store: ObjectStore) -> None:
    with pytest.raises(TypeError, match="no floats"):
        Objects(store).put({"a": [{"b": 1.5}]})


@pytest.mark.parametrize("body", [b"", b'{"a":1', b'{"a":2}', b"[]"])
def test_objects_edited_or_half_written_is_an_error_on_reading_and_on_putting(store: ObjectStore, body: bytes) -> None:
    objects = Objects(store)
    hashed = objects.put({"a": 1})
    found = store.read(f"objects/{hashed}.json")
    assert found is not None
    store.swap(f"objects/{hashed}.json", body, expected_etag=found.etag)
    for call in (lambda: objects.get(hashed), lambda: objects.put({"a": 1})):
        with pytest.raises(ObjectDamaged, match="edited or half-written") as caught:
            call()
        assert caught.value.exit_code == 14


def test_objects_missing_is_an_error_that_names_it(store: ObjectStore) -> None:
    with pytest.raises(ObjectDamaged, match=r"objects/abc\.json' is gone"):
        Objects(store).get("abc")


def test_heads_before_the_first_apply_read_none(store: ObjectStore) -> None:
    assert Heads(store).read("demo") is None
    assert list(Heads(store).history("demo")) == []


def test_heads_advance_links_numbers_and_parents(store: ObjectStore) -> None:
    heads = Heads(store)
    first = heads.advance(None, {"view/a": "1"}, change=ANN, clock=CLOCK)
    second = heads.advance(first, {"view/a": "2"}, change=HeadChange("demo", "bob", note="why"), clock=CLOCK)
    assert (first.number, first.parent, second.number, second.parent) == (1, None, 2, first.hash)
    assert (second.author, second.note, second.time_us) == ("bob", "why", CLOCK.instant_us)
    assert heads.read("demo") == second
    assert list(heads.history("demo")) == [second, first]


def test_heads_of_two_projects_do_not_meet(store: ObjectStore) -> None:
    heads = Heads(store)
    heads.advance(None, {"view/a": "1"}, change=ANN, clock=CLOCK)
    other = heads.advance(None, {}, change=HeadChange("other", "bob"), clock=CLOCK)
    assert other.number == 1


@pytest.mark.parametrize("planned_on_first", [True, False])
def test_heads_second_applier_gets_a_conflict_that_names_the_first(store: ObjectStore, planned_on_first: bool) -> None:
    heads = Heads(store)
    base = heads.advance(None, {}, change=ANN, clock=CLOCK) if planned_on_first else None
    winner = heads.advance(base, {"view/a": "1"}, change=ANN, clock=CLOCK)
    with pytest.raises(HeadMoved, match=f"ann applied head {winner.number} to project 'demo' at 2017-10-02 00:00 UTC"):
        heads.advance(base, {"view/b": "1"}, change=HeadChange("demo", "bob"), clock=CLOCK)
    assert heads.read("demo") == winner
    assert issubclass(HeadMoved, DefinitionConflict)


def test_heads_seal_stays_and_cannot_be_broken(store: ObjectStore) -> None:
    heads = Heads(store)
    first = heads.advance(None, {}, change=HeadChange("demo", "ann", sealed={"view/a@1": "x"}), clock=CLOCK)
    second = heads.advance(first, {}, change=HeadChange("demo", "ann", sealed={"view/a@2": "y"}), clock=CLOCK)
    assert second.sealed == {"view/a@1": "x", "view/a@2": "y"}
    with pytest.raises(DefinitionConflict, match="Raise its version"):
        heads.advance(second, {}, change=HeadChange("demo", "ann", sealed={"view/a@1": "z"}), clock=CLOCK)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"number": 1}', b"[" * 100_000])
def test_heads_damaged_head_is_an_error(store: ObjectStore, body: bytes) -> None:
    store.create("heads/demo.json", body)
    with pytest.raises(ObjectDamaged, match="heads/demo"):
        Heads(store).read("demo")


@pytest.mark.parametrize("project", ["", "../x", "Demo", "a/b", "a" * 49])
def test_heads_illegal_project_name_is_refused(store: ObjectStore, project: str) -> None:
    with pytest.raises(UsageError, match="no project name"):
        Heads(store).read(project)


@dataclass(slots=True)
class LateAnswers:
    """A store that does what it is asked, then says that it did not: a timeout after success, tried again."""

    store: ObjectStore
    lies: list[str] = field(default_factory=list)

    def read(self, name: str) -> Stored | None:
        return self.store.read(name)

    def create(self, name: str, body: bytes) -> str:
        return self.store.create(name, body)

    def swap(self, name: str, body: bytes, *, expected_etag: str) -> str:
        self.store.swap(name, body, expected_etag=expected_etag)
        self.lies.append(name)
        raise Moved(name)

    def list(self, prefix: str) -> tuple[str, ...]:
        return self.store.list(prefix)

    def delete(self, name: str) -> None:
        self.store.delete(name)


def test_heads_swap_that_answers_late_is_recognised_as_done(store: ObjectStore) -> None:
    late = LateAnswers(store)
    first = Heads(late).advance(None, {}, change=ANN, clock=CLOCK)
    second = Heads(late).advance(first, {"view/a": "1"}, change=ANN, clock=CLOCK)
    assert Heads(store).read("demo") == second
    assert late.lies == ["heads/demo.json"]


@dataclass(slots=True)
class Overtaken(LateAnswers):
    """A store in which somebody creates the same head a moment before."""

    def create(self, name: str, body: bytes) -> str:
        if name.startswith("heads/"):
            Heads(self.store).advance(None, {"view/a": "1"}, change=ANN, clock=CLOCK)
        return self.store.create(name, body)


def test_heads_same_content_by_the_same_author_at_the_same_instant_still_conflicts(store: ObjectStore) -> None:
    with pytest.raises(HeadMoved, match="ann applied head 1"):
        Heads(Overtaken(store)).advance(None, {"view/a": "1"}, change=ANN, clock=CLOCK)


def _insist(heads: Heads, writer: str) -> int:
    """Add one name, however often others come first; return the number of conflicts."""
    conflicts = 0
    while True:
        head = heads.read("demo")
        names = dict(head.names) if head else {}
        try:
            heads.advance(head, {**names, f"view/{writer}": writer}, change=HeadChange("demo", writer), clock=CLOCK)
        except HeadMoved:
            conflicts += 1
        else:
            return conflicts


def _assert_nothing_lost(heads: Heads) -> None:
    head = heads.read("demo")
    assert head is not None
    assert head.number == 12
    assert sorted(head.names) == sorted(f"view/w{writer}" for writer in range(12))
    history = list(heads.history("demo"))
    assert [one.number for one in history] == list(range(12, 0, -1))
    assert all(set(old.names) < set(new.names) for new, old in pairwise(history))


def test_heads_twelve_threads_at_once_lose_nothing(store: ObjectStore) -> None:
    heads = Heads(store)
    with ThreadPoolExecutor(12) as pool:
        conflicts = list(pool.map(lambda writer: _insist(heads, f"w{writer}"), range(12)))
    assert sum(conflicts) > 0
    _assert_nothing_lost(heads)


_WRITER = """
import sys, time
from pathlib import Path
from skewless.core.clock import SystemClock
from skewless.registry.heads import HeadChange, HeadMoved, Heads
from skewless.registry.local import LocalStore
root, writer = Path(sys.argv[1]), sys.argv[2]
heads = Heads(LocalStore(root / "registry"))
(root / f"ready_{writer}").touch()
while not (root / "go").exists():
    time.sleep(0.002)
while True:
    head = heads.read("demo")
    names = {**(head.names if head else {}), f"view/{writer}": writer}
    try:
        heads.advance(head, names, change=HeadChange("demo", writer), clock=SystemClock())
        break
    except HeadMoved:
        pass
"""


def test_heads_twelve_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    started = [subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path), f"w{writer}"]) for writer in range(12)]
    try:
        while len(list(tmp_path.glob("ready_*"))) < 12:
            assert all(process.poll() is None for process in started)
            time.sleep(0.02)
        (tmp_path / "go").touch()
        assert [process.wait(60) for process in started] == [0] * 12
    finally:
        for process in started:
            process.kill()
            process.wait()
    _assert_nothing_lost(Heads(LocalStore(tmp_path / "registry")))
