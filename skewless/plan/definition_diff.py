"""Definitions against what was applied: what changes, whether values change, and what must not be.

Both sides are documents as the registry compiles them, by `kind/name`; view versions by `view/name@version`, each on
its own, for several versions of a view may stand side by side:

    meaning         what decides values (views: fingerprint, entities and sources: theirs; services: what they pin)
    about           what is for people
    words           the same in prose; not compared
    version, fingerprint, meaning_hash (views) · contract_hash (services)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, get_args

from skewless.core.layout import TYPED
from skewless.core.reference import reference_order, view_name, view_reference, view_version
from skewless.plan.definition_plan import Change, DefinitionPlan, FieldChange, Kind

Document = Mapping[str, Any]
Documents = Mapping[str, Document]

_NONE: Document = {}
#: Decides no value; yet it is fixed with the version, as the table is that readers of the version know.
_LAYOUT = "online_layout"
_NOT_REFRESHED = "no longer refreshed; clients that pin it go on reading what was last published"


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
        names = sorted((name for name in {*applied, *compiled} if name.startswith(f"{kind}/")), key=reference_order)
        for name in names:
            change = _change(kind, name, applied, compiled)
            if change is not None:
                changes.append(_judged(change, applied, compiled, sealed or {}))
    return DefinitionPlan(tuple(changes), tuple(_duplicates(changes, applied, compiled)))


def consumers(documents: Documents, reference: str) -> tuple[str, ...]:
    """The services that pin features of a view version (`name@version`), sorted."""
    return tuple(sorted({service for service, pinned, _ in _pins(documents) if pinned == reference}))


def _change(kind: Kind, key: str, applied: Documents, compiled: Documents) -> Change | None:
    name, old, new = view_name(key.partition("/")[2]), applied.get(key), compiled.get(key)
    if old is None and new is not None:
        fields, beside = _against_predecessor(key, applied, compiled)
        note = _size(kind, new) + beside
        return Change(kind, name, "add", new_version=new.get("version"), fields=fields, note=note)
    if old is not None and new is None:
        note = _NOT_REFRESHED if kind == "view" else ""
        return Change(kind, name, "remove", old_version=old.get("version"), note=note)
    if old is None or new is None or _compared(old) == _compared(new):
        return None
    values = _meaning_fields(old, new)
    people = tuple(_fields(old["about"], new["about"]))
    return Change(
        kind,
        name,
        "change",
        changes_values=any(one.path != _LAYOUT for one in values),
        old_version=old.get("version"),
        new_version=new.get("version"),
        fields=(*values, *people),
        note=_consequence(kind, values, people),
    )


def _against_predecessor(key: str, applied: Documents, compiled: Documents) -> tuple[tuple[FieldChange, ...], str]:
    """What a new version of a view says otherwise than the one before it; nothing of all else that is added."""
    new, versions = compiled[key], _versions(key, {*applied, *compiled})
    older = max((version for version in versions if version < new.get("version", 0)), default=None)
    if older is None:
        return (), ""
    before = f"view/{view_reference(new['name'], older)}"
    old = compiled.get(before) or applied[before]
    fields = (*_meaning_fields(old, new), *_fields(old["about"], new["about"]))
    return fields, f", {'beside' if before in compiled else 'after'} v{older}"


def _versions(key: str, keys: Iterable[str]) -> tuple[int, ...]:
    """The versions of one view among keys like its own; none for the keys of other kinds."""
    same = (one for one in keys if one.startswith("view/") and view_name(one) == view_name(key))
    return tuple(view_version(one) for one in same)


def _judged(change: Change, applied: Documents, compiled: Documents, sealed: Mapping[str, str]) -> Change:
    if change.kind != "view":
        return change
    if change.action == "remove":
        reason = _pin_refusal(change, applied, compiled)
    else:
        past = {**sealed, **{key: one["fingerprint"] for key, one in applied.items() if key.startswith("view/")}}
        reason = _past_refusal(change, applied, compiled, past) or _pin_refusal(change, applied, compiled)
    return replace(change, refused=reason) if reason else change


def _past_refusal(change: Change, applied: Documents, compiled: Documents, past: Mapping[str, str]) -> str | None:
    """Values must not change under a (name, version) that models trust, and new versions only rise.

    Args:
        change: Of a view version that is defined now.
        applied: What stands.
        compiled: What the definitions say now.
        past: `view/name@version` → fingerprint, of every view version ever applied.
    """
    key = _key(change)
    new, known = compiled[key], past.get(key)
    highest = max(_versions(key, past), default=0)
    if known == new["fingerprint"] or (known is None and new["version"] > highest):
        return None
    if known is None:
        return (
            f"view '{change.name}' has version {highest} applied, the definition says {new['version']}, which never "
            f"was; versions only rise. Give it version {highest + 1}."
        )
    old = applied.get(key)
    fields = _meaning_fields(old, new) if old else ()
    if fields and all(one.path == _LAYOUT for one in fields):
        return (
            f"view '{change.name}' version {new['version']} was applied with another layout ({fields[0]}), which is "
            f"another table: readers of this version would find nothing in it; raise the version to {highest + 1}."
        )
    differences = "; ".join(map(str, fields))
    return (
        f"view '{change.name}' version {new['version']} was applied with fingerprint {known[:12]}, "
        f"the definition has {new['fingerprint'][:12]} ({differences or 'fingerprints differ'}). Values would change "
        f"under a name that models trust; raise the version to {highest + 1}."
    )


def _pin_refusal(change: Change, applied: Documents, compiled: Documents) -> str | None:
    """A service that stays must find what it pins."""
    key = _key(change)
    new = compiled.get(key, _NONE)
    offered = {name for name, _ in new["meaning"]["features"]} if new else set()
    broken = [
        f"{service} pins {reference}:{feature}"
        for service, reference, feature in _pins(compiled)
        if f"view/{reference}" == key and feature not in offered
    ]
    if not broken:
        return None
    what = f"would have {sorted(offered)}" if new else "would be gone"
    return (
        f"view '{change.name}' version {(new or applied[key])['version']} {what}, but {'; '.join(sorted(broken))}. "
        "Keep it, or change the services in the same apply."
    )


def _key(change: Change) -> str:
    version = change.old_version if change.new_version is None else change.new_version
    return f"view/{view_reference(change.name, version or 0)}"


def _duplicates(changes: list[Change], applied: Documents, compiled: Documents) -> Iterator[str]:
    """Name the view that already means what a new or changed one means; versions of one view are no duplicates."""
    fresh = [_key(change) for change in changes if change.kind == "view" and _moves(change)]
    settled = sorted(key for key in compiled if key.startswith("view/") and key not in fresh)
    for key in fresh:
        meaning, name = compiled[key]["meaning_hash"], compiled[key]["name"]
        alike = (one for one in settled if compiled[one]["meaning_hash"] == meaning and compiled[one]["name"] != name)
        found = next(alike, None)
        if found is not None:
            twin, reference = compiled[found]["name"], found.partition("/")[2]
            owner = compiled[found]["about"]["owner"] or "nobody named"
            named = (*consumers(applied, reference), *consumers(compiled, reference))
            services = ", ".join(dict.fromkeys(named)) or "no service"
            yield (
                f"view '{name}' means the same as view '{twin}' (owner: {owner}; consumed by: {services}). "
                f"Use '{twin}', or say why both must exist."
            )
        settled.append(key)


def _moves(change: Change) -> bool:
    return change.action == "add" or change.changes_values


def _pins(documents: Documents) -> Iterator[tuple[str, str, str]]:
    """Service, view version, feature of every pin."""
    for key, document in documents.items():
        if key.startswith("service/"):
            for reference, version in document["meaning"]["features"]:
                view, _, feature = reference.partition(":")
                yield key.partition("/")[2], view_reference(view, version), feature


def _compared(document: Document) -> Document:
    return {key: value for key, value in document.items() if key != "words"}


def _meaning(document: Document) -> Document:
    return {key: value for key, value in document["meaning"].items() if key not in {"name", "version"}}


def _meaning_fields(old: Document, new: Document) -> tuple[FieldChange, ...]:
    fields = _fields(_meaning(old), _meaning(new))
    # documents of typed views do not say so
    return tuple(
        one._replace(old=one.old or TYPED, new=one.new or TYPED) if one.path == _LAYOUT else one for one in fields
    )


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
        if kind == "view":
            layout = new["meaning"].get(_LAYOUT)
            return f"{size}, {new['words']['schedule']}{f', {layout}' if layout else ''}"
        return size
    return ""


def _consequence(kind: Kind, values: tuple[FieldChange, ...], people: tuple[FieldChange, ...]) -> str:
    if kind == "service" and values:
        return "the contract changes: clients that pin the old contract hash go on with the old one"
    notes = []
    if any(one.path == "availability_delay_us" for one in people):
        notes.append("answers about times before the first publish (the simulated era) move")
    if any(one.path == "start_us" for one in people) and not values:
        notes.append("history reaches as far as it was evaluated; `skewless backfill` extends it")
    return "; ".join(notes)
