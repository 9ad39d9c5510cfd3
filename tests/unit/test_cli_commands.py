"""Commands that need neither Spark nor a node: their output, their errors, their exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import typer

from skewless.cli.desk import add_command
from skewless.cli.main import build_app, execute
from skewless.config import load_settings
from skewless.core.clock import ManualClock
from skewless.errors import (
    ConfigError,
    ContractBroken,
    LeaseHeld,
    NothingToDo,
    RefusedByValidation,
    StoreUnreachable,
    UpstreamNotReady,
    UsageError,
)
from skewless.flows.workshop import Workshop
from skewless.registry.compiled import apply_compiled, compile_definitions, load_applied

DEFINITIONS = """
from skewless import DeltaSource, Definitions, Entity, FeatureService, Float64, Int64, Sum, Timestamp, WindowView, days

household = Entity("household", keys={"household_id": Int64})
buys = DeltaSource(
    "buys", path="raw/buys", event_timestamp="at", schema={"household_id": Int64, "at": Timestamp, "value": Float64}
)
spend = WindowView(
    name="spend", entity=household, source=buys, events=lambda rows: rows,
    aggregates={"spend_7d": Sum("value", over=days(7))}, every=days(1), owner="churn@example.org",
    description="What a household spends.",
)
definitions = Definitions(views=[spend], services=[FeatureService("churn_v1", features=[spend])])
"""
MONDAY_US = 1_506_902_400_000_000


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of its own, with nothing applied."""
    shutil.copytree(Path(__file__).parents[2] / "conf", tmp_path / "conf")
    name = f"defs_of_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(DEFINITIONS)
    for variable in ("SKEWLESS_ENV", "SKEWLESS__PROJECT__STATE", "SKEWLESS_CASSANDRA_PASSWORD"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("SKEWLESS__PROJECT__DEFINITIONS", name)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def applied(project):
    """The same, its definitions applied."""
    shop = Workshop.open(load_settings(project / "conf", "demo"))
    compiled = compile_definitions(shop.definitions, {})
    before = load_applied(shop.heads, "demo")
    apply_compiled(shop.heads, compiled, applied=before, author="me", clock=ManualClock(1))
    return project


@pytest.fixture
def versions(project, request):
    """The same with two versions of its view, applied."""
    [file] = project.glob("defs_of_*.py")
    second = """
from dataclasses import replace

spend_2 = replace(spend, version=2, aggregates={"spend_14d": Sum("value", over=days(14))})
services = [FeatureService("churn_v1", features=[spend]), FeatureService("churn_v2", features=[spend_2])]
definitions = Definitions(views=[spend, spend_2], services=services)
"""
    file.write_text(DEFINITIONS + second)
    return request.getfixturevalue("applied")


def published(project, *, outcome="published", revision=1, run_id="20171002T060000-aaaaaa", version=1):
    """Leave a run record as a run would."""
    view = {
        "view": "spend",
        "version": version,
        "outcome": outcome,
        "generation": 7,
        "through_us": MONDAY_US,
        "counts": {"read": 12, "new": 4},
    }
    run = {
        "run_id": run_id,
        "revision": revision,
        "visible_from_us": MONDAY_US + 1,
        "finished_us": MONDAY_US,
        "views": [view],
    }
    folder = project / ".skewless" / "demo" / "runs" / run_id
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(run))


def skewless(*arguments):
    return execute(build_app(), arguments, name="skewless")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError, 2),
        (UsageError, 2),
        (RefusedByValidation, 10),
        (NothingToDo, 11),
        (LeaseHeld, 12),
        (UpstreamNotReady, 13),
        (ContractBroken, 14),
        (StoreUnreachable, 75),
    ],
)
def test_an_expected_error_is_one_line_and_its_exit_code(error, code, capsys):
    def fails(desk):
        raise error("What it was.\nWhat to do.")

    assert execute(one_command(fails), ["--json"], name="x") == code
    told = capsys.readouterr()
    assert told.err == "skewless: What it was. What to do.\n"
    assert json.loads(told.out) == {
        "error": {"type": error.__name__, "message": "What it was. What to do.", "exit_code": code}
    }


