"""Training sets made again: equal whatever happened since, or the difference and its cause are named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skewless import Definitions, FeatureService, Float64, RowView, days, hours
from skewless.core.manifest import Manifest
from skewless.core.time import format_instant, from_us
from skewless.core.view import Feature
from skewless.errors import ContractBroken, UsageError
from skewless.flows.manifests import forget, kept_manifests, read_manifest
from skewless.spark.read import head_version
from skewless.spark.table_files import vacuums
from tests.support.dying import dies_at
from tests.support.frames import assert_same_rows, rows_of
from tests.support.project import LAST_ORDER, ORDERS, SERVICE, SPEND, USER, Project, at, offline_project

pytestmark = [pytest.mark.spark, pytest.mark.usefixtures("interpreted")]

FIRST, SECOND = at("2024-03-03T06:00"), at("2024-03-04T06:00")
SPINE = [
    (1, at("2024-03-02T12:00"), 0),
    (1, at("2024-03-03T12:00"), 1),
    (2, at("2024-03-03T12:00"), 0),
    (2, at("2024-03-03T12:00"), 0),
    (9, at("2024-03-03T12:00"), 1),
    (None, at("2024-03-03T12:00"), 1),
]
AS_SERVED, EVENT_TIME, AS_KNOWN = "as_served", "event_time.parquet", "as_known.parquet"


@pytest.fixture(scope="module")
def origin(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run, and training sets of it in every mode."""
    folder = tmp_path_factory.mktemp("rebuild")
    project = offline_project(spark, folder)
    project.land((1, 1, "2024-03-01T08:00", 10.0), (2, 2, "2024-03-02T09:00", 20.0), (3, 1, "2024-03-02T10:00", 5.0))
    project.store.apply()
    project.store.run(now=FIRST)
    spine = str(folder / "spine")
    spark.createDataFrame(SPINE, "user_id long, timestamp timestamp, label int").coalesce(2).write.format(
        "delta"
    ).option("delta.appendOnly", "false").save(spine)
    made = project.store.training_set("scoring", spine, with_status=True)
    made.write(str(folder / AS_SERVED))
    project.store.training_set("scoring", spine, join="event-time", engine="bucket").write(
        str(folder / EVENT_TIME), file_format="parquet"
    )
    project.store.training_set("scoring", spine, join="as-known", known_at=FIRST + hours(12)).write(
        str(folder / AS_KNOWN), file_format="parquet"
    )
    return folder


@pytest.fixture
def project(spark: Any, origin: Path, tmp_path: Path) -> Iterator[Project]:
    """Another copy of it: Delta tables keep their identity when they are copied."""
    shutil.copytree(origin / "state", tmp_path / "state")
    project = offline_project(spark, tmp_path)
    yield project
    project.store.close()


def manifest(origin: Path, name: str = AS_SERVED) -> Manifest:
    return read_manifest(origin / f"{name}.manifest.json")


def broken(project: Project, made: Manifest, **given: Any) -> str:
    with pytest.raises(ContractBroken) as refused:
        project.store.rebuild(made, **given)
    assert (refused.value.exit_code, str(refused.value).count("\n")) == (14, 0)
    return str(refused.value)


def sql(project: Project, *statements: str) -> None:
    for statement in statements:
        project.shop.session.sql(statement).collect()


def frame_of(project: Project, path: str, version: int) -> Any:
    return project.shop.session.read.format("delta").option("versionAsOf", version).load(path)


