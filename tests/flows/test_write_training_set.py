"""A training set on disk: the same rows however it is cut, killed and repeated, and numbers that add up."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from skewless import Definitions, FeatureService
from skewless.core.failpoints import Failpoint
from skewless.core.manifest import Manifest
from skewless.errors import SkewlessError, UsageError
from skewless.flows.workshop import quiet
from skewless.flows.write_training_set import Progress
from skewless.node import Endpoint
from skewless.spark.training import content_hash
from tests.support.dying import dies_at
from tests.support.frames import assert_same_rows, frame, rows_of
from tests.support.project import LAST_ORDER, SPEND, USER, Project, at, open_project
from tests.support.twins import OF_TRAINING

pytestmark = [pytest.mark.spark, pytest.mark.usefixtures("interpreted")]

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "training-sets.md"
NOW = at("2024-03-10T06:00")
SPINE = "user_id bigint, timestamp timestamp, churned int, note string"
OFFLINE = {"SKEWLESS__ONLINE__KIND": "none"}
#: Before the first publish, between the two, after them, past the ttl of spend; twice; nobody; no key; no time.
ROWS = [
    (1, at("2024-03-02T00:30"), 0, "simulated"),
    (1, at("2024-03-03T00:00"), 0, "first"),
    (1, at("2024-03-05T08:00"), 1, "second"),
    (1, at("2024-03-05T08:00"), 1, "second"),
    (2, at("2024-03-05T08:00"), 0, "ü 'quoted'"),
    (3, at("2024-03-04T00:00"), 0, None),
    (3, at("2024-03-09T00:00"), None, "too old"),
    (99, at("2024-03-05T08:00"), 0, "unknown"),
    (None, at("2024-03-05T08:00"), 0, "no key"),
    (1, None, 0, "no time"),
]


def opened(spark: Any, folder: Path) -> Project:
    return open_project(spark, Endpoint("127.0.0.1", 1), folder, "none", variables=OFFLINE)


@pytest.fixture(scope="module")
def project(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    found = opened(spark, tmp_path_factory.mktemp("training"))
    found.land((1, 1, "2024-03-01T10:00", 5.0), (2, 2, "2024-03-01T11:00", 2.5), (3, 3, "2024-03-01T12:00", 1.0))
    found.store.apply()
    found.store.run(now=at("2024-03-02T06:00"))
    found.land((4, 1, "2024-03-04T10:00", 7.0))
    found.store.run(now=at("2024-03-05T06:00"))
    found.store.move_clock(NOW)
    yield found
    found.store.close()


@pytest.fixture(scope="module")
def spine(spark: Any) -> Any:
    return frame(spark, SPINE, ROWS)


def read(project: Project, path: Path) -> Any:
    return project.store.session.read.format("parquet" if path.suffix == ".parquet" else "delta").load(str(path))


def test_rows_are_the_same_in_any_number_of_slices_and_in_both_formats(
    project: Project, spine: Any, tmp_path: Path
) -> None:
    given = project.store.training_set("scoring", spine, with_status=True, split="key:0.5")
    hashes, seen = {given.manifest.content_hash, content_hash(given.frame)}, []
    for out, slices in (("one", 1), ("five", 5), ("one.parquet", 1), ("five.parquet", 5), ("own.parquet", None)):
        made = project.store.write_training_set(
            "scoring",
            spine,
            str(tmp_path / out),
            with_status=True,
            split="key:0.5",
            slices=slices,
            tell=seen.append,
        )
        found = read(project, made.path)
        assert_same_rows(found, rows_of(given.frame))
        hashes |= {made.manifest.content_hash, content_hash(found)}
        assert of_rows(made.manifest) == of_rows(given.manifest)
        assert Manifest(**unspelled(made.manifest_path)).counts == given.manifest.counts
        assert sorted(path.name for path in tmp_path.glob(f"{out}*")) == [
            out,
            f"{out}.manifest.json",
            f"{out}.summary.html",
        ]
    assert len(hashes) == 1
    assert seen[0] == Progress(0, 1, 0, len(ROWS))
    assert seen[7] == Progress(5, 5, len(ROWS), len(ROWS))


def of_rows(manifest: Manifest) -> Manifest:
    """What it says of the rows, not of their making."""
    return replace(manifest, seconds=0.0, manifest_id="", output={})


def test_guide_reads_a_training_set_into_frames_and_arrays(project: Project, spine: Any, tmp_path: Path) -> None:
    out = str(tmp_path / "churn.parquet")
    made = project.store.write_training_set("scoring", spine, out, split="key:0.5", slices=2)
    names: dict[str, Any] = {}
    for snippet in re.findall(r"```python\n(.*?)```", GUIDE.read_text(), flags=re.DOTALL):
        exec(compile(snippet, GUIDE.name, "exec"), names)  # noqa: S102 - our own page
    rows = [row for row in read(project, made.path).collect() if row["churned"] is not None]
    for side in ("train", "test"):
        expected = sorted((row["spend__spend_7d"] or -1.0, row["churned"]) for row in rows if row["split"] == side)
        assert len(names["read_pandas"](out, side)) == made.manifest.split["rows"][side]
        matrix, label = names["read_arrays"](out, side, ["spend__spend_7d"], "churned")
        found = [-1.0 if math.isnan(value) else value for value in matrix[:, 0].tolist()]
        assert sorted(zip(found, label.tolist(), strict=True)) == expected


def unspelled(path: Path) -> dict[str, Any]:
    document = json.loads(path.read_text())
    assert document.pop("format") == 1
    return {**document, "features": tuple(document["features"])}


def test_counts_nulls_and_ages_are_those_of_single_look_ups(project: Project, spine: Any, tmp_path: Path) -> None:
    made = project.store.write_training_set("scoring", spine, str(tmp_path / "set"), slices=3)
    ttl = timedelta(days=3)
    counts: dict[str, Counter[str]] = {"last_order": Counter(), "spend": Counter()}
    too_old: Counter[int] = Counter()
    last_order_ages: Counter[int] = Counter()
    for user, moment, _, _ in ROWS:
        if user is None or moment is None:
            for found in counts.values():
                found["NOT_FOUND"] += 1
            continue
        vector = project.offline(user, moment)
        counts["last_order"][vector.status["last_order:amount"].value] += 1
        counts["spend"][vector.status["spend:spend_7d"].value] += 1
        for found in counts.values():
            found["simulated"] += moment < at("2024-03-02T06:00") + timedelta(seconds=2)
        if vector.age["spend"] is not None:
            too_old[min(vector.age["spend"] * 10 // ttl, 20)] += 1
        if vector.age["last_order"] is not None:
            edges = made.manifest.ages["last_order"]["from_us"]
            last_order_ages[sum(vector.age["last_order"] >= timedelta(microseconds=one) for one in edges) - 1] += 1
    expected = {view: {"rows": len(ROWS), "simulated": 0} | dict(found) for view, found in counts.items()}
    assert made.manifest.counts == expected
    assert made.manifest.ages["spend"]["rows"] == [too_old[place] for place in range(21)]
    assert sum(made.manifest.ages["spend"]["rows"][10:]) == expected["spend"]["EXPIRED"] == 1
    told = made.manifest.ages["last_order"]["rows"]
    assert told == [last_order_ages[place] for place in range(len(told))]
    assert made.manifest.without_key_or_time == 2
    assert set(made.manifest.nulls.values()) == {0}


def test_split_by_keys_is_a_hash_of_the_typed_key_and_stays_the_same_for_ever(
    project: Project, spark: Any, tmp_path: Path
) -> None:
    users = [*range(-3, 60), 2**63 - 1, -(2**63)]
    many = frame(spark, "user_id bigint, timestamp timestamp", [(user, at("2024-03-05T08:00")) for user in users])
    for text, share in (("key:0.2", 0.2), ("key:user_id:.75", 0.75)):
        made = project.store.training_set("scoring", many, split=text)
        found = {row["user_id"]: row["split"] for row in made.frame.select("user_id", "split").collect()}
        expected = {}
        for user in users:
            text_of = str(user)
            digest = hashlib.sha256(f"user_id:int64:{len(text_of)}:{text_of}".encode()).hexdigest()
            expected[user] = "test" if int(digest[:13], 16) / 2**52 < share else "train"
        assert found == expected
        assert made.manifest.split["keys"] == ["user_id"]
        assert made.manifest.split["rows"] == {side: list(expected.values()).count(side) for side in ("train", "test")}
    # written down, so that no release ever moves a row to the other side
    assert [user for user in range(10) if found[user] == "train"] == WRITTEN_DOWN


#: Of the users 0 to 9 those that train when three quarters test.
WRITTEN_DOWN = [5, 9]


def test_split_by_time_takes_the_instant_itself_for_the_test(project: Project, spark: Any) -> None:
    moments = [at("2024-03-04T23:59:59.999999"), at("2024-03-05"), at("2024-03-05T00:00:00.000001"), None]
    many = frame(spark, "user_id bigint, timestamp timestamp", [(1, moment) for moment in moments])
    made = project.store.training_set("scoring", many, split="time:2024-03-05")
    assert_same_rows(
        made.frame.select("timestamp", "split"),
        [(micros(one), side) for one, side in zip(moments, ("train", "test", "test", "train"), strict=True)],
    )


def micros(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - at("1970-01-01")) // timedelta(microseconds=1)


@pytest.mark.release
def test_killed_at_every_failpoint_and_repeated_it_is_the_same_although_more_was_published(
    project: Project, spark: Any, spine: Any, tmp_path: Path
) -> None:
    """By event time, so that what is published meanwhile would change its values."""
    calm = project.store.training_set("scoring", spine, join="event-time")
    expected = rows_of(calm.frame)
    again = {"join": "event-time", "slices": 2}
    outs = [str(tmp_path / "killed"), str(tmp_path / "killed.parquet")]
    for failpoint in OF_TRAINING:
        for out in outs:

            def work(out: str = out) -> None:
                opened(spark, project.folder).store.write_training_set("scoring", spine, out, **again)

            dies_at(spark, failpoint, work)
            assert not Path(f"{out}.manifest.json").exists()
        if failpoint == Failpoint.TRAIN_RECORDED.value:
            late = (
                (5, 1, "2024-03-04T09:00", 100.0),
                (6, 2, "2024-03-05T07:00", 50.0),
                (7, 3, "2024-03-03T07:00", 1.0),
            )
            project.land(*late)
            project.store.run()
            newer = project.store.training_set("scoring", spine, join="event-time").manifest
            assert newer.content_hash != calm.manifest.content_hash
    for out in outs:
        made = project.store.write_training_set("scoring", spine, out, **again)
        assert_same_rows(read(project, made.path), expected)
        told = {
            name: getattr(made.manifest, name) for name in ("content_hash", "tables", "timeline", "views", "counts")
        }
        assert told == {name: getattr(calm.manifest, name) for name in told}
        assert not Path(f"{out}.unfinished.json").exists()
        assert not Path(f"{out}.unfinished").exists()
    # finished, the same command begins anew
    assert (
        project.store.write_training_set("scoring", spine, outs[0], **again).manifest.content_hash == newer.content_hash
    )


def test_unfinished_training_set_is_finished_by_its_own_request_only(
    project: Project, spark: Any, spine: Any, tmp_path: Path
) -> None:
    out = str(tmp_path / "set")
    store = project.store
    dies_at(
        spark,
        "train.recorded",
        lambda: opened(spark, project.folder).store.write_training_set("scoring", spine, out, slices=2),
    )
    for other, says in (
        ({"join": "event-time"}, "another join"),
        ({"label": "churned", "with_status": True}, "another status, label"),
        ({"slices": 3}, "another slices"),
    ):
        with pytest.raises(UsageError, match=rf"unfinished .* {says}\. Repeat that request .* --restart"):
            store.write_training_set("scoring", spine, out, **other)
    with pytest.raises(UsageError, match="another spine"):
        store.write_training_set("scoring", spine.limit(3), out)
    made = store.write_training_set("scoring", spine.limit(3), out, restart=True)
    assert (made.manifest.rows, read(project, made.path).count()) == (3, 3)


def test_bad_input_is_refused_in_one_line_and_leaves_an_earlier_training_set_alone(
    project: Project, spark: Any, spine: Any, tmp_path: Path
) -> None:
    out = tmp_path / "set"
    write = project.store.write_training_set
    before = write("scoring", spine, str(out)).manifest
    versions = {path.name: path.read_bytes() for path in tmp_path.glob("set.*")}
    for given, options, says in (
        (spine.limit(0), {}, "The spine has no rows"),
        (spine.withColumnRenamed("note", "spend__spend_7d"), {}, r"columns named like what is joined to it"),
        (spine.selectExpr("cast(user_id as string) as user_id", "timestamp"), {}, r"Cast it: cast\('bigint'\)"),
        (spine.selectExpr("user_id", "string(timestamp) as timestamp"), {}, r"Cast it: cast\('timestamp'\)"),
        (spine.withColumnRenamed("note", "Split"), {"split": "key:0.2"}, "has a column 'Split'"),
        (spine, {"split": "key:shop:0.2"}, r"'shop' is no key of service 'scoring' \(user_id\)"),
        (spine, {"split": "key:1.5"}, "'key:1.5' is no split. Write time:2017-10-01"),
        (spine, {"split": "time:soon"}, "'soon' is not a time"),
        (spine, {"label": "bought"}, r"no label column 'bought' \(it has \['user_id'.*--label"),
        (spine, {"join": "as-known", "known_at": at("2024-03-01")}, "Nothing was published by 2024-03-01 00:00 UTC of"),
        (spine, {"join": "left"}, "Join 'left' does not exist"),
    ):
        with pytest.raises(SkewlessError, match=says) as caught:
            write("scoring", given, str(out), **options)
        assert (caught.value.exit_code, "\n" in str(caught.value)) == (2, False)
    with pytest.raises(UsageError, match="There is no service 'nobody'"):
        write("nobody", spine, str(out))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    for place, says in (("notes", "no training set of ours"), ("s3://bucket/x", "no path of a file system")):
        with pytest.raises(UsageError, match=says):
            write("scoring", spine, str(tmp_path / place) if place == "notes" else place)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("set.*")} == versions
    assert content_hash(read(project, out)) == before.content_hash
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes", "set", *sorted(versions)]


def test_rows_of_the_future_are_told_and_get_what_is_known_now(
    project: Project, spark: Any, spine: Any, tmp_path: Path
) -> None:
    far = at("2030-01-01T00:00")
    said: list[str] = []
    project.shop.say = said.append
    made = project.store.write_training_set("scoring", frame(spark, SPINE, [(1, far, 0, "")]), str(tmp_path / "far"))
    project.shop.say = quiet
    assert any("1 of 1 rows of the spine lie in the future (up to 2030-01-01 00:00 UTC" in line for line in said)
    vector = project.offline(1, far)
    assert read(project, made.path).first()["last_order__amount"] == vector.values["last_order:amount"]


def test_service_of_a_view_that_was_never_published_is_refused(
    project: Project, spark: Any, spine: Any, tmp_path: Path
) -> None:
    fresh = replace(LAST_ORDER, name="fresh", entity=USER)
    service = FeatureService("both", features=[SPEND, fresh])
    given = project.shop.definitions
    project.shop.__dict__["definitions"] = Definitions(views=[*given.views, fresh], services=[*given.services, service])
    project.store.apply()
    with pytest.raises(UsageError, match=r"Nothing was published yet of fresh.* `skewless run`"):
        project.store.write_training_set("both", spine, str(tmp_path / "set"))
    assert list(tmp_path.iterdir()) == []
    project.shop.__dict__["definitions"] = given


def test_label_balance_counts_values_and_nulls_by_split(project: Project, spine: Any, tmp_path: Path) -> None:
    made = project.store.write_training_set(
        "scoring", spine, str(tmp_path / "set"), label="churned", split="time:2024-03-05T08:00Z", leaks=True
    )
    late = [row for row in ROWS if row[1] is not None and row[1] >= at("2024-03-05T08:00")]
    values = Counter(row[2] for row in ROWS)
    tested = Counter(row[2] for row in late)
    assert made.manifest.label == {
        "column": "churned",
        "type": "int",
        "nulls": values[None],
        "more": False,
        "values": [{"value": str(one), "rows": values[one], "test": tested[one]} for one in (0, 1)],
    }
    assert made.manifest.split["rows"] == {"train": len(ROWS) - len(late), "test": len(late)}
    assert made.leaks is not None
    text = made.summary_path.read_text()
    assert "Label churned is null in 10 % of the rows." in text
    assert made.headline in text


def test_label_of_many_numbers_is_told_by_its_range(project: Project, spark: Any, tmp_path: Path) -> None:
    amounts = [0.5 * number for number in range(40)]
    many = frame(
        spark, "user_id bigint, timestamp timestamp, amount double", [(1, at("2024-03-05"), one) for one in amounts]
    )
    told = project.store.write_training_set("scoring", many, str(tmp_path / "set"), label="amount").manifest.label
    assert (told["min"], told["max"], told["values"], told["more"]) == (0.0, 19.5, [], True)
    assert math.isclose(told["mean"], sum(amounts) / len(amounts))
