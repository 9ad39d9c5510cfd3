"""The examples in other languages pass the contract's vectors, and read what we wrote to a real node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from skewless.core import dtypes
from skewless.core.vector import Status
from tests.online.shop import SECOND, T0, CassandraShop
from tests.support.contract import FILE, VECTORS, spelled

EXAMPLES = FILE.parents[2] / "examples"
#: The examples know typed views only, and say so.
LISTS = {name: len(cases) for name, cases in VECTORS.items() if name not in {"format", "packed"}}
needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="go is not on this machine, so its example cannot run")
needs_java = pytest.mark.skipif(
    shutil.which("javac") is None, reason="javac is not on this machine, so its example cannot run"
)


def run(command: Sequence[object], folder: Path) -> subprocess.CompletedProcess[str]:
    # GOFLAGS: an example must be complete as it is committed.
    environment = {**os.environ, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    return subprocess.run(
        list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(params=[pytest.param("go", marks=needs_go), pytest.param("java", marks=needs_java)])
def example(request: pytest.FixtureRequest, tmp_path: Path) -> list[object]:
    """The command of an example that runs the vectors, built; the file follows."""
    if request.param == "go":
        built = run(["go", "build", "-o", tmp_path / "vectors", "./vectors"], EXAMPLES / "go" / "online")
        command: list[object] = [tmp_path / "vectors"]
    else:
        built = run(["javac", "-Xlint:all", "-Werror", "-d", tmp_path, *(EXAMPLES / "java").glob("*.java")], tmp_path)
        command = ["java", "-cp", tmp_path, "Vectors"]
    assert built.returncode == 0, built.stderr
    return command


def test_example_in_another_language_passes_every_vector(example: list[object], tmp_path: Path) -> None:
    done = run([*example, FILE], tmp_path)
    assert done.stdout.splitlines() == [f"{name}: {count} passed, 0 failed" for name, count in LISTS.items()]
    assert (done.returncode, done.stderr) == (0, "")


def test_example_in_another_language_fails_every_list_with_a_wrong_case(example: list[object], tmp_path: Path) -> None:
    wrong = json.loads(FILE.read_text())
    wrong["statements"][0]["many"] += " LIMIT 1"
    wrong["keys"][0]["literal"] = "FALSE"
    wrong["values"][0]["value"] = True
    wrong["statuses"][0]["expected"]["status"] = "NULL"
    wrong["timelines"][0]["steps"][0]["expected"]["unconfirmed"] = True
    (tmp_path / "wrong.json").write_text(json.dumps(wrong))
    done = run([*example, "wrong.json"], tmp_path)
    counted = [line for line in done.stdout.splitlines() if "passed" in line]
    assert counted == [f"{name}: {count - 1} passed, 1 failed" for name, count in LISTS.items()]
    assert done.returncode == 1


@pytest.fixture
def reader(tmp_path: Path) -> Path:
    """The Go program that reads a node through gocql, built."""
    folder = EXAMPLES / "go" / "reading"
    fetched = run(["go", "mod", "download"], folder)
    if fetched.returncode != 0:
        pytest.skip(f"gocql cannot be fetched on this machine: {fetched.stderr.strip()[-200:]}")
    built = run(["go", "build", "-o", tmp_path / "reading", "."], folder)
    assert built.returncode == 0, built.stderr
    return tmp_path / "reading"


@needs_go
@pytest.mark.cassandra
def test_example_in_go_reads_from_a_node_what_our_client_reads(reader: Path, cassandra_shop: CassandraShop) -> None:
    shop = cassandra_shop
    features = {
        "x": dtypes.Float64, "n": dtypes.Int64, "s": dtypes.String, "d": dtypes.Decimal(9, 2), "t": dtypes.Timestamp,
        "l": dtypes.Array(dtypes.String), "v": dtypes.Vector(2),
    }  # fmt: skip
    keys = {"store": dtypes.String, "basket_id": dtypes.Int64}
    view = shop.view("basket", keys=keys, features=features, ttl=timedelta(seconds=10))
    late = shop.view("late", keys=keys)
    shop.serve(view, late)
    full = (-0.0, 2**63 - 1, "漢字", Decimal("1.50"), -1_500_001, ["", "b"], [1.5, -0.0])
    empty = (None,) * len(features)
    shop.put(view, 5, ("a", 1, T0, "", *full), ("", 2, T0, "", *empty), ("a", 3, T0 - 10 * SECOND, "", *full))
    shop.put(view, 6, ("a", 4, T0, "deleted", *empty), ("a", 5, None, "absent", *empty))
    shop.put(view, 7, ("a", 1, T0, "", *empty))
    shop.publish((view, 6))
    shop.publish((view, 7), at_us=T0 + 1)
    asked = [["a", "1"], ["", "2"], ["a", "3"], ["a", "4"], ["a", "5"], ["b", "1"], ["a", None], ["a", "1"]]
    ours = shop.client().get_many(
        "svc", [{"store": store, "basket_id": basket and int(basket)} for store, basket in asked]
    )
    target = shop.target
    command = [
        reader, "-host", target.contact_points[0], "-port", target.port, "-keyspace", target.keyspace,
        "-project", shop.project, "-service", "svc", "-now-us", T0, json.dumps(asked),
    ]  # fmt: skip
    done = run(command, EXAMPLES)
    assert (done.returncode, done.stderr) == (0, "")
    told: dict[str, list[Any]] = {}
    for line in map(json.loads, done.stdout.splitlines()):
        told.setdefault(line["feature"], []).append((line["key"], line["status"], line["value"]))
    assert told.keys() == ours.values.keys()
    types = {f"{one.name}:{name}": dtype for one in (view, late) for name, dtype in one.features.items()}
    for name, cells in told.items():
        values = [None if value is None else spelled(types[name], value) for value in ours.values[name]]
        statuses = [status.value for status in ours.status[name]]
        assert cells == list(zip(asked, statuses, values, strict=True)), name
    seen = {status for column in ours.status.values() for status in column}
    assert seen == set(Status) - {Status.TIMEOUT, Status.ERROR}