def test_training_sets_come_back_whatever_happened_since_until_they_are_forgotten(
    project: Project, origin: Path, tmp_path: Path
) -> None:
    session = project.shop.session
    manifests = [manifest(origin, name) for name in (AS_SERVED, EVENT_TIME, AS_KNOWN)]
    written = [
        rows_of(session.read.format("delta").load(str(origin / AS_SERVED))),
        *(rows_of(session.read.parquet(str(origin / name))) for name in (EVENT_TIME, AS_KNOWN)),
    ]
    history = project.shop.tables(LAST_ORDER).history
    pinned = manifests[0].tables["last_order/history"].version
    said, files = rows_of(frame_of(project, history, pinned)), frame_of(project, history, pinned).inputFiles()

    # a late row and a correction, published; then back again
    project.land((4, 2, "2024-03-03T10:00", 7.0), (3, 1, "2024-03-02T10:00", 6.0), mode="upsert")
    project.store.run(now=SECOND)
    unpinned = head_version(session, history)
    spine = str(manifests[0].spine["path"])
    today = project.store.training_set("scoring", spine, join="event-time").manifest
    assert today.content_hash != manifests[1].content_hash
    forget(project.shop, [today.manifest_id])
    project.store.rollback()
    # the view's next version, with other features; the service reads it, and of the other view nothing
    newer = RowView(
        name="last_order",
        version=2,
        entity=USER,
        source=ORDERS,
        transform=lambda rows: rows.select("user_id", "event_timestamp", "order_id", "amount"),
        features=(Feature("amount", Float64),),
    )
    project.shop.__dict__["definitions"] = Definitions(
        views=[newer], services=[FeatureService("scoring", features=[newer])]
    )
    project.store.apply()
    sql(project, *(f"OPTIMIZE delta.`{path}`" for path in (history, project.shop.tables(SPEND).history)))
    project.store.vacuum(retain=days(0))

    assert_same_rows(rows_of(frame_of(project, history, pinned)), said)
    with pytest.raises(Exception, match="FILE_NOT_EXIST"):
        frame_of(project, history, unpinned).collect()
    for made, rows in zip(manifests, written, strict=True):
        again = project.store.rebuild(made)
        assert again.manifest.content_hash == made.content_hash
        assert_same_rows(rows_of(again.frame), rows)
    # only what is written is kept, and its rows can be made again like any others
    assert len(kept_manifests(project.shop)) == len(manifests)
    again.write(str(tmp_path / "again"))
    kept = kept_manifests(project.shop)
    assert len(kept) == len(manifests) + 1
    project.store.rebuild(kept[-1].manifest_id)

    project.store.vacuum("last_order@1", retain=days(0), forget=tuple(one.manifest_id for one in kept))
    told = broken(project, manifests[0])
    assert f"last_order/history (views/last_order/v1/history) version {pinned} cannot be read: " in told
    assert f"{len(files)} of its {len(files)} files are gone" in told
    times = [one.time_us for one in vacuums(session, history, after=pinned) if one.time_us]
    first, last = (format_instant(from_us(one).replace(microsecond=0)) for one in times)
    assert f"removed by one of 2 VACUUMs, the first of {first}, the last of {last}" in told


@pytest.mark.release
def test_values_vacuumed_are_no_strangers_to_the_next_run(project: Project, origin: Path) -> None:
    history, served = (getattr(project.shop.tables(LAST_ORDER), name) for name in ("history", "served"))
    project.land((4, 2, "2024-03-03T10:00", 7.0))
    project.store.run("last_order", now=SECOND)
    sql(project, f"OPTIMIZE delta.`{history}`", f"OPTIMIZE delta.`{served}`")
    ids = tuple(one.manifest_id for one in kept_manifests(project.shop))
    before = head_version(project.shop.session, history)
    foreseen = project.store.vacuum("last_order", retain=days(0), forget=ids, dry_run=True)
    assert head_version(project.shop.session, history) == before
    assert {one.manifest_id for one in kept_manifests(project.shop)} == set(ids)
    # with the manifests, the files of the version that they pin are held, and for whom is said
    held = project.store.vacuum("last_order", retain=days(0), dry_run=True)
    of = {one.table: one for one in held.tables}
    pinned = manifest(origin).tables["last_order/history"].version
    needed, newer = (set(frame_of(project, history, one).inputFiles()) for one in (pinned, before - 1))
    assert (of["history"].files, of["history"].held) == (len(newer - needed), len(needed))
    assert len(of["history"].holders) == 3
    assert all(one.startswith("scoring of 2024-03-03 (") for one in of["history"].holders)
    # nothing is old enough
    assert sum(one.files for one in project.store.vacuum("last_order").tables) == 0
    done = project.store.vacuum("last_order", retain=days(0), forget=ids)
    assert [(one.table, one.files) for one in done.tables] == [(one.table, one.files) for one in foreseen.tables]
    assert head_version(project.shop.session, history) > before
    project.land((5, 2, "2024-03-03T11:00", 8.0))
    assert project.store.run("last_order", now=at("2024-03-05T06:00")).outcome == "published"
    assert "are gone, removed by the VACUUM of 2" in broken(project, manifest(origin))


