"""Run records on disk and in the ledger: `run.json` always, whatever became of the run."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skewless.core.run_record import RunRecord
from skewless.core.time import from_us
from skewless.flows.workshop import Workshop


def new_run_id(shop: Workshop) -> str:
    """A name for a run that sorts by time and is used once."""
    return f"{from_us(shop.clock.now_us()):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def note(shop: Workshop, record: RunRecord) -> Path:
    """Write a run's record to `<state>/runs/<run id>/run.json`, whole or not at all."""
    folder = runs_folder(shop) / record.run_id
    folder.mkdir(parents=True, exist_ok=True)
    file, fresh = folder / "run.json", folder / "run.json.new"
    fresh.write_text(json.dumps(record.to_json(), indent=2, sort_keys=True) + "\n")
    return fresh.replace(file)


def keep(shop: Workshop, record: RunRecord) -> Path:
    """Write the record of a run that ended: the file and a row of the ledger."""
    file = note(shop, record)
    shop.ledger.add_run(record.run_id, started_us=record.started_us, record=record.to_json())
    return file


def kept(shop: Workshop) -> Iterator[dict[str, Any]]:
    """The records on disk, newest first; reading them needs no Spark."""
    for file in sorted(runs_folder(shop).glob("*/run.json"), reverse=True):
        yield json.loads(file.read_text())


def runs_folder(shop: Workshop) -> Path:
    """Where run records lie."""
    return shop.settings.state / "runs"
