"""Settings: which layer wins, and what a wrong file, name, value or secret says."""

from __future__ import annotations

import pickle
from datetime import timedelta
from pathlib import Path

import pytest

from skewless.config import load_settings
from skewless.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse"  # noqa: S105 -- a stand-in that must never show


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    folder = tmp_path / "shop" / "conf"
    (folder / "env").mkdir(parents=True)
    (folder / "base.toml").write_text('[project]\nname = "shop"\n[online]\nport = 9000\nretain_revisions = 5\n')
    (folder / "env" / "demo.toml").write_text("[online]\nport = 9001\n")
    (folder / "env" / "prod.toml").write_text('[online]\npassword = { env = "SHOP_PASSWORD" }\n')
    return folder


def write(conf: Path, text: str) -> Path:
    (conf / "env" / "demo.toml").write_text(text)
    return conf


def test_layers_environment_file_wins_over_base(conf: Path) -> None:
    online = load_settings(conf, "demo", {}).online
    assert (online.port, online.retain_revisions) == (9001, 5)


def test_layers_variable_wins_over_files(conf: Path) -> None:
    assert load_settings(conf, "demo", {"SKEWLESS__ONLINE__PORT": "9002"}).online.port == 9002


def test_layers_tables_are_merged_key_by_key(conf: Path) -> None:
    (conf / "spark-defaults.conf").write_text("# why\nspark.a 1\nspark.b   2 and more\n")
    (conf / "base.toml").write_text('[spark.conf]\n"spark.b" = "3"\n"spark.c" = "4"\n')
    merged = load_settings(write(conf, '[spark.conf]\n"spark.c" = "5"\n'), "demo", {}).spark.conf
    assert {key: merged[key] for key in ("spark.a", "spark.b", "spark.c")} == {
        "spark.a": "1",
        "spark.b": "3",
        "spark.c": "5",
    }


def test_environment_not_named_is_that_of_the_variable_or_demo(conf: Path) -> None:
    assert load_settings(conf, None, {}).env == "demo"
    assert load_settings(conf, None, {"SKEWLESS_ENV": "prod", "SHOP_PASSWORD": PASSWORD}).env == "prod"


def test_environment_unknown_lists_the_known(conf: Path) -> None:
    with pytest.raises(ConfigError, match=r"no environment 'staging'\. Choose one of: demo, prod\."):
        load_settings(conf, "staging", {})


def test_environment_with_a_path_in_its_name_is_unknown(conf: Path) -> None:
    with pytest.raises(ConfigError, match="no environment"):
        load_settings(conf, "../base", {})


def test_folder_without_environments_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no environments"):
        load_settings(tmp_path / "nowhere", "demo", {})


def test_places_relative_are_under_the_checkout(conf: Path) -> None:
    settings = load_settings(conf, "demo", {})
    home = conf.parent
    assert settings.home == home
    assert settings.state == home / ".skewless" / "demo"
    assert settings.root == str(home / ".skewless" / "demo" / "store")
    assert settings.clock.file == settings.state / "clock.json"
    assert settings.definitions_path == home


