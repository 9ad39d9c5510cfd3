"""Which files a vacuum may remove, against the rule told file by file."""

from __future__ import annotations

import random

import pytest

from skewless.plan.vacuum_plan import DataFile, TableFiles, longer_retention, plan_vacuum


def _files(pinned: dict[str, frozenset[str]]) -> TableFiles:
    listed = {name: DataFile(f"/t/{name}", 10**at, 100) for at, name in enumerate(("new", "held", "old", "young"))}
    return TableFiles(listed, frozenset({"new"}), {"held": 200, "old": 200, "young": 300}, pinned)


def test_file_that_a_manifest_pins_is_held_and_for_whom_is_said() -> None:
    plan = plan_vacuum(
        _files({"b": frozenset({"held", "new"}), "a": frozenset({"held"}), "c": frozenset()}), before_ms=300
    )
    assert list(plan.going) == ["old"]
    assert plan.held == {"held": ("a", "b")}
    assert (plan.holders, plan.held_bytes, plan.going_bytes) == (("a", "b"), 10, 100)


def test_file_dropped_at_the_instant_stays_and_one_before_it_goes() -> None:
    assert set(plan_vacuum(_files({}), before_ms=301).going) == {"held", "old", "young"}
    assert set(plan_vacuum(_files({}), before_ms=300).going) == {"held", "old"}
    assert set(plan_vacuum(_files({}), before_ms=200).going) == set()


def test_file_that_the_log_does_not_know_goes_by_the_time_it_was_written() -> None:
    files = TableFiles({"stray": DataFile("/t/stray", 1, 100)}, frozenset(), {}, {})
    assert set(plan_vacuum(files, before_ms=101).going) == {"stray"}
    assert set(plan_vacuum(files, before_ms=100).going) == set()


@pytest.mark.parametrize("seed", range(50))
def test_no_file_of_the_newest_or_a_held_version_ever_goes(seed: int) -> None:
    dice = random.Random(seed)
    names = [f"f{number}" for number in range(12)]
    listed = {name: DataFile(name, dice.randrange(9), dice.randrange(9)) for name in names if dice.random() < 0.8}
    versions = [frozenset(dice.sample(names, dice.randrange(5))) for _ in range(4)]
    dropped = {name: dice.randrange(9) for name in names if dice.random() < 0.5}
    pinned, before = {f"m{at}": one for at, one in enumerate(versions[1:])}, dice.randrange(10)
    plan = plan_vacuum(TableFiles(listed, versions[0], dropped, pinned), before_ms=before)
    for name in names:
        is_old = name in listed and (dropped[name] if name in dropped else listed[name].modified_ms) < before
        owners = sorted(who for who, files in pinned.items() if name in files)
        may_go = is_old and name not in versions[0]
        assert (name in plan.going) == (may_go and not owners)
        assert plan.held.get(name, ()) == (tuple(owners) if may_go else ())


@pytest.mark.parametrize(
    ("age", "now", "wanted"), [(0, 400, None), (199, 400, None), (200, 400, 600), (700, 400, 1100)]
)
def test_retention_is_prolonged_when_less_than_half_a_horizon_is_left(age: int, now: int, wanted: int | None) -> None:
    assert longer_retention(age, now_days=now, horizon_days=400) == wanted