def test_what_an_unfinished_training_set_needs_is_held_until_it_is_finished(
    spark: Any, project: Project, origin: Path, tmp_path: Path
) -> None:
    spine, out = str(origin / "spine"), str(tmp_path / "late")
    expected = rows_of(project.store.training_set("scoring", spine, join="event-time").frame)

    def write() -> Any:
        return project.store.write_training_set("scoring", spine, out, join="event-time", slices=2)

    dies_at(spark, "train.recorded", write)
    history = project.shop.tables(LAST_ORDER).history
    project.land((4, 2, "2024-03-02T10:00", 7.0))
    project.store.run("last_order", now=SECOND)
    sql(project, f"OPTIMIZE delta.`{history}`")
    ids = tuple(one.manifest_id for one in kept_manifests(project.shop))
    done = project.store.vacuum("last_order", retain=days(0), forget=ids)
    of = {one.table: one for one in done.tables}["history"]
    assert (of.files, of.held > 0) == (1, True)
    assert [one.partition(" (version ")[0] for one in of.holders] == ["scoring, being written to late"]
    assert_same_rows(spark.read.format("delta").load(str(write().path)), expected)
    # now its manifest holds them
    held = project.store.vacuum("last_order", retain=days(0), dry_run=True)
    assert [one.partition(" of ")[0] for one in held.tables[0].holders] == ["scoring"]


def test_version_older_than_delta_reads_comes_back_by_vacuum(project: Project, origin: Path) -> None:
    history = project.shop.tables(SPEND).history
    short = ", ".join(f"'delta.{name}RetentionDuration' = 'interval 0 days'" for name in ("deletedFile", "log"))
    sql(project, f"ALTER TABLE delta.`{history}` SET TBLPROPERTIES ({short})")
    assert "is older than the 0 days for which Delta reads" in broken(project, manifest(origin))
    done = project.store.vacuum("spend")
    assert {one.table: one.prolonged_days for one in done.tables}["history"] == 400
    project.store.rebuild(manifest(origin))


def test_replaced_table_is_named(project: Project, origin: Path) -> None:
    history = project.shop.tables(SPEND).history
    rows = project.shop.session.read.format("delta").load(history)
    kept = str(project.folder / "aside")
    rows.write.format("delta").save(kept)
    shutil.rmtree(history)
    shutil.move(kept, history)
    told = broken(project, manifest(origin))
    assert "spend/history (views/spend/v1/history) was replaced by another table" in told


def test_table_of_an_older_backup_is_named(project: Project, origin: Path) -> None:
    history, made = project.shop.tables(SPEND).history, manifest(origin)
    version = made.tables["spend/history"].version
    for file in Path(history, "_delta_log").glob(f"*{version:020d}.*"):
        file.unlink()
    told = broken(project, made)
    assert f"spend/history (views/spend/v1/history) version {version} cannot be read: the table ends at version" in told
    shutil.rmtree(history)
    assert f"has no table any more; version {version} of it was read" in broken(project, made)


def test_changed_timeline_is_named_with_the_first_cell(project: Project, origin: Path) -> None:
    timeline = project.shop.ledger.path("timeline")
    sql(
        project,
        f"ALTER TABLE delta.`{timeline}` SET TBLPROPERTIES ('delta.appendOnly' = 'false')",
        f"UPDATE delta.`{timeline}` SET visible_from_us = visible_from_us + 86400000000",
    )
    told = broken(project, manifest(origin))
    # a day later nobody had been told of anything: what is simulated lies a period back
    cell = "user_id=1 timestamp=2024-03-03 12:00 UTC spend__spend_7d: 15.0 then, 10.0 now. Cause: the timeline changed"
    assert cell in told
    sql(project, f"DELETE FROM delta.`{timeline}`")
    assert "it went to revision 1, and goes to None of these now" in broken(project, manifest(origin))


