"""One holder at a time, and a token that only grows."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from skewless.core.clock import ManualClock
from skewless.errors import LeaseHeld, StoreUnreachable, UsageError
from skewless.registry.holder import Holder
from skewless.registry.leases import LeaseLost, Leases
from skewless.registry.local import LocalStore
from skewless.registry.objects import ObjectDamaged
from skewless.registry.store import ObjectStore

MINUTE = timedelta(minutes=1)
HERE = Holder.here("nightly")
ELSEWHERE = Holder("nightly", "host-b", "another boot", 4242, "17")
START = 1_506_902_400_000_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def leases(store: ObjectStore, clock: ManualClock) -> Leases:
    return Leases(store, clock)


def _pass(clock: ManualClock, duration: timedelta) -> None:
    clock.instant_us += duration // timedelta(microseconds=1)


def test_lease_acquire_of_free_name_gives_token_one(leases: Leases) -> None:
    lease = leases.acquire("demo/run", holder=HERE, ttl=MINUTE)
    assert (lease.token, lease.since_us, lease.until_us) == (1, START, START + 60_000_000)
    leases.still_held(lease)
    assert leases.peek("demo/run") == lease
    assert leases.peek("demo/other") is None


def test_lease_held_message_names_holder_since_and_until(leases: Leases, clock: ManualClock) -> None:
    leases.acquire("run", holder=ELSEWHERE, ttl=MINUTE)
    _pass(clock, timedelta(seconds=59, microseconds=999_999))
    expected = (
        r"'run' is held by nightly \(process 4242 on host-b\) since 2017-10-02 00:00 UTC, until 2017-10-02 00:01 UTC"
    )
    with pytest.raises(LeaseHeld, match=expected) as caught:
        leases.acquire("run", holder=HERE, ttl=MINUTE)
    assert caught.value.exit_code == 12


def test_lease_held_by_this_very_process_is_held_as_well(leases: Leases) -> None:
    leases.acquire("run", holder=HERE, ttl=MINUTE)
    with pytest.raises(LeaseHeld):
        leases.acquire("run", holder=HERE, ttl=MINUTE)


def test_lease_over_at_its_ttl_exactly_is_taken_over_with_greater_token(leases: Leases, clock: ManualClock) -> None:
    old = leases.acquire("run", holder=ELSEWHERE, ttl=MINUTE)
    _pass(clock, MINUTE)
    new = leases.acquire("run", holder=HERE, ttl=MINUTE)
    assert new.token == old.token + 1
    with pytest.raises(LeaseLost, match=r"taken over by nightly .* with token 2\. Nothing was committed"):
        leases.still_held(old)
    with pytest.raises(LeaseLost):
        leases.renew(old)
    assert leases.release(old) is False
    leases.still_held(new)


def test_lease_over_but_not_taken_is_lost_until_it_is_renewed(leases: Leases, clock: ManualClock) -> None:
    lease = leases.acquire("run", holder=ELSEWHERE, ttl=MINUTE)
    _pass(clock, MINUTE)
    with pytest.raises(LeaseLost, match="ended at 2017-10-02 00:01 UTC before it was renewed"):
        leases.still_held(lease)
    renewed = leases.renew(lease)
    leases.still_held(lease)
    assert (renewed.token, renewed.until_us) == (1, START + 120_000_000)


def test_lease_renewed_blocks_others_beyond_its_first_ttl(leases: Leases, clock: ManualClock) -> None:
    lease = leases.acquire("run", holder=ELSEWHERE, ttl=MINUTE)
    _pass(clock, MINUTE / 2)
    leases.renew(lease)
    _pass(clock, MINUTE / 2)
    with pytest.raises(LeaseHeld, match="until 2017-10-02 00:01:30 UTC"):
        leases.acquire("run", holder=HERE, ttl=MINUTE)


def test_lease_renewed_while_the_clock_jumps_back_does_not_get_shorter(leases: Leases, clock: ManualClock) -> None:
    lease = leases.acquire("run", holder=ELSEWHERE, ttl=MINUTE)
    _pass(clock, -MINUTE)
    assert leases.renew(lease).until_us == lease.until_us


def test_lease_released_is_free_at_once_and_remembers_its_token(leases: Leases) -> None:
    first = leases.acquire("run", holder=ELSEWHERE, ttl=MINUTE)
    assert leases.release(first) is True
    with pytest.raises(LeaseLost, match="was released"):
        leases.still_held(first)
    with pytest.raises(LeaseLost, match="was released"):
        leases.renew(first)
    assert leases.acquire("run", holder=HERE, ttl=MINUTE).token == 2


@pytest.mark.parametrize("ttl", [timedelta(0), timedelta(seconds=-1)])
def test_lease_without_duration_is_refused(leases: Leases, ttl: timedelta) -> None:
    with pytest.raises(UsageError, match="Give a positive duration"):
        leases.acquire("run", holder=HERE, ttl=ttl)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"holder": {"who": "x"}}'])
def test_lease_damaged_is_an_error_and_is_not_taken_over(leases: Leases, store: ObjectStore, body: bytes) -> None:
    store.create("leases/run.json", body)
    with pytest.raises(ObjectDamaged):
        leases.acquire("run", holder=HERE, ttl=MINUTE)


def test_lease_twelve_threads_at_once_have_one_winner(leases: Leases) -> None:
    def acquire(_: int) -> bool:
        try:
            leases.acquire("run", holder=HERE, ttl=MINUTE)
        except LeaseHeld:
            return False
        return True

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(acquire, range(12))).count(True) == 1


def test_lease_twelve_threads_taking_over_give_strictly_increasing_tokens(leases: Leases, clock: ManualClock) -> None:
    leases.acquire("run", holder=ELSEWHERE, ttl=MINUTE)
    _pass(clock, MINUTE)

    def work(_: int) -> list[int]:
        tokens: list[int] = []
        while len(tokens) < 3:
            try:
                lease = leases.acquire("run", holder=HERE, ttl=MINUTE)
            except LeaseHeld:
                continue
            tokens.append(lease.token)
            leases.release(lease)
        return tokens

    with ThreadPoolExecutor(12) as pool:
        tokens = [token for some in pool.map(work, range(12)) for token in some]
    assert sorted(tokens) == list(range(2, 38))


def test_lease_of_a_dead_process_of_this_machine_is_taken_over_at_once(leases: Leases) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    code = "import sys; from skewless.registry.holder import Holder; print(Holder.here('x').started)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout.strip()
    holder = replace(HERE, pid=child.pid, started=_started_of(child.pid))
    leases.acquire("run", holder=holder, ttl=MINUTE)
    with pytest.raises(LeaseHeld):
        leases.acquire("run", holder=HERE, ttl=MINUTE)
    child.kill()
    _until(holder.is_gone)  # a zombie is gone, too: nobody has waited for it yet
    assert leases.acquire("run", holder=HERE, ttl=MINUTE).token == 2
    child.communicate()


def test_lease_of_a_reused_process_number_counts_as_gone_but_not_from_another_place() -> None:
    assert not HERE.is_gone()
    assert replace(HERE, started="1").is_gone()
    assert not replace(HERE, started="1", place="another boot").is_gone()
    assert not ELSEWHERE.is_gone()


def test_held_renews_every_third_of_its_ttl_and_releases_at_the_end(store: ObjectStore) -> None:
    leases = Leases(store)
    with leases.held("run", holder=HERE, ttl=timedelta(milliseconds=600)) as held:
        time.sleep(1.2)
        held.check()
        with pytest.raises(LeaseHeld):
            leases.acquire("run", holder=ELSEWHERE, ttl=MINUTE)
    assert leases.acquire("run", holder=ELSEWHERE, ttl=MINUTE).token == held.token + 1


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_held_releases_when_its_block_is_left_by_an_error(leases: Leases, error: type[BaseException]) -> None:
    with pytest.raises(error), leases.held("run", holder=HERE, ttl=MINUTE):
        raise error
    standing = leases.peek("run")
    assert standing is not None
    assert standing.released


def test_held_lost_inside_its_block_fails_the_check_and_leaves_the_winner_alone(
    leases: Leases, clock: ManualClock
) -> None:
    with leases.held("run", holder=ELSEWHERE, ttl=MINUTE) as held:
        _pass(clock, MINUTE)
        winner = leases.acquire("run", holder=HERE, ttl=MINUTE)
        with pytest.raises(LeaseLost, match="token 2"):
            held.check()
    leases.still_held(winner)


def test_held_keeps_trying_to_renew_while_the_store_does_not_answer(tmp_path: Path) -> None:
    root = tmp_path / "registry"
    leases = Leases(LocalStore(root))
    with leases.held("run", holder=HERE, ttl=timedelta(seconds=3)) as held:
        root.rename(tmp_path / "away")
        (tmp_path / "registry").write_bytes(b"")  # neither reads nor writes work now
        with pytest.raises((StoreUnreachable, LeaseLost)):
            held.check()
        time.sleep(1.3)
        (tmp_path / "registry").unlink()
        (tmp_path / "away").rename(root)
        time.sleep(2)  # beyond the first ttl: only a renewal can have kept it
        held.check()


_SIGTERM = """
import signal, sys, time
from datetime import timedelta
from pathlib import Path
from skewless.registry.holder import Holder
from skewless.registry.leases import Leases
from skewless.registry.local import LocalStore
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
with Leases(LocalStore(Path(sys.argv[1]))).held("run", holder=Holder.here("job"), ttl=timedelta(minutes=1)):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(("signal_name", "released"), [("terminate", True), ("kill", False)])
def test_held_in_a_process_that_is_ended_frees_the_name(tmp_path: Path, signal_name: str, released: bool) -> None:
    child = subprocess.Popen([sys.executable, "-c", _SIGTERM, str(tmp_path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    leases = Leases(LocalStore(tmp_path))
    with pytest.raises(LeaseHeld, match=f"job \\(process {child.pid} on "):
        leases.acquire("run", holder=HERE, ttl=MINUTE)
    getattr(child, signal_name)()
    child.communicate(timeout=20)
    standing = leases.peek("run")
    assert standing is not None
    assert standing.released is released
    assert leases.acquire("run", holder=HERE, ttl=MINUTE).token == 2


def _started_of(pid: int) -> str:
    stat = Path(f"/proc/{pid}/stat")
    return stat.read_text().rpartition(")")[2].split()[19] if stat.exists() else ""


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
