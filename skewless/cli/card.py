"""One definition on a card: what it is, who uses it, how to read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from skewless.cli.desk import Desk
from skewless.cli.output import Part, Table, cell
from skewless.cli.registered import consumers, keys_of_service, keys_of_view, reference_of
from skewless.core.dtypes import DType
from skewless.core.reference import short_reference
from skewless.core.time import format_instant, from_us

if TYPE_CHECKING:
    from skewless.registry.compiled import AppliedProject

Document = Mapping[str, Any]

_EXAMPLES = {"bool": "True", "string": '"…"', "bytes": 'b"…"', "date": "datetime(2017, 10, 2).date()"}
_COUNTS = ("read", "used", "quarantined", "new", "corrected", "retracted", "served", "entities")


def card(desk: Desk, applied: AppliedProject, document: Document, last: Mapping[str, Any] | None) -> Iterator[Part]:
    """The card of one document.

    Args:
        desk: Names the environment in the snippets.
        applied: What was applied.
        document: The definition.
        last: What the newest run did to it; None when it is no view or never ran.
    """
    kind, about = document["kind"], document["about"]
    version = f" v{document['version']}" if "version" in document else ""
    yield f"{kind} {document['name']}{version}"
    yield f"  {about['description'] or '(no description)'}"
    yield f"  owner: {about['owner'] or '-'}"
    if about.get("tags"):
        yield f"  tags: {', '.join(about['tags'])}"
    yield from {"view": _view, "service": _service, "entity": _entity, "source": _source}[kind](document)
    used_by = ", ".join(consumers(applied, document))
    if kind != "service":
        yield f"  used by: {used_by or 'nothing yet'}"
    if last is not None:
        yield from _last_run(last)
    yield from _reading(desk, applied, document)


def _view(document: Document) -> Iterator[Part]:
    meaning, about, words = document["meaning"], document["about"], document["words"]
    keys = ", ".join(f"{key} {dtype}" for key, dtype in meaning["entity"]["keys"])
    kinds = {"row": "one value per source row", "window": "trailing windows", "snapshot": "a transform at each tick"}
    yield f"  kind: {meaning['kind']} ({kinds.get(meaning['kind'], '-')})"
    yield f"  entity: {meaning['entity']['name']} ({keys})"
    yield f"  sources: {', '.join(source['name'] for source in meaning['sources'])}"
    yield f"  schedule: {words['schedule']}, ttl: {words['ttl']}, availability delay: {words['availability_delay']}"
    yield ""
    computed = words.get("aggregates", {})
    rows = [
        [name, dtype, about["features"][name]["description"] or computed.get(name, "")]
        for name, dtype in meaning["features"]
    ]
    yield Table(("feature", "type", "meaning"), rows)
    yield ""
    checks = [[rule["severity"], rule["scope"], rule["rule"]] for rule in about["quality"]]
    yield Table(("severity", "scope", "check"), checks) if checks else "  no checks of its own"
    yield ""


def _service(document: Document) -> Iterator[Part]:
    yield f"  contract: {document['contract_hash']}"
    yield ""
    yield Table(
        ("feature", "view version"), [[name, str(version)] for name, version in document["meaning"]["features"]]
    )


def _entity(document: Document) -> Iterator[Part]:
    yield f"  keys: {', '.join(f'{key} {dtype}' for key, dtype in document['meaning']['keys'])}"


def _source(document: Document) -> Iterator[Part]:
    meaning = document["meaning"]
    yield f"  table: {meaning['path']} (event time: {meaning['event_timestamp']})"
    ties = ", ".join(meaning["tie_break"]) or "none"
    yield f"  lateness: {document['words']['lateness']}, ties broken by: {ties}"
    yield f"  ready: {document['about'].get('ready', 'always')}"
    yield ""
    yield Table(("column", "type"), [[column, dtype] for column, dtype in meaning["schema"].items()])
    yield ""


def _last_run(last: Mapping[str, Any]) -> Iterator[Part]:
    through = None if last["through_us"] is None else format_instant(from_us(last["through_us"]))
    yield f"  last run: {last['outcome']} at {format_instant(from_us(last['finished_us']))} (run {last['run_id']})"
    yield f"    generation {cell(last['generation'])}, through {cell(through)}"
    counts = [f"{name} {last['counts'][name]:,}" for name in _COUNTS if name in last["counts"]]
    if counts:
        yield f"    rows: {', '.join(counts)}"


def _reading(desk: Desk, applied: AppliedProject, document: Document) -> Iterator[Part]:
    """Snippets to copy; a source or an entity is not read by them."""
    kind, name, env = document["kind"], document["name"], desk.settings.env
    if kind not in {"view", "service"}:
        return
    if kind == "view":
        keys, service = _literal(keys_of_view(document)), next(iter(consumers(applied, document)), None)
        feature = f"{name}:{document['meaning']['features'][0][0]}"
        asked = feature.replace(name, short_reference(reference_of(document), applied.names("view")), 1)
        call = f'store.get_feature("{asked}", {keys}, at=at).value'
    else:
        keys, service, feature = _literal(keys_of_service(desk.shop, name)), name, None
        call = f'store.get_features("{name}", {keys}, at=at).values'
    yield "\nread offline, at any time:\n"
    yield "    from datetime import datetime, timezone\n    from skewless import FeatureStore"
    yield f'    store = FeatureStore.open("conf", env="{env}")'
    yield f"    at = datetime(2017, 10, 2, tzinfo=timezone.utc)\n    {call}"
    yield "\nread online, now:\n"
    if service is None:
        yield f"    no service reads it yet: add it to a FeatureService in {desk.settings.definitions}/services.py"
        return
    picked = f'.values["{feature}"]' if feature else ".values"
    yield "    from skewless.online import OnlineClient"
    yield f"    client = OnlineClient.connect({_place(desk)})"
    yield f'    client.get("{service}", {keys}){picked}'
    shell = " ".join(
        f"{key}={'1' if dtype.kind.startswith('int') else '…'}"
        for key, dtype in keys_of_service(desk.shop, service).items()
    )
    yield f"\n    skewless get {service} {shell} --env {env}"


def _place(desk: Desk) -> str:
    settings, online = desk.settings, desk.settings.online
    points, port = list(online.contact_points), online.port
    if online.kind == "embedded":
        from skewless.node import CassandraNode

        endpoint = CassandraNode.of(settings).status().endpoint
        points, port = ["127.0.0.1"], endpoint.port if endpoint else port
    parts = [repr(points).replace("'", '"'), f'project="{settings.project}"']
    parts += [f"port={port}"] if port else []
    # ages on the replay clock are not those on the machine's
    parts += ["clock=store.workshop.clock"] if settings.clock.kind == "replay" else []
    return ", ".join(parts)


def _literal(keys: Mapping[str, DType]) -> str:
    return "{" + ", ".join(f'"{key}": {_EXAMPLES.get(dtype.kind, "1")}' for key, dtype in keys.items()) + "}"
