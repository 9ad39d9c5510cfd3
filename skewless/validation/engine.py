"""The one place that imports and calls Great Expectations: lazily, quietly, and without its known faults.

What it hides (GX 1.24 on Spark): results come in another order than the suite; `exception_info` has two shapes; one
rule that raises takes the others of its aggregate down; success may be numpy's bool; warnings, logs and progress bars.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import RLock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SAMPLE_LIMIT = 20
_GX_LOGGER = "great_expectations"
_SPARK_LOGGERS = ("DataFrameQueryContextLogger", "SQLQueryContextLogger")
_LOCK = RLock()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What Great Expectations said of one expectation.

    Attributes:
        passed: True when it held; False also when it could not be judged.
        error: Why it could not be judged; None when it was.
        details: GX's own result: counts and values, empty unless asked for.
    """

    passed: bool
    error: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep GX's warnings and log lines away from people; what matters of them is in the verdict."""
    # Spark's are not asked for by name: made here before pyspark makes its own, they would be of a class that it
    # cannot use, and each of its errors would come out as a TypeError about `errorClass`.
    known = [logging.root.manager.loggerDict.get(name) for name in _SPARK_LOGGERS]
    loggers = [logging.getLogger(_GX_LOGGER), *(one for one in known if isinstance(one, logging.Logger))]
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        levels = [logger.level for logger in loggers]
        try:
            for logger in loggers:
                logger.setLevel(logging.CRITICAL + 1)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def library() -> Any:
    """Great Expectations itself; the first call takes some 4 s and 220 MB, which is why nothing imports it at start."""
    with quiet():
        import great_expectations as gx  # noqa: PLC0415 - see above
        import great_expectations.expectations  # noqa: PLC0415 - see above

    return gx


def _project() -> Any:
    """Nothing on disk (by default GX makes a folder for its pages per context), nothing sent, nothing drawn."""
    from great_expectations.data_context.types import base  # noqa: PLC0415 - see `library`

    stores = base.InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    bars = base.ProgressBarsConfig(globally=False, metric_calculations=False)
    return base.DataContextConfig(store_backend_defaults=stores, analytics_enabled=False, progress_bars=bars)


class Batch:
    """One Spark frame held out to GX; every validation of it is one suite."""

    def __init__(self, frame: DataFrame) -> None:
        self._gx = library()
        with quiet():
            context = self._gx.get_context(project_config=_project(), mode="ephemeral")
            source = context.data_sources.add_spark(name="generation", persist=False)
            whole = source.add_dataframe_asset("rows").add_batch_definition_whole_dataframe("whole")
            self._batch = whole.get_batch(batch_parameters={"dataframe": frame})

    def validate(self, expectations: Mapping[str, Any], *, with_details: bool = False) -> dict[str, Outcome]:
        """Judge expectations in one suite, then those that raised one by one.

        Args:
            expectations: Check name → expectation, made by `suite.build`, which writes the name into its `meta`.
            with_details: Ask for counts, observed values and up to 20 samples; costs a job or two per expectation.
        """
        outcomes = self._run(expectations, with_details=with_details)
        raised = [name for name, outcome in outcomes.items() if outcome.error is not None]
        if len(expectations) > 1:
            for name in raised:
                outcomes |= self._run({name: expectations[name]}, with_details=with_details)
        return outcomes

    def _run(self, expectations: Mapping[str, Any], *, with_details: bool) -> dict[str, Outcome]:
        kind = {"result_format": "BASIC", "partial_unexpected_count": SAMPLE_LIMIT}
        with quiet():
            suite = self._gx.ExpectationSuite(name="gate", expectations=list(expectations.values()))
            answer = self._batch.validate(suite, result_format=kind if with_details else "BOOLEAN_ONLY")
            found = {result.expectation_config.meta["check"]: _outcome(result) for result in answer.results}
        silent = Outcome(passed=False, error="Great Expectations gave no answer")
        return {name: found.get(name, silent) for name in expectations}


def _outcome(result: Any) -> Outcome:
    error = exception_text(result.exception_info or {})
    return Outcome(bool(result.success) and error is None, error, dict(result.result or {}))


def exception_text(info: Mapping[str, Any]) -> str | None:
    """The message of an `exception_info`, which is one record, or one record per metric that raised."""
    records: Sequence[Any] = [info] if "raised_exception" in info else list(info.values())
    for record in records:
        if isinstance(record, Mapping) and record.get("raised_exception"):
            return str(record.get("exception_message") or "an error without a message")
    return None
