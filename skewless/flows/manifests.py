"""The manifests of training sets: a copy of each is kept, so that what they pin is known whatever becomes of them.

Of a training set that is being written there is no manifest yet, but a plan beside its rows; where that lies is kept.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable
from pathlib import Path

from skewless.core.manifest import Manifest
from skewless.core.time import from_us
from skewless.errors import UsageError
from skewless.flows.training_place import write_json, write_whole
from skewless.flows.workshop import Workshop


def new_manifest_id(created_us: int) -> str:
    """A name for a manifest that sorts by time and is used once."""
    return f"{from_us(created_us):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def manifests_folder(shop: Workshop) -> Path:
    """Where copies are kept."""
    return shop.settings.state / "manifests"


def keep_manifest(folder: Path, manifest: Manifest) -> None:
    """Keep a copy, whole or not at all; one of before is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / f"{manifest.manifest_id}.json", manifest.to_json())


def kept_manifests(shop: Workshop) -> tuple[Manifest, ...]:
    """All that are kept, oldest first."""
    return tuple(read_manifest(file) for file in sorted(manifests_folder(shop).glob("*.json")))


def read_manifest(file: Path) -> Manifest:
    """Read a manifest's file.

    Raises:
        UsageError: It is not there, or no manifest.
    """
    if not file.is_file():
        raise UsageError(f"There is no manifest '{file}'. It lies beside the rows, as <path>.manifest.json.")
    try:
        document = json.loads(file.read_text())
    except ValueError as error:
        raise UsageError(f"'{file}' is no JSON ({error}). Give the manifest of a training set.") from None
    if not isinstance(document, dict):
        raise UsageError(f"'{file}' is no manifest. Give the <path>.manifest.json of a training set.")
    return Manifest.from_json(document)


def named_manifest(shop: Workshop, name: str) -> Manifest:
    """A manifest by its id, when a copy is kept, or by its file.

    Raises:
        UsageError: It is neither.
    """
    kept = manifests_folder(shop) / f"{name}.json"
    return read_manifest(kept if "/" not in name and kept.is_file() else Path(name))


def kept_file(shop: Workshop, name: str) -> Path:
    """The copy that is kept of a manifest.

    Args:
        shop: The workshop.
        name: Its id, or its file.

    Raises:
        UsageError: There is no such manifest, or none is kept.
    """
    file = manifests_folder(shop) / f"{named_manifest(shop, name).manifest_id}.json"
    if not file.is_file():
        raise UsageError(f"No copy of manifest '{name}' is kept here, so it holds nothing. See `skewless vacuum`.")
    return file


def forget(shop: Workshop, names: Iterable[str]) -> tuple[Manifest, ...]:
    """Keep some manifests no longer; all of them are looked up before one is dropped.

    Args:
        shop: The workshop.
        names: Ids, or files.

    Returns:
        What was forgotten.

    Raises:
        UsageError: One is not kept.
    """
    files = tuple(dict.fromkeys(kept_file(shop, name) for name in names))
    found = tuple(read_manifest(file) for file in files)
    for file in files:
        file.unlink()
    return found


def keep_unfinished(shop: Workshop, plan: Path) -> None:
    """Remember where the plan of a training set lies that is about to be written."""
    folder, place = _unfinished_folder(shop), str(plan.resolve())
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / hashlib.sha256(place.encode()).hexdigest()[:16], place)


def unfinished_plans(shop: Workshop) -> tuple[Path, ...]:
    """The plans of training sets that are being written, or were when their process died."""
    files = sorted(file for file in _unfinished_folder(shop).glob("*") if not file.name.startswith("."))
    # one that was finished or thrown away has no plan any more
    return tuple(plan for plan in (Path(file.read_text()) for file in files) if plan.is_file())


def _unfinished_folder(shop: Workshop) -> Path:
    return shop.settings.state / "unfinished"
