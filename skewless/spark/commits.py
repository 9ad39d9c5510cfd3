"""Commits of a Delta table, read from its log: who made them, and which files they brought and took. No job."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from skewless.spark.read import delta_log


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit.

    Attributes:
        version: Delta version.
        operation: As Delta names it: WRITE, DELETE, OPTIMIZE, …
        transactions: Application (`txnAppId`) → its transaction (`txnVersion`); empty for a writer that named none.
        rows: How many it wrote, as it says itself.
        files: (file, deletion vector) → 1 for one that it brought, -1 for one that it took; those that only moved rows,
            as OPTIMIZE does, are left out.
        time_us: When it was made, as Delta knows it; None when it does not.
    """

    version: int
    operation: str
    transactions: Mapping[str, int] = field(hash=False)
    rows: int
    files: Mapping[tuple[str, str], int] = field(hash=False)
    time_us: int | None = None


def commit(session: SparkSession, path: str, version: int) -> Commit:
    """One commit of a table; one that its log no longer has is `gone`, and brought a file of no name."""
    jvm: Any = session._jvm
    log = delta_log(session, path)
    file = jvm.org.apache.spark.sql.delta.util.FileNames.unsafeDeltaFile(log.logPath(), version)
    try:
        text = log.store().read(file, session._jsparkSession.sessionState().newHadoopConf()).mkString("\n")
    except Py4JJavaError as error:
        if "FileNotFoundException" not in str(error.java_exception.getClass().getName()):
            raise
        return Commit(version, "gone from the log", {}, 0, {("", ""): 1})
    actions = [json.loads(line) for line in text.splitlines()]
    info: Mapping[str, Any] = next((one["commitInfo"] for one in actions if "commitInfo" in one), {})
    return Commit(
        version=version,
        operation=str(info.get("operation", "unknown")),
        transactions={one["txn"]["appId"]: int(one["txn"]["version"]) for one in actions if "txn" in one},
        rows=int(info.get("operationMetrics", {}).get("numOutputRows", 0)),
        files=_files(actions),
        time_us=_time_us(info),
    )


def _time_us(info: Mapping[str, Any]) -> int | None:
    milliseconds = info.get("inCommitTimestamp", info.get("timestamp"))
    return None if milliseconds is None else int(milliseconds) * 1_000


def _files(actions: Iterable[Mapping[str, Any]]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for action in actions:
        for kind, sign in (("add", 1), ("remove", -1)):
            file = action.get(kind)
            if file is not None and file["dataChange"]:
                vector = file.get("deletionVector") or {}
                found[file["path"], f"{vector.get('pathOrInlineDv', '')}:{vector.get('offset', 0)}"] += sign
    return found


def is_changed_by(commits: Iterable[Commit]) -> bool:
    """True when commits together left other files than were there before them: a RESTORE undoes a DELETE."""
    total: Counter[tuple[str, str]] = Counter()
    for one in commits:
        total.update(one.files)
    return any(total.values())