def test_an_unexpected_error_is_a_defect_whose_stack_is_shown_only_with_debug(capsys):
    def fails(desk):
        raise ZeroDivisionError("no\nmore")

    assert execute(one_command(fails), [], name="x") == 1
    told = capsys.readouterr().err
    assert told == "skewless: This is a defect: ZeroDivisionError: no. Run it again with --debug to see the stack.\n"
    assert execute(one_command(fails), ["--debug"], name="x") == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupted_command_ends_with_130(capsys):
    def interrupted(desk):
        raise KeyboardInterrupt

    assert execute(one_command(interrupted), [], name="x") == 130
    assert "Traceback" not in capsys.readouterr().err


def one_command(function):
    app = typer.Typer(rich_markup_mode=None)
    add_command(app, function, name="only")
    return app


def test_a_wrong_option_is_refused_in_the_same_form(capsys):
    assert skewless("get", "--json", "--bogus") == 2
    told = capsys.readouterr()
    assert json.loads(told.out)["error"]["exit_code"] == 2
    assert told.err.startswith("skewless: No such option")
    assert told.err.count("\n") == 1


def test_an_unknown_command_is_refused(capsys):
    assert skewless("materialise") == 2
    assert "No such command" in capsys.readouterr().err


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("arguments", [("--env", "nope", "status"), ("status", "--env", "nope")])
def test_an_unknown_environment_is_refused_before_and_after_the_command(arguments, capsys):
    assert skewless(*arguments) == 2
    assert "There is no environment 'nope'. Choose one of: ci, demo, local, prod." in capsys.readouterr().err


@pytest.mark.usefixtures("project")
def test_a_folder_without_settings_is_refused(capsys):
    assert skewless("status", "--conf", "elsewhere") == 2
    assert "elsewhere" in capsys.readouterr().err


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("arguments", [("list",), ("show", "spend"), ("get", "churn_v1", "household_id=1")])
def test_what_reads_the_registry_says_how_to_fill_it(arguments, capsys):
    assert skewless(*arguments) == 2
    assert "Nothing was applied yet. Run `skewless apply` first." in capsys.readouterr().err


@pytest.mark.usefixtures("applied")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "spent"), "There is no view 'spent'. Did you mean 'spend'?"),
        (("materialize", "spent"), "There is no view 'spent'"),
        (("rollback", "spent"), "There is no view 'spent'"),
        (("report", "spent"), "There is no view 'spent'"),
        (("show", "spent"), "There is no view, service, entity or source 'spent'"),
        (("list", "view"), None),
        (("list", "viewss"), "There is no kind of definition 'viewss'. Did you mean 'views'?"),
        (("get", "churn", "household_id=1"), "There is no service 'churn'. Did you mean 'churn_v1'?"),
        (("parity", "churn"), "There is no service 'churn'"),
        (("get", "churn_v1", "household_id=x"), "Key 'household_id' is a whole number of 64 bits"),
        (("get", "churn_v1", "household_id=1", "--at", "2017-10-02T06:00"), "no time zone"),
        (("run", "--through", "soon"), "'soon' is not a time"),
        (("run", "--accept", "check"), "is not CHECK=REASON"),
        (("land", "buys", "nowhere.csv"), "There is no file 'nowhere.csv'"),
        (("train", "churn_v1", "--spine", "nowhere", "--out", "out"), "There is no spine 'nowhere'"),
        (("train", "churn_v1", "--spine", "conf", "--out", "conf"), "--out is the spine itself"),
        (("train", "churn_v1", "--spine", "conf", "--out", "."), "exists and is no training set of ours"),
        (("train", "churn_v1", "--spine", "conf", "--out", "x", "--join", "left"), "Join 'left' does not exist"),
        (("train", "churn", "--spine", "conf", "--out", "x"), "There is no service 'churn'"),
        (("windows", "spent", "--spine", "conf", "--out", "x"), "There is no view 'spent'. Did you mean 'spend'?"),
        (("windows", "spend", "--spine", "nowhere", "--out", "x"), "There is no spine 'nowhere'"),
        (("windows", "spend", "--spine", "conf", "--out", "conf"), "'conf' exists"),
        (("rebuild", "nowhere", "--verify"), "There is no manifest 'nowhere'"),
        (("rebuild", "conf/base.toml", "--verify"), "is no JSON"),
        (("rebuild", "nowhere"), "Give one of --verify (compare only) and --out PATH"),
        (("rebuild", "nowhere", "--verify", "--out", "x"), "Give one of --verify (compare only) and --out PATH"),
        (("rebuild", "nowhere", "--verify", "--spine", "there"), "There is no manifest 'nowhere'"),
        (("vacuum", "spent"), "There is no view 'spent'"),
        (("vacuum", "--retain", "long"), "'long'"),
        (("vacuum", "--forget", "nowhere"), "There is no manifest 'nowhere'"),
        (("dev", "cassandra", "start", "--env", "prod"), "SKEWLESS_CASSANDRA_PASSWORD"),
    ],
)
def test_a_wrong_name_or_value_is_refused_before_anything_starts(arguments, told, capsys):
    code = skewless(*arguments)
    heard = capsys.readouterr()
    if told is None:
        assert (code, heard.err) == (0, "")
        return
    assert code == 2
    assert told in heard.err
    assert heard.err.count("\n") == 1


