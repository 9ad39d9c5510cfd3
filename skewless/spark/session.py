"""The Spark session: one per process, in UTC, with Delta from local jars."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from pyspark.sql import SparkSession

from skewless.errors import ConfigError

#: Settings that the contract rests on; whatever else a configuration says, these hold.
REQUIRED = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}


def open_session(*, name: str, master: str | None, jars: Sequence[Path], conf: Mapping[str, str]) -> SparkSession:
    """Start a session, or take the running one when `spark-submit` made it.

    Args:
        name: The application's name.
        master: Spark master, such as `local[2]`; None inside spark-submit, which chose master, memory and jars already.
        jars: Delta's two jars, as local files: packages fetched at start would need the network each time.
        conf: Further settings.

    Raises:
        ConfigError: The jars are missing, Java does not start, or a running session is not in UTC.
    """
    if master is not None and not jars:
        raise ConfigError("Delta's jars are not in the cache. Run `make setup` to fetch them.")
    # A failed query would print a JSON line with a Java stack beside the one clear error that we show.
    logging.getLogger("DataFrameQueryContextLogger").setLevel(logging.CRITICAL)
    running = SparkSession.getActiveSession()
    session = running or _started(name, master, jars, conf)
    zone = session.conf.get("spark.sql.session.timeZone")
    if zone != "UTC":
        raise ConfigError(f"The running Spark session is in {zone}. Set spark.sql.session.timeZone=UTC.")
    return session


def _started(name: str, master: str | None, jars: Sequence[Path], conf: Mapping[str, str]) -> SparkSession:
    builder = SparkSession.builder.appName(name)
    if master is not None:
        builder = builder.master(master).config("spark.jars", ",".join(str(jar) for jar in jars))
    for key, value in {**conf, **REQUIRED}.items():
        builder = builder.config(key, value)
    try:
        session = builder.getOrCreate()
    except Exception as failure:
        message = (
            f"Spark did not start ({type(failure).__name__}). Is Java 17 installed? `java -version` should say 17."
        )
        raise ConfigError(message) from failure
    session.sparkContext.setLogLevel("ERROR")
    return session
