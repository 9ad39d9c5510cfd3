from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from cassandra.policies import HostDistance

from skewless.online.routing import PreferredHostPolicy, Router, in_chunks, in_groups, prefer


@dataclass(eq=False)
class Host:
    name: str
    is_up: bool = True
    datacenter: str = "dc1"


def host(name: str, *, is_up: bool = True, dc: str = "dc1") -> Any:
    return Host(name, is_up, dc)


def router(hosts: list[Any], replicas: dict[bytes, list[Any]]) -> Router:
    metadata = SimpleNamespace(
        all_hosts=lambda: hosts, get_replicas=lambda keyspace, partition: list(replicas[partition])
    )
    policy = SimpleNamespace(
        distance=lambda each: HostDistance.LOCAL if each.datacenter == "dc1" else HostDistance.REMOTE
    )
    profile = SimpleNamespace(load_balancing_policy=policy)
    cluster = SimpleNamespace(metadata=metadata, profile_manager=SimpleNamespace(default=profile))
    return Router(cluster, "ks")


def test_router_of_one_host_is_trivial() -> None:
    assert router([host("a")], {}).is_trivial
    assert not router([host("a"), host("b")], {}).is_trivial


def test_router_leaves_out_replicas_that_are_down_or_elsewhere() -> None:
    up, down, far = host("up"), host("down", is_up=False), host("far", dc="dc2")
    assert router([up, down, far], {b"k": [down, far, up]}).replicas(b"k") == [up]
    assert router([up, down, far], {b"k": [down, far]}).choose(b"k") is None


def test_router_chooses_the_less_loaded_replica() -> None:
    one, two = host("one"), host("two")
    routed = router([one, two], {b"k": [one, two]})
    routed.started(one)
    assert routed.choose(b"k") is two
    routed.started(two)
    routed.started(two)
    assert routed.choose(b"k") is one
    routed.ended(two)
    routed.ended(two)
    assert routed.choose(b"k") is two


def test_router_groups_every_key_once_by_a_replica_of_its_own() -> None:
    one, two = host("one"), host("two")
    routed = router([one, two], {b"a": [one], b"b": [two], b"c": [one]})
    groups = list(routed.grouped([("a", b"a"), ("b", b"b"), ("c", b"c")], size=1))
    assert groups == [(one, ["a"]), (one, ["c"]), (two, ["b"])]


def test_groups_hold_at_most_the_size_and_every_item_once() -> None:
    assert list(in_groups(list(range(7)), 3)) == [[0, 1], [2, 3], [4, 5, 6]]
    assert list(in_chunks(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(in_groups([], 3)) == []


def test_policy_asks_the_preferred_host_first_and_never_twice() -> None:
    one, two = host("one"), host("two")
    policy = PreferredHostPolicy("dc1")
    policy._child_policy = SimpleNamespace(make_query_plan=lambda keyspace, query: iter([one, two]))
    statement = SimpleNamespace(keyspace="ks", routing_key=None)
    assert list(policy.make_query_plan("ks", prefer(statement, two))) == [two, one]
    two.is_up = False
    assert next(iter(policy.make_query_plan("ks", statement))) is one