def test_a_wrong_view_does_not_move_the_clock(applied):
    assert skewless("run", "spent", "--now", "2017-10-02") == 2
    assert not (applied / ".skewless" / "demo" / "clock.json").exists()


def test_list_names_what_was_applied_with_its_newest_published_run(applied, capsys):
    published(applied)
    assert skewless("list", "--json") == 0
    items = {one["name"]: one for one in json.loads(capsys.readouterr().out)["definitions"]}
    assert {name: one["kind"] for name, one in items.items()} == {
        "spend": "view",
        "churn_v1": "service",
        "household": "entity",
        "buys": "source",
    }
    assert (items["spend"]["revision"], items["spend"]["through"]) == (1, "2017-10-02T00:00:00+00:00")
    assert items["household"]["revision"] is None


def test_list_and_status_tell_the_versions_of_a_view_apart(versions, capsys):
    published(versions)
    published(versions, revision=2, run_id="20171003T060000-bbbbbb", version=2)
    published(versions, outcome="validated", revision=None, run_id="20171004T060000-cccccc", version=2)
    assert skewless("list", "views", "--json") == 0
    listed = json.loads(capsys.readouterr().out)["definitions"]
    assert [(one["name"], one["version"], one["revision"]) for one in listed] == [("spend", 1, 1), ("spend", 2, 2)]
    assert skewless("status", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["version"], one["last_outcome"]) for one in told["views"]] == [(1, "published"), (2, "validated")]
    assert [line.split(":")[0] for line in told["unfinished"]] == ["spend@2"]
    assert told["unfinished"][0].endswith("it waits for `skewless push spend@2`")


@pytest.mark.parametrize(
    ("name", "heads"),
    [
        ("spend", ["view spend v1", "view spend v2"]),
        ("spend@1", ["view spend v1"]),
        ("spend@2:spend_14d", ["view spend v2"]),
    ],
)
def test_show_takes_one_version_or_all(versions, name, heads, capsys):
    assert skewless("show", name) == 0
    told = capsys.readouterr().out
    assert [line for line in told.splitlines() if line.startswith("view ")] == heads
    assert ("used by: churn_v1" in told) is ("view spend v1" in told)
    assert ('store.get_feature("spend@2:spend_14d"' in told) is ("view spend v2" in told)
    assert 'store.get_feature("spend:' not in told


@pytest.mark.parametrize("command", ["run", "rollback", "revert", "report"])
def test_a_version_that_never_was_is_refused_by_name(versions, command, capsys):
    assert skewless(command, "spend@3") == 2
    assert "There is no view 'spend@3'. Did you mean 'spend@2'?" in capsys.readouterr().err


