"""The only reader, and the only writer, of the process environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar, get_type_hints

from skewless.config.convert import Surroundings, check_bounds, convert
from skewless.config.jars import CASSANDRA, DELTA
from skewless.config.java import find_java_home
from skewless.config.overlay import Layer, Section, overlay, read_file, read_variables, sections_of
from skewless.config.settings import (
    ClockSettings,
    OnlineSettings,
    ProjectSettings,
    QualitySettings,
    RegistrySettings,
    Settings,
    SparkSettings,
    TrainingSettings,
)
from skewless.errors import ConfigError

DEFAULT_ENV: Final = "demo"

SECTIONS: Final[Mapping[str, type]] = {
    "project": ProjectSettings,
    "clock": ClockSettings,
    "spark": SparkSettings,
    "online": OnlineSettings,
    "registry": RegistrySettings,
    "quality": QualitySettings,
    "training": TrainingSettings,
}

Part = TypeVar("Part")


def load_settings(conf: Path, env: str | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read `conf/base.toml`, lay the environment's file and `SKEWLESS__SECTION__KEY` over it, and check all of it.

    Args:
        conf: The folder `conf/`; its parent is the project's home.
        env: Name of an environment, that is of a file in `conf/env`. None: `SKEWLESS_ENV`, or else `demo`.
        environ: The environment to read; None: that of the process.

    Raises:
        ConfigError: A file, name, value or secret is wrong or missing; the message says where and what to write.
    """
    environ = os.environ if environ is None else environ
    conf = Path(conf).expanduser().absolute()
    env = env or environ.get("SKEWLESS_ENV") or DEFAULT_ENV
    sections = sections_of(SECTIONS)
    overriding = _environment_file(conf, env)
    layers = [read_file(conf / "base.toml", sections), read_file(overriding, sections)]
    given = overlay([*layers, read_variables(environ, sections)], sections)
    return _assemble(given, conf=conf, env=env, environ=environ)


def prepare_process(settings: Settings) -> None:
    """Put what Spark's launcher and its Python workers look up into the environment; what is set already stays.

    To be called before the first session of the process.
    """
    wanted = {
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_CONF_DIR": str(settings.conf),
        "SPARK_LOCAL_IP": "127.0.0.1" if settings.spark.master.startswith("local") else "",
        # a java of another version on PATH must not win over the one that was found
        "JAVA_HOME": str(settings.java_home or ""),
    }
    for name, value in wanted.items():
        if value:
            os.environ.setdefault(name, value)
    if settings.java_home and not find_java_home({"JAVA_HOME": os.environ["JAVA_HOME"]}, system=Path()):
        os.environ["JAVA_HOME"] = str(settings.java_home)


def _environment_file(conf: Path, env: str) -> Path:
    known = sorted(path.stem for path in (conf / "env").glob("*.toml"))
    if not known:
        raise ConfigError(f"{conf} holds no environments (env/*.toml). Name the project's conf folder with --conf.")
    if env not in known:
        raise ConfigError(f"There is no environment '{env}'. Choose one of: {', '.join(known)}.")
    return conf / "env" / f"{env}.toml"


def _assemble(given: Layer, *, conf: Path, env: str, environ: Mapping[str, str]) -> Settings:
    home = conf.parent
    around = Surroundings(home, environ)
    project = _build(ProjectSettings, ("project",), given, around)
    state = home / (project.state if project.state != Path() else Path(".skewless") / env)
    clock = _build(ClockSettings, ("clock",), given, around)
    spark = _build(SparkSettings, ("spark",), given, around)
    online = _build(OnlineSettings, ("online",), given, around)
    registry = _build(RegistrySettings, ("registry",), given, around)
    return Settings(
        env=env,
        project=project.name,
        home=home,
        conf=conf,
        state=state,
        root=_located(project.root or str(state / "store"), home),
        definitions=project.definitions,
        definitions_path=home / project.definitions_path,
        cassandra_jars=CASSANDRA.folder(environ),
        java_home=find_java_home(environ),
        clock=replace(clock, file=state / clock.file),
        spark=_complete(spark, conf, environ),
        online=replace(
            online,
            keyspace=online.keyspace or f"skewless_{project.name}",
            ca_file=None if online.ca_file is None else home / online.ca_file,
        ),
        registry=replace(registry, path=_located(registry.path or str(state / "registry"), home)),
        quality=_build(QualitySettings, ("quality",), given, around),
        training=_build(TrainingSettings, ("training",), given, around),
    )


def _build(kind: type[Part], section: Section, given: Layer, around: Surroundings) -> Part:
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for item in fields(kind):  # type: ignore[arg-type]  # every kind passed here is a dataclass; Part cannot say so
        hint = hints[item.name]
        if is_dataclass(hint) and isinstance(hint, type):
            values[item.name] = _build(hint, (*section, item.name), given, around)
        elif item.name in given[section]:
            raw = given[section][item.name]
            values[item.name] = convert(raw, hint, around)
            check_bounds(raw, values[item.name], item.metadata)
    return kind(**values)


def _located(place: str, home: Path) -> str:
    """A local path made absolute; an address with a scheme as it is."""
    return place if "://" in place else str(home / Path(place).expanduser())


def _complete(spark: SparkSettings, conf: Path, environ: Mapping[str, str]) -> SparkSettings:
    jars = tuple(sorted(DELTA.folder(environ).glob("*.jar")))
    logging = f"-Dlog4j2.configurationFile={(conf / 'log4j2.properties').as_uri()}"
    # the machine warns on standard output by itself, in the midst of what --json prints
    warnings = "-Xlog:disable -Xlog:all=warning:stderr"
    quiet = {"spark.driver.extraJavaOptions": f"{logging} {warnings} {spark.java_options}".rstrip()}
    defaults = _spark_defaults(conf / "spark-defaults.conf")
    return replace(
        spark,
        conf=MappingProxyType({**quiet, **defaults, **spark.conf}),
        jars=jars,
        submitted="PYSPARK_GATEWAY_PORT" in environ,
    )


def _spark_defaults(path: Path) -> dict[str, str]:
    """Spark's properties format as far as our own file uses it: `name value`, `#` comments."""
    if not path.is_file():
        return {}
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    pairs = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    return {pair[0]: pair[1] if len(pair) > 1 else "" for pair in pairs}
