from __future__ import annotations

import socket
from pathlib import Path

from skewless.node import Member
from skewless.node.machine import is_answering, is_free
from skewless.node.templates import Layout, NodeSecurity, cassandra_yaml, java_command, member_yaml, rack_properties


def member(**changes: object) -> Member:
    values: dict[str, object] = {"address": "127.0.0.2", "seed": "127.0.0.1", "storage_port": 7001, "token": -3}
    return Member(**{**values, **changes})  # type: ignore[arg-type]


def settings_of(yaml: str) -> dict[str, str]:
    pairs = [line.partition(": ") for line in yaml.splitlines() if line[0] not in " #"]
    assert len({name for name, _, _ in pairs}) == len(pairs), "a setting stands twice"
    return {name: value for name, _, value in pairs}


def test_member_listens_at_its_own_address_and_asks_the_seed() -> None:
    yaml = member_yaml(member(), port=9043, security=NodeSecurity())
    found = settings_of(yaml)
    assert (found["listen_address"], found["rpc_address"]) == ("127.0.0.2", "127.0.0.2")
    assert (found["native_transport_port"], found["storage_port"]) == ("9043", "7001")
    assert '\ninitial_token: "-3"\n' in yaml
    assert 'seeds: "127.0.0.1:7001"' in yaml


def test_setting_of_a_member_wins_over_that_of_a_single_node() -> None:
    wanted = {"read_request_timeout": "500ms", "max_hint_window": "1s"}
    found = settings_of(member_yaml(member(settings=wanted), port=9043, security=NodeSecurity()))
    assert {name: found[name] for name in wanted} == wanted
    assert (
        found["write_request_timeout"]
        == settings_of(cassandra_yaml(port=1, storage_port=2, security=NodeSecurity()))["write_request_timeout"]
    )


def test_command_of_a_member_tells_its_data_center_and_that_of_a_single_node_does_not(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    one = java_command(layout, java_home=tmp_path, jars=tmp_path, heap_mb=256)
    of_many = java_command(layout, java_home=tmp_path, jars=tmp_path, heap_mb=256, member=member())
    option = f"-Dcassandra-rackdc.properties={layout.rack.as_uri()}"
    assert option in of_many
    assert option not in one
    assert rack_properties(member(data_center="east")).splitlines()[0] == "dc=east"


def test_java_of_a_long_lived_node_compiles_as_far_as_it_can_and_has_its_heap_at_once(tmp_path: Path) -> None:
    commands = [
        java_command(Layout(tmp_path), java_home=tmp_path, jars=tmp_path, heap_mb=256, is_long_lived=is_long_lived)
        for is_long_lived in (False, True)
    ]
    brief, long = (set(command) for command in commands)
    assert brief - long == {"-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}
    assert long - brief == {"-Xms256m", "-XX:+UseG1GC"}


def test_port_taken_at_one_address_is_free_at_another() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.2", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_free(port, "127.0.0.2")
        assert is_answering(port, "127.0.0.2")
        assert is_free(port, "127.0.0.3")