def test_list_takes_one_kind(applied, capsys):
    assert skewless("list", "services") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["name", "churn_v1"]


def test_show_says_what_a_view_is_who_uses_it_and_how_to_read_it(applied, capsys):
    published(applied)
    assert skewless("show", "spend:spend_7d") == 0
    told = capsys.readouterr().out
    for part in (
        "view spend v1",
        "What a household spends.",
        "sum of value over 7 d",
        "used by: churn_v1",
        'store.get_feature("spend:spend_7d", {"household_id": 1}, at=at)',
        'client.get("churn_v1", {"household_id": 1}).values["spend:spend_7d"]',
        "skewless get churn_v1 household_id=1",
        "rows: read 12, new 4",
    ):
        assert part in told


@pytest.mark.parametrize("name", ["churn_v1", "household", "buys"])
def test_show_knows_every_kind(applied, name, capsys):
    assert skewless("show", name) == 0
    assert capsys.readouterr().out.split()[1] == name
    assert skewless("show", name, "--json") == 0
    assert json.loads(capsys.readouterr().out)["name"] == name


def test_status_without_a_node_answers_from_run_records(applied, capsys):
    (applied / ".skewless" / "demo" / "clock.json").write_text(json.dumps({"now_us": MONDAY_US + 2 * 86_400_000_000}))
    published(applied)
    assert skewless("status", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["pointers_from"] == "run records"
    assert told["revision"] == 1
    assert told["views"][0]["ticks_behind"] == 2
    assert told["views"][0]["generation"] == 7
    assert skewless("status") == 0
    assert "2 ticks behind" in capsys.readouterr().out


def test_status_names_the_stage_that_a_generation_waits_for(applied, capsys):
    published(applied)
    published(applied, outcome="validated", revision=None, run_id="20171003T060000-bbbbbb")
    assert skewless("status") == 0
    told = capsys.readouterr().out
    assert "unfinished: spend: generation 7 is validated" in told
    assert "it waits for `skewless push spend`" in told


@pytest.mark.usefixtures("project")
def test_status_works_before_anything_was_applied(capsys):
    assert skewless("status") == 0
    assert "nothing was applied yet. Run `skewless apply`." in capsys.readouterr().out


def test_status_changes_nothing(applied):
    before = sorted(applied.rglob("*"))
    assert skewless("status") == 0
    assert sorted(applied.rglob("*")) == before


@pytest.mark.usefixtures("project")
def test_the_node_of_an_environment_that_has_none_is_refused(monkeypatch, capsys):
    monkeypatch.setenv("SKEWLESS__ONLINE__KIND", "none")
    assert skewless("dev", "cassandra", "status") == 2
    assert "has no local node" in capsys.readouterr().err


@pytest.mark.usefixtures("project")
def test_the_state_of_the_node_is_told_without_starting_it(capsys):
    assert skewless("dev", "cassandra", "status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["running"] is False


def test_roles_are_printed_as_statements_without_a_password_and_nothing_is_run(project, capsys, monkeypatch):
    monkeypatch.setenv("SKEWLESS_CASSANDRA_PASSWORD", "hush")
    assert skewless("roles", "--env", "prod") == 0
    told = capsys.readouterr().out
    lines = [line for line in told.splitlines() if not line.startswith("--")]
    assert lines[0].startswith('CREATE KEYSPACE IF NOT EXISTS "skewless_shop" WITH replication = ')
    assert 'GRANT SELECT ON KEYSPACE "skewless_shop" TO "skewless_shop_read";' in lines
    assert [line for line in lines if line.endswith('_read";')] == [
        'GRANT SELECT ON KEYSPACE "skewless_shop" TO "skewless_shop_read";'
    ]
    assert all(line.endswith(";") for line in lines)
    assert "hush" not in told
    assert skewless("roles", "--env", "prod", "--json") == 0
    assert json.loads(capsys.readouterr().out)["roles"]["push"] == "skewless_shop_push"
