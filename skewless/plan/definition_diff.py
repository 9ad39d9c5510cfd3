"""Definitions against what was applied: what changes, whether values change, and what must not be.

Both sides are documents as the registry compiles them, by `kind/name`:

    meaning         what decides values (views: fingerprint, entities and sources: theirs; services: what they pin)
    about           what is for people
    words           the same in prose; not compared
    version, fingerprint, meaning_hash (views) · contract_hash (services)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, get_args

from skewless.plan.definition_plan import Change, DefinitionPlan, FieldChange, Kind

Document = Mapping[str, Any]
Documents = Mapping[str, Document]

_NONE: Document = {}


def compare_definitions(
    applied: Documents, compiled: Documents, *, sealed: Mapping[str, str] | None = None
) -> DefinitionPlan:
    """Say what applying `compiled` would change.

    Args:
        applied: What stands; empty before the first apply.
        compiled: What the definitions say now.
        sealed: `view/name@version` → fingerprint, of every view version ever applied, removed ones included.
    """
    changes = []
    for kind in get_args(Kind):
        names = sorted(name for name in {*applied, *compiled} if name.startswith(f"{kind}/"))
        for name in names:
            change = _change(kind, name, applied.get(name), compiled.get(name))
            if change is not None:
                changes.append(_judged(change, applied, compiled, sealed or {}))
    return DefinitionPlan(tuple(changes), tuple(_duplicates(changes, applied, compiled)))


def view_seal(name: str, version: int) -> str:
    """The name under which a view version's fingerprint is kept for ever: `view/name@version`."""
    return f"view/{name}@{version}"


def consumers(documents: Documents, view: str) -> tuple[str, ...]:
    """The services that pin features of a view, sorted."""
    return tuple(sorted({service for service, pinned, _, _ in _pins(documents) if pinned == view}))


def _change(kind: Kind, key: str, old: Document | None, new: Document | None) -> Change | None:
    name = key.partition("/")[2]
    if old is None and new is not None:
        return Change(kind, name, "add", new_version=new.get("version"), note=_size(kind, new))
    if old is not None and new is None:
        return Change(kind, name, "remove", old_version=old.get("version"))
    if old is None or new is None or _compared(old) == _compared(new):
        return None
    values = tuple(_fields(_meaning(old), _meaning(new)))
    people = tuple(_fields(old["about"], new["about"]))
    return Change(
        kind,
        name,
        "change",
        changes_values=bool(values),
        old_version=old.get("version"),
        new_version=new.get("version"),
        fields=(*values, *people),
        note=_consequence(kind, values, people),
    )


def _judged(change: Change, applied: Documents, compiled: Documents, sealed: Mapping[str, str]) -> Change:
    if change.kind != "view":
        return change
    reason = None
    if change.action == "change":
        reason = _version_refusal(change, applied, compiled)
    reason = reason or _seal_refusal(change, compiled, sealed) or _pin_refusal(change, compiled)
    return replace(change, refused=reason) if reason else change


def _version_refusal(change: Change, applied: Documents, compiled: Documents) -> str | None:
    """Values must not change under a (name, version) that models trust, and versions only rise."""
    old, new = applied[f"view/{change.name}"], compiled[f"view/{change.name}"]
    if new["version"] < old["version"]:
        return (
            f"view '{change.name}' has version {old['version']} applied, the definition says {new['version']}; "
            f"versions only rise. Give it version {old['version'] + 1}."
        )
    if new["version"] == old["version"] and new["fingerprint"] != old["fingerprint"]:
        differences = "; ".join(str(one) for one in _fields(_meaning(old), _meaning(new))) or "fingerprints differ"
        return (
            f"view '{change.name}' version {old['version']} is applied with fingerprint {old['fingerprint'][:12]}, "
            f"the definition has {new['fingerprint'][:12]} ({differences}). Values would change under a name that "
            f"models trust; raise the version to {old['version'] + 1}."
        )
    return None


def _seal_refusal(change: Change, compiled: Documents, sealed: Mapping[str, str]) -> str | None:
    """A view that comes back after it was removed meets its own past."""
    new = compiled.get(f"view/{change.name}")
    if new is None or change.action != "add":
        return None
    prefix = view_seal(change.name, 0)[:-1]
    highest = max((int(seal.removeprefix(prefix)) for seal in sealed if seal.startswith(prefix)), default=0)
    seal = sealed.get(view_seal(change.name, new["version"]), new["fingerprint"])
    if new["version"] >= highest and seal == new["fingerprint"]:
        return None
    return (
        f"view '{change.name}' comes back as version {new['version']} (fingerprint {new['fingerprint'][:12]}) after "
        f"version {highest} was applied (fingerprint {sealed[view_seal(change.name, highest)][:12]}). "
        f"Models may still trust the old values; raise the version to {highest + 1}."
    )


