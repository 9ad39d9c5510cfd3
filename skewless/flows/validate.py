"""validate: the gate judges exactly the versions that a push would read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from skewless.core.generation import Generation, GenerationState
from skewless.core.names import EVENT_TIMESTAMP, FLAG
from skewless.flows.materialize import current_values
from skewless.flows.situation import Situation
from skewless.flows.workshop import Workshop
from skewless.spark.value_tables import of_generations
from skewless.validation.breakers import Limits, Measurements
from skewless.validation.gate import judge
from skewless.validation.verdict import Verdict

_NULLS = "nulls_"


def validate(
    shop: Workshop, situation: Situation, generation: Generation, *, accept: Mapping[str, str] | None = None
) -> tuple[Generation, Verdict]:
    """Judge a materialized generation.

    Args:
        shop: The workshop.
        situation: Its view, as it was before the generation.
        generation: As MATERIALIZED.
        accept: Check → reason for publishing in spite of its failure.

    Returns:
        The generation as VALIDATED or REFUSED, with what was counted of its current state; and the verdict.
    """
    view, tables = situation.view, situation.tables
    shop.say(f"{shop.short(view)}: validating…")
    said = of_generations(tables.read(tables.history, generation.history_version), [generation.number])
    values = said.filter(F.col(FLAG) == "")
    current = current_values(situation, generation.number).persist()
    try:
        counts = _current_counts(situation, current)
        quality = shop.settings.quality
        verdict = judge(
            view.quality,
            changed=values,
            current=current,
            measurements=_measurements(situation, generation, counts, values),
            limits=Limits(
                max_quarantine_share=quality.max_quarantine_share,
                max_entity_change=quality.max_entity_count_change,
                max_null_rise=quality.max_null_rate_jump,
                private_columns=frozenset(one.name for one in view.features if "pii" in one.tags),
            ),
            accept=accept,
        )
    finally:
        current.unpersist()
    state = GenerationState.VALIDATED if verdict.accepted else GenerationState.REFUSED
    return replace(generation, state=state, counts={**generation.counts, **counts}), verdict


def _current_counts(situation: Situation, current: DataFrame) -> dict[str, int]:
    names = situation.view.feature_names
    row = current.agg(
        F.count("*").alias("entities"), *(F.count_if(F.col(name).isNull()).alias(f"{_NULLS}{name}") for name in names)
    ).first()
    return {key: int(value) for key, value in row.asDict().items()} if row is not None else {"entities": 0}


def _measurements(
    situation: Situation, generation: Generation, counts: Mapping[str, int], values: DataFrame
) -> Measurements:
    before = situation.last.counts if situation.last is not None else None
    keys = situation.view.entity.key_names
    said = generation.counts
    rows = values.count()
    distinct = values.select(*keys, EVENT_TIMESTAMP).distinct().count() if situation.view.kind == "row" else rows
    return Measurements(
        changed_rows=rows,
        current_entities=counts["entities"],
        published_entities=before.get("entities") if before else None,
        quarantined=said.get("quarantined", 0),
        read_rows=said.get("read", 0),
        duplicates=rows - distinct,
        null_rates=_null_rates(counts),
        published_null_rates=_null_rates(before) if before else None,
    )


def _null_rates(counts: Mapping[str, int]) -> dict[str, float]:
    entities = counts.get("entities", 0)
    found = {key.removeprefix(_NULLS): count for key, count in counts.items() if key.startswith(_NULLS)}
    return {name: count / entities for name, count in found.items()} if entities else {}
