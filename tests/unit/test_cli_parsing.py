"""What the texts of a command line mean."""

from __future__ import annotations

import io
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from skewless.cli.desk import manual
from skewless.cli.options import Choices, conf_folder, instant, reasons, typed_keys
from skewless.cli.output import Output, Table, cell, plain_value
from skewless.core.dtypes import Bool, Bytes, Date, Int32, Int64, String
from skewless.errors import UsageError


@pytest.mark.parametrize(
    ("dtype", "text", "value"),
    [
        (Int64, "-7", -7),
        (Int64, str(2**63 - 1), 2**63 - 1),
        (Int32, "5", 5),
        (String, "a=b", "a=b"),
        (String, "", ""),
        (Bool, "True", True),
        (Bool, "no", False),
        (Date, "2017-10-02", date(2017, 10, 2)),
        (Bytes, "0aFF", b"\x0a\xff"),
        (Bytes, "0x0a", b"\x0a"),
    ],
)
def test_a_key_is_read_by_its_type(dtype, text, value):
    found = typed_keys([f"key={text}"], {"key": dtype}, service="s")["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("dtype", "text", "expected"),
    [
        (Int64, "x", "a whole number of 64 bits"),
        (Int64, "1.0", "a whole number"),
        (Int64, "1_000", "a whole number"),
        (Int64, str(2**63), "a whole number of 64 bits"),
        (Int32, str(2**31), "a whole number of 32 bits"),
        (Bool, "maybe", "true or false"),
        (Date, "02.10.2017", "a date such as 2017-10-02"),
        (Bytes, "xyz", "hexadecimal"),
    ],
)
def test_a_key_of_another_type_is_refused_with_what_was_expected(dtype, text, expected):
    with pytest.raises(UsageError, match=expected):
        typed_keys([f"key={text}"], {"key": dtype}, service="s")


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        (["household_id"], "is not KEY=VALUE"),
        (["=1"], "is not KEY=VALUE"),
        (["id=1"], "asked by household_id=<int64>, not by id"),
        (["household_id=1", "id=1"], "asked by household_id=<int64>"),
        (["household_id=1", "household_id=2"], "given twice"),
        ([], "not by nothing"),
    ],
)
def test_keys_other_than_those_of_the_service_are_refused(pairs, told):
    with pytest.raises(UsageError, match=told):
        typed_keys(pairs, {"household_id": Int64}, service="churn_v1")


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(UsageError, match="no time zone"):
        instant("2017-10-02T06:00:00")


def test_a_date_is_its_midnight_in_utc():
    assert instant("2017-10-02") == datetime(2017, 10, 2, tzinfo=timezone.utc)
    assert instant(None) is None


def test_an_accepted_check_needs_a_reason():
    assert reasons(["breaker.null_rate_jump=closed = true"]) == {"breaker.null_rate_jump": "closed = true"}
    assert reasons(None) == {}
    with pytest.raises(UsageError, match="CHECK=REASON"):
        reasons(["breaker.null_rate_jump"])
    with pytest.raises(UsageError, match="without a reason"):
        reasons(["breaker.null_rate_jump= "])


def test_an_option_after_the_command_wins_over_the_one_before():
    before = Choices(conf="a", env="demo", as_json=True)
    assert Choices(env="ci").over(before) == Choices(conf="a", env="ci", as_json=True)
    assert Choices(env="ci").over(None) == Choices(env="ci")


def test_settings_are_found_from_a_folder_below_and_from_anywhere(tmp_path, monkeypatch):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "base.toml").touch()
    (tmp_path / "deep" / "down").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "down")
    assert conf_folder(None) == tmp_path / "conf"
    assert str(conf_folder("elsewhere")) == "elsewhere"
    monkeypatch.chdir("/")
    assert (conf_folder(None) / "env" / "demo.toml").is_file()


def test_values_are_said_in_json_without_loss_of_meaning():
    at = datetime(2017, 10, 2, 6, tzinfo=timezone.utc)
    value = {
        1: at,
        "d": date(2017, 1, 2),
        "b": b"\x01",
        "n": float("nan"),
        "t": (0.1, None, True),
        "m": Decimal("1.50"),
    }
    assert plain_value(value) == {
        "1": "2017-10-02T06:00:00+00:00",
        "d": "2017-01-02",
        "b": "01",
        "n": "nan",
        "t": [0.1, None, True],
        "m": "1.50",
    }
    assert plain_value(timedelta(seconds=1.5)) == 1.5


def test_a_plain_table_is_aligned_and_ends_without_spaces():
    told = Table(("name", "n"), [["long name", cell(None)], ["x", cell(timedelta(hours=1))]]).plain()
    assert told == "name       n\nlong name  -\nx          1 h"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_plain_lines_on_a_pipe_and_never_on_stdout(capsys):
    output = Output()
    output.say("Starting Spark…")
    output.show({"a": 1}, ["done"])
    assert tuple(capsys.readouterr()) == ("done\n", "Starting Spark…\n")


def test_progress_on_a_terminal_leaves_what_was_done_and_how_long_it_took(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    output = Output()
    output.say("Starting Spark…")
    output.say("No table yet.")
    output.quieten()
    told = terminal.getvalue()
    assert "\x1b[2mStarting Spark… 0." in told
    assert "\x1b[2mNo table yet.\x1b[0m\n" in told


def test_a_table_on_a_terminal_keeps_names_whole_and_markup_as_text(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("COLUMNS", "20")
    Output().show({}, [Table(("name", "what"), [["a_name_longer_than_twenty", "[red]x"]])])
    assert "a_name_longer_than_twenty" in terminal.getvalue()
    assert "[red]x" in terminal.getvalue()


def test_output_for_spark_submit_in_json_says_nothing_beside_the_document(capsys):
    output = Output(as_json=True, is_mute=True)
    output.say("Starting Spark…")
    output.refuse(UsageError("No."))
    told = capsys.readouterr()
    assert told.err == ""
    assert told.out == '{"error": {"type": "UsageError", "message": "No.", "exit_code": 2}}\n'


def test_examples_in_a_manual_keep_their_lines():
    assert (
        manual("What.\n\n    For example:\n\n        a\n        b\n    ") == "What.\n\nFor example:\n\n\b\n    a\n    b"
    )