def _pin_refusal(change: Change, compiled: Documents) -> str | None:
    """A service that stays must find what it pins."""
    new = compiled.get(f"view/{change.name}", _NONE)
    offered = {name for name, _ in new["meaning"]["features"]} if new else set()
    broken = [
        f"{service} pins {view}:{feature} v{version}"
        for service, view, version, feature in _pins(compiled)
        if view == change.name and (version != new.get("version") or feature not in offered)
    ]
    if not broken:
        return None
    what = f"would have version {new['version']} with {sorted(offered)}" if new else "would be gone"
    return (
        f"view '{change.name}' {what}, but {'; '.join(sorted(broken))}. "
        "Keep the feature, or change the services in the same apply."
    )


def _duplicates(changes: list[Change], applied: Documents, compiled: Documents) -> Iterator[str]:
    """Name the view that already means what a new or changed one means."""
    fresh = [
        change.name for change in changes if change.kind == "view" and change.action != "remove" and _moves(change)
    ]
    settled = [key.partition("/")[2] for key in compiled if key.startswith("view/")]
    settled = [name for name in sorted(settled) if name not in fresh]
    for name in fresh:
        meaning = compiled[f"view/{name}"]["meaning_hash"]
        twin = next((one for one in settled if compiled[f"view/{one}"]["meaning_hash"] == meaning), None)
        if twin is not None:
            owner = compiled[f"view/{twin}"]["about"]["owner"] or "nobody named"
            services = ", ".join(dict.fromkeys((*consumers(applied, twin), *consumers(compiled, twin)))) or "no service"
            yield (
                f"view '{name}' means the same as view '{twin}' (owner: {owner}; consumed by: {services}). "
                f"Use '{twin}', or say why both must exist."
            )
        settled.append(name)


def _moves(change: Change) -> bool:
    return change.action == "add" or change.changes_values


def _pins(documents: Documents) -> Iterator[tuple[str, str, int, str]]:
    for key, document in documents.items():
        if key.startswith("service/"):
            for reference, version in document["meaning"]["features"]:
                view, _, feature = reference.partition(":")
                yield key.partition("/")[2], view, version, feature


def _compared(document: Document) -> Document:
    return {key: value for key, value in document.items() if key != "words"}


def _meaning(document: Document) -> Document:
    return {key: value for key, value in document["meaning"].items() if key not in {"name", "version"}}


def _fields(old: object, new: object, path: str = "") -> Iterator[FieldChange]:
    before, after = _by_name(old), _by_name(new)
    if before is None or after is None:
        if old != new:
            yield FieldChange(path, old, new)
        return
    changes = [
        change
        for key in sorted({*before, *after})
        for change in _fields(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
    ]
    if not changes and old != new:  # lists of the same things
        changes = [FieldChange(f"{path} in order", ", ".join(before), ", ".join(after))]
    yield from changes


def _by_name(value: object) -> Mapping[str, object] | None:
    """A mapping, or a list of [name, …] pairs or of mappings with a name, as a mapping."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, list) and value and all(isinstance(one, list) and len(one) == 2 for one in value):
        return {str(name): rest for name, rest in value}
    if isinstance(value, list) and value and all(isinstance(one, Mapping) and "name" in one for one in value):
        return {str(one["name"]): one for one in value}
    return None


def _size(kind: Kind, new: Document) -> str:
    if kind in {"view", "service"}:
        count = len(new["meaning"]["features"])
        size = f"{count} feature{'' if count == 1 else 's'}"
        return f"{size}, {new['words']['schedule']}" if kind == "view" else size
    return ""


def _consequence(kind: Kind, values: tuple[FieldChange, ...], people: tuple[FieldChange, ...]) -> str:
    if kind == "service" and values:
        return "the contract changes: clients and models pinned to the old contract hash are refused"
    notes = []
    if any(one.path == "availability_delay_us" for one in people):
        notes.append("answers about times before the first publish (the simulated era) move")
    if any(one.path == "start_us" for one in people) and not values:
        notes.append("history reaches as far as it was evaluated; `skewless backfill` extends it")
    return "; ".join(notes)
