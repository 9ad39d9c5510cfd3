"""The page of a training set, from its manifest: what is fine, what is to be looked at, and all numbers."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from skewless.core.ages import TO_TTL
from skewless.core.manifest import Manifest
from skewless.core.split import Split
from skewless.core.time import format_duration, format_instant, from_us
from skewless.flows.leaks import LeakReport
from skewless.flows.training_place import Place
from skewless.flows.workshop import Workshop
from skewless.site.phrases import number, share
from skewless.site.training import FeatureCoverage, Finding, LabelValue, LeakRow, TrainingPage, ViewAges

#: From these shares of the rows on something is worth a look.
_MANY_TOO_OLD, _MANY_NOT_FOUND, _MANY_SIMULATED, _RARE = 0.05, 0.5, 0.5, 0.01
_MODES = {
    "as-served": "as served: what a service was given at each row's time",
    "event-time": "by event time: the newest history, whatever was known when",
    "as-known": "as known: the history that readers were told to use",
}


def training_page(shop: Workshop, manifest: Manifest, place: Place, leaked: LeakReport | None) -> TrainingPage:
    """What is told of a training set."""
    split, label = manifest.split, manifest.label
    found = tuple(sorted(_findings(manifest, leaked), key=lambda one: one.state != "warn"))
    return TrainingPage(
        project=manifest.project,
        environment=shop.settings.env,
        built_at=format_instant(from_us(manifest.created_us)),
        service=manifest.service,
        rows=manifest.rows,
        headline=_headline(manifest, sum(one.state == "warn" for one in found)),
        findings=found,
        facts=_facts(manifest, place),
        features=_coverage(manifest),
        views=tuple(_ages(manifest, view) for view in manifest.views),
        label=label.get("column", ""),
        label_values=_label_values(label),
        label_facts=_label_facts(label),
        split_sentence=Split.parse(split["by"]).sentence if split else "",
        split_rows=split.get("rows", {}),
        leaks_sentence="" if leaked is None else _leaks_sentence(leaked),
        leaks=() if leaked is None else _leak_rows(leaked),
        pins=tuple((name, pin.version, pin.table_id) for name, pin in manifest.tables.items()),
        hashes=(
            ("Content of the rows", manifest.content_hash),
            ("Content of the spine", manifest.spine["content_hash"]),
            ("Contract of the service", manifest.contract_hash),
            *((f"Fingerprint of {view}", told["fingerprint"]) for view, told in manifest.views.items()),
        ),
        command=f"skewless rebuild {shlex.quote(str(place.manifest))} --verify",
        manifest_name=quote(place.manifest.name),
    )


def _headline(manifest: Manifest, warnings: int) -> str:
    rows = f"{manifest.rows:,} row{'s' if manifest.rows != 1 else ''}"
    if not warnings:
        return f"All is fine with these {rows}."
    return f"{warnings} thing{'s' if warnings > 1 else ''} to look at in these {rows}."


def _findings(manifest: Manifest, leaked: LeakReport | None) -> Iterator[Finding]:
    yield from _of_views(manifest)
    yield from _of_rows(manifest)
    yield from _of_label(manifest)
    if manifest.mode == "event-time":
        yield _warn("It was joined by event time: rows may hold late and corrected values that nobody was served.")
    if leaked is not None and leaked.leaking:
        yield _know(_leaks_sentence(leaked))


def _of_views(manifest: Manifest) -> Iterator[Finding]:
    for view, counts in manifest.counts.items():
        too_old, unknown = (_part(counts.get(status, 0), manifest) for status in ("EXPIRED", "NOT_FOUND"))
        if not counts.get("PRESENT"):
            yield _warn(f"No row has a value of {view}. See its coverage.")
        elif too_old >= _MANY_TOO_OLD:
            told = f"{view} was too old for {share(too_old)} of the rows"
            yield _warn(f"{told}: it came too rarely, or its ttl is short.")
        if counts.get("PRESENT") and unknown >= _MANY_NOT_FOUND:
            yield _warn(f"{view} knew nothing of {share(unknown)} of the rows. Are these its entities?")
        simulated = _part(counts["simulated"], manifest)
        if simulated:
            told = f"{view}: {share(simulated)} of the rows lie before its first publish, so they are simulated"
            yield Finding(
                state="warn" if simulated >= _MANY_SIMULATED else "new",
                sentence=f"{told}: what would have been served, had it been published then.",
            )
    for feature, nulls in manifest.nulls.items():
        present = manifest.counts[feature.partition(":")[0]].get("PRESENT", 0)
        if present and nulls == present:
            yield _warn(f"{feature} is null in every row that its view knows.")


def _of_rows(manifest: Manifest) -> Iterator[Finding]:
    if manifest.without_key_or_time:
        yield _warn(f"{manifest.without_key_or_time:,} rows have no key or no time, and so no value.")
    for side, count in manifest.split.get("rows", {}).items():
        if not count:
            yield _warn(f"The split leaves nothing for {side}.")


def _of_label(manifest: Manifest) -> Iterator[Finding]:
    label = manifest.label
    if not label:
        return
    if label["nulls"]:
        yield _warn(f"Label {label['column']} is null in {share(_part(label['nulls'], manifest))} of the rows.")
    counts = [one["rows"] for one in label["values"]]
    if len(counts) == 1 and not label["more"]:
        yield _warn(f"Label {label['column']} has one value only: there is nothing to learn.")
    elif counts and not label["more"] and _part(min(counts), manifest) < _RARE:
        rarest = min(label["values"], key=lambda one: one["rows"])
        rare = share(_part(rarest["rows"], manifest))
        yield _know(f"Label {label['column']} is {rarest['value']} in {rare} of the rows.")


def _warn(sentence: str) -> Finding:
    return Finding(state="warn", sentence=sentence)


def _know(sentence: str) -> Finding:
    return Finding(state="new", sentence=sentence)


def _part(count: int, manifest: Manifest) -> float:
    return count / manifest.rows if manifest.rows else 0.0


def _facts(manifest: Manifest, place: Place) -> tuple[tuple[str, str], ...]:
    simulated = max((counts["simulated"] for counts in manifest.counts.values()), default=0)
    timeline, mode = manifest.timeline, _MODES[manifest.mode]
    known_at = timeline.get("known_at_us")
    return (
        ("Rows", f"{manifest.rows:,}"),
        ("Features", f"{len(manifest.features)} of {len(manifest.views)} views"),
        ("Joined", mode if known_at is None else f"{mode} at {format_instant(from_us(known_at))}"),
        ("Simulated", f"{share(_part(simulated, manifest))} of the rows, at most"),
        ("Made", format_instant(from_us(manifest.created_us))),
        ("As of", f"revision {timeline['last_revision']}"),
        ("Time column", manifest.time_column),
        ("Took", f"{manifest.seconds:,.1f} s with engine {manifest.engine}"),
        ("Rows lie at", str(place.rows)),
    )


def _coverage(manifest: Manifest) -> tuple[FeatureCoverage, ...]:
    found = []
    for feature in manifest.features:
        counts = manifest.counts[feature.partition(":")[0]]
        nulls = manifest.nulls.get(feature, 0)
        rows = {status: count for status, count in counts.items() if status not in {"rows", "simulated"}}
        apart = {"PRESENT": rows.get("PRESENT", 0) - nulls, "NULL": nulls}
        found.append(FeatureCoverage(name=feature, rows=rows | apart))
    return tuple(found)


def _ages(manifest: Manifest, view: str) -> ViewAges:
    told = manifest.ages[view]
    names = [format_duration(from_us(edge) - from_us(0)) for edge in told["from_us"]]
    between = [f"{begins} to {ends}" for begins, ends in pairwise(names)]
    words = [f"under {names[1]}", *between[1:], f"{names[-1]} and more"]
    has_ttl = told["ttl_us"] is not None
    return ViewAges(
        name=view,
        version=manifest.views[view]["version"],
        ttl=f"at {format_duration(from_us(told['ttl_us']) - from_us(0))}" if has_ttl else "never",
        simulated=manifest.counts[view]["simulated"],
        bins=tuple(zip(words, told["rows"], strict=True)),
        to_ttl=TO_TTL if has_ttl else None,
    )


def _label_values(label: Mapping[str, Any]) -> tuple[LabelValue, ...]:
    return tuple(LabelValue(value=one["value"], rows=one["rows"], test=one["test"]) for one in label.get("values", ()))


def _label_facts(label: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    if not label:
        return ()
    found = [("Type", label["type"]), ("Null", f"{label['nulls']:,} rows")]
    names = (("min", "Least"), ("mean", "Mean"), ("max", "Greatest"))
    found += [(said, _number(label[name])) for name, said in names if name in label]
    if label["more"] and label["values"]:
        found.append(("Shown", f"the {len(label['values'])} most frequent values; there are more"))
    return tuple(found)


def _number(value: float | str | None) -> str:
    return value if isinstance(value, str) else number(value)


def _leaks_sentence(found: LeakReport) -> str:
    if not found.compared:
        return "Every row lies before the first publish, so there is nothing to compare a join by event time with."
    told = f"{found.leaking:,} of {found.compared:,} rows ({share(found.leaking / found.compared)})"
    return f"A join by event time alone would have given {told} a value that nobody was served."


def _leak_rows(found: LeakReport) -> tuple[LeakRow, ...]:
    return tuple(
        LeakRow(
            feature=one.feature,
            rows=one.rows,
            appeared=one.appeared,
            vanished=one.vanished,
            changed=one.changed,
            largest=one.largest_difference,
        )
        for one in sorted(found.features, key=lambda one: -one.rows)
        if one.rows
    )