def test_places_state_moved_takes_everything_along(conf: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    settings = load_settings(conf, "demo", {"SKEWLESS__PROJECT__STATE": str(moved)})
    places = (Path(settings.root), Path(settings.registry.path), settings.clock.file)
    assert {place.parent for place in places} == {moved}


def test_places_with_a_scheme_stay_as_they_are(conf: Path) -> None:
    settings = load_settings(write(conf, '[project]\nroot = "s3a://bucket/x"\n'), "demo", {})
    assert settings.root == "s3a://bucket/x"


def test_caches_follow_the_users_cache_folder(conf: Path, tmp_path: Path) -> None:
    delta = tmp_path / "skewless" / "jars" / "delta-4.4.0"
    delta.mkdir(parents=True)
    (delta / "a.jar").touch()
    settings = load_settings(conf, "demo", {"XDG_CACHE_HOME": str(tmp_path)})
    assert settings.spark.jars == (delta / "a.jar",)
    assert settings.cassandra_jars == tmp_path / "skewless" / "jars" / "cassandra-5.0.9"


def test_caches_relative_folder_is_ignored(conf: Path) -> None:
    settings = load_settings(conf, "demo", {"XDG_CACHE_HOME": "here", "HOME": "/home/a"})
    assert settings.cassandra_jars.is_relative_to("/home/a/.cache")


def test_keyspace_not_set_is_made_from_the_project(conf: Path) -> None:
    assert load_settings(conf, "demo", {}).online.keyspace == "skewless_shop"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[online]\nprot = 1\n", r"conf/env/demo\.toml .*'prot' in \[online\]\. Did you mean 'port'\?"),
        ("[onlin]\nport = 1\n", r"conf/env/demo\.toml .*'onlin' in its top level\. Did you mean 'online'\?"),
        ("[online.push]\nretry = 1\n", r"'retry' in \[online\.push\]\. Did you mean 'retries'\?"),
        ("[spark]\njars = []\n", r"unknown key 'jars' in \[spark\]"),
        ('[online]\nport = "9000"\n', r"demo\.toml: \[online\] port is '9000'\. Write a whole number"),
        ("[online]\nport = true\n", r"\[online\] port is True\. Write a whole number"),
        ("[online]\nport = 70000\n", r"\[online\] port is 70000, which is above the greatest value 65535"),
        ("[online]\nretain_revisions = 1\n", r"retain_revisions is 1, which is below the least value 2"),
        ('[online]\ndeadline = "0s"\n', r"deadline is 0s, which is below"),
        ("[online]\ndeadline = 50\n", r"\[online\] deadline is 50\. Write a duration in quotes"),
        ('[online]\nkind = "redis"\n', r"kind is 'redis'\. Choose one of: embedded, cassandra, none"),
        ("[online]\ncontact_points = []\n", "contact_points is .* list of texts that is not empty"),
        ('[quality]\nmax_quarantine_share = "5%"\n', "max_quarantine_share is '5%'. Write a number"),
        ('[project]\nname = "Shop"\n', "name is 'Shop', which does not match the pattern"),
        ('[spark.conf]\n"spark.a" = 1\n', 'has the key "spark.a" with 1'),
        ("[online\n", r"conf/env/demo\.toml is not valid TOML"),
    ],
)
def test_file_wrong_names_file_section_and_key(conf: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        load_settings(write(conf, text), "demo", {})


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("SKEWLESS__ONLINE__PROT", "1", "SKEWLESS__ONLINE__PROT sets nothing. Did you mean 'SKEWLESS__ONLINE__PORT'"),
        ("SKEWLESS__ONLINE__PORT", "many", "SKEWLESS__ONLINE__PORT is 'many'"),
        ("SKEWLESS__SPARK__CONF", "a=b", "SKEWLESS__SPARK__CONF sets nothing"),
        ("SKEWLESS__ONLINE__DEADLINE", "5", "SKEWLESS__ONLINE__DEADLINE is '5'. Write a duration"),
    ],
)
def test_variable_wrong_names_itself(conf: Path, variable: str, value: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        load_settings(conf, "demo", {variable: value})


def test_variable_of_every_type_is_read(conf: Path) -> None:
    settings = load_settings(
        conf,
        "demo",
        {
            "SKEWLESS__ONLINE__CONTACT_POINTS": "10.0.0.1, 10.0.0.2",
            "SKEWLESS__ONLINE__DEADLINE": "20ms",
            "SKEWLESS__ONLINE__PUSH__ROWS_PER_SECOND_CAP": "100",
            "SKEWLESS__QUALITY__MAX_QUARANTINE_SHARE": "0.5",
            "SKEWLESS__TRAINING__HORIZON": "30d",
        },
    )
    assert settings.online.contact_points == ("10.0.0.1", "10.0.0.2")
    assert settings.online.deadline == timedelta(milliseconds=20)
    assert settings.online.push.rows_per_second_cap == 100
    assert settings.quality.max_quarantine_share == 0.5
    assert settings.horizon == timedelta(days=30)


def test_variable_none_takes_an_optional_value_away(conf: Path) -> None:
    write(conf, "[online.push]\nrows_per_second_cap = 7\n")
    settings = load_settings(conf, "demo", {"SKEWLESS__ONLINE__PUSH__ROWS_PER_SECOND_CAP": "none"})
    assert settings.online.push.rows_per_second_cap is None


def test_variable_of_another_tool_is_ignored(conf: Path) -> None:
    others = {"SKEWLESS_FAILPOINT": "x", "OTHER__ONLINE__PORT": "x"}
    assert load_settings(conf, "demo", others) == load_settings(conf, "demo", {})


def test_secret_of_a_variable_is_revealed_and_never_shown(conf: Path) -> None:
    settings = load_settings(conf, "prod", {"SHOP_PASSWORD": PASSWORD})
    secret = settings.online.password
    assert secret is not None
    assert secret.reveal() == PASSWORD
    assert PASSWORD not in f"{settings!r} {secret} {secret!r} {secret!s:>20}"
    assert pickle.loads(pickle.dumps(settings.online)) == settings.online  # noqa: S301 -- our own bytes


def test_secret_of_a_missing_variable_says_what_to_export(conf: Path) -> None:
    with pytest.raises(ConfigError, match=r"SHOP_PASSWORD, which is not set\. Export SHOP_PASSWORD"):
        load_settings(conf, "prod", {})


def test_secret_of_a_file_is_its_stripped_text(conf: Path) -> None:
    (conf.parent / "password").write_text(PASSWORD + "\n")
    secret = load_settings(write(conf, '[online]\npassword = { file = "password" }\n'), "demo", {}).online.password
    assert secret is not None
    assert secret.reveal() == PASSWORD


def test_secret_of_a_missing_file_names_the_file(conf: Path) -> None:
    with pytest.raises(ConfigError, match="password, which cannot be read"):
        load_settings(write(conf, '[online]\npassword = { file = "password" }\n'), "demo", {})


def test_secret_in_plain_text_is_refused_without_showing_it(conf: Path) -> None:
    with pytest.raises(ConfigError, match="must not stand in a file") as refused:
        load_settings(write(conf, f'[online]\npassword = "{PASSWORD}"\n'), "demo", {})
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize("env", ["demo", "local", "ci", "prod"])
def test_committed_environment_with_its_secrets_loads(env: str) -> None:
    settings = load_settings(ROOT / "conf", env, {"SKEWLESS_CASSANDRA_PASSWORD": PASSWORD})
    assert settings.env == env
    assert settings.spark.conf["spark.sql.session.timeZone"] == "UTC"


def test_committed_prod_without_its_secret_is_one_clear_line() -> None:
    with pytest.raises(ConfigError, match="SKEWLESS_CASSANDRA_PASSWORD") as refused:
        load_settings(ROOT / "conf", "prod", {})
    assert "\n" not in str(refused.value)