def test_changed_spine_is_named_with_the_first_cell(project: Project, origin: Path) -> None:
    made, session = manifest(origin), project.shop.session
    schema = "user_id long, timestamp timestamp, label int"
    changed = session.createDataFrame([*SPINE[:4], (9, SPINE[4][1], 0), SPINE[5]], schema)
    told = broken(project, made, spine=changed)
    assert "user_id=9 timestamp=2024-03-03 12:00 UTC label: 1 then, 0 now" in told
    assert "Cause: the spine changed (the given frame: 6 rows then, 6 now)" in told
    told = broken(project, made, spine=session.createDataFrame(SPINE[:3] + SPINE[4:], schema))
    assert "user_id=2 timestamp=2024-03-03 12:00 UTC has 2 rows then, 1 now" in told
    project.store.rebuild(made, spine=session.createDataFrame(SPINE[::-1], schema))
    # of a Delta table the version counts, not what it became
    place = str(project.folder / "spine")
    shutil.copytree(made.spine["path"], place)
    here = replace(made, spine={**made.spine, "path": place})
    changed.write.format("delta").mode("overwrite").save(place)
    project.store.rebuild(here)
    shutil.rmtree(place)
    changed.write.format("delta").save(place)
    assert f"the spine ({place}) was replaced by another table" in broken(project, here)
    frame = replace(made, spine={"rows": 6, "content_hash": made.spine["content_hash"]})
    with pytest.raises(UsageError, match="--spine PATH"):
        project.store.rebuild(frame)


def test_changed_code_is_named_when_no_input_changed(project: Project, origin: Path) -> None:
    made = manifest(origin)
    # code of another delay: what is recorded of it does not tell
    facts = {**made.views, "spend": {**made.views["spend"], "availability_delay_us": 0}}
    told = broken(project, replace(made, views=facts))
    assert "user_id=1 timestamp=2024-03-02 12:00 UTC spend__spend_7d: null then, 10.0 now" in told
    assert "no recorded input changed" in told
    packages = {**made.packages, "skewless": "0.0.1"}
    told = broken(project, replace(made, views=facts, packages=packages))
    assert "Cause: the code changed (skewless 0.0.1 → " in told
    # other packages, equal rows: nothing to complain of
    project.store.rebuild(replace(made, packages=packages))
    nowhere = replace(made, views=facts, output={**made.output, "path": str(project.folder / "nowhere")})
    assert "First difference: unknown, the rows of then no longer lie at" in broken(project, nowhere)


def test_view_that_the_registry_knows_by_another_meaning_is_refused(project: Project, origin: Path) -> None:
    made = manifest(origin)
    shutil.rmtree(project.shop.settings.state / "registry")
    told = broken(project, made)
    assert "the one in the registry of this version is not known" in told
    other = replace(SPEND, ttl=days(2))
    project.shop.__dict__["definitions"] = Definitions(
        views=[LAST_ORDER, other], services=[FeatureService("scoring", features=[LAST_ORDER, other])]
    )
    project.store.apply()
    now = project.shop.applied().fingerprints["spend@1"]
    told = broken(project, made)
    assert f"View 'spend@1' was applied with fingerprint {made.views['spend']['fingerprint']}" in told
    assert f"the one in the registry is {now}" in told
    project.shop.__dict__["definitions"] = Definitions(views=[LAST_ORDER, SPEND], services=[SERVICE])


def test_manifest_comes_back_from_json_as_it_went_in(origin: Path) -> None:
    made = manifest(origin)
    again = Manifest.from_json(json.loads(json.dumps(made.to_json())))
    assert again.to_json() == made.to_json()
    assert (made.spine["version"], made.output["format"], made.with_status) == (0, "delta", True)
