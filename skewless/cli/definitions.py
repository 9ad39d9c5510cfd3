"""plan, apply, list, show: the definitions and what was applied of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from skewless.cli.card import card
from skewless.cli.desk import Desk
from skewless.cli.options import Text
from skewless.cli.output import Table, cell
from skewless.cli.registered import KINDS, NOTHING, Told, consumers, documents_named, last_runs, reference_of
from skewless.core.service import unknown_name
from skewless.core.time import format_instant, from_us
from skewless.errors import ChangesPending, DefinitionError, UsageError

_COLUMNS = ("name", "kind", "version", "owner", "revision", "through", "description")


def plan(desk: Desk) -> None:
    """Say what `apply` would change, and whether values change.

    Ends with 0 when the definitions are what was applied, 3 when changes are pending, 2 when one is refused.

    For example:

        skewless plan
        skewless plan --json || [ $? -eq 3 ]
    """
    found = desk.store.plan()
    lines = found.describe() or ["No changes: the definitions are what was applied."]
    desk.show(found.to_json(), lines)
    if found.refusals:
        raise typer.Exit(DefinitionError.exit_code)
    if not found.is_empty:
        raise typer.Exit(ChangesPending.exit_code)


def apply(desk: Desk) -> None:
    """Make the definitions what is applied, in the registry and in the online store; a repeat changes nothing.

    For example:

        skewless plan; skewless apply
    """
    found = desk.store.apply()
    count = len(found.changes)
    done = f"Applied {count} change{'s' if count != 1 else ''}." if count else "Nothing to change: all is applied."
    desk.show(found.to_json(), [*found.describe(), done])


def list_(
    desk: Desk,
    kind: Annotated[Text, typer.Argument(metavar="KIND", help="views, services, entities or sources.")] = None,
) -> None:
    """List what was applied: views, services, entities and sources.

    Revision and through come from this machine's run records. Needs no Spark.

    For example:

        skewless list
        skewless list views --json
    """
    applied, chosen = desk.shop.applied(), _chosen_kinds(kind)
    published = last_runs(desk.shop, applied.names("view")).published
    items = [
        _item(document, published.get(reference_of(document)) if each == "view" else None)
        for each in chosen
        for document in (applied.documents[f"{each}/{name}"] for name in applied.names(each))
    ]
    rows = [[cell(_shown(item[column])) for column in _COLUMNS] for item in items]
    payload = {"applied": applied.number, "applied_at": applied.applied_at, "definitions": items}
    desk.show(payload, [Table(_COLUMNS, rows)])


def show(
    desk: Desk,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A view (all versions, or NAME@2), service, …")],
) -> None:
    """Show one definition as it was applied: what it is, who uses it, and how to read it.

    Needs no Spark; counts come from this machine's newest run record.

    For example:

        skewless show household_spend
    """
    applied = desk.shop.applied()
    documents = documents_named(applied, name)
    runs = last_runs(desk.shop, applied.names("view"))
    payload = [
        {**one, "consumers": list(consumers(applied, one)), "last_run": _last(runs.tried, one)} for one in documents
    ]
    parts = [part for one in documents for part in card(desk, applied, one, _last(runs.tried, one))]
    desk.show(payload[0] if len(payload) == 1 else payload, parts)


def _last(runs: Mapping[str, Told], document: Mapping[str, Any]) -> dict[str, Any] | None:
    found = runs.get(reference_of(document)) if document["kind"] == "view" else None
    return None if found is None else {**found[0], "run_id": found[1]["run_id"], "finished_us": found[1]["finished_us"]}


def _chosen_kinds(kind: str | None) -> tuple[str, ...]:
    plurals = {"views": "view", "services": "service", "entities": "entity", "sources": "source"}
    if kind is None:
        return KINDS
    chosen = plurals.get(kind, kind)
    if chosen not in KINDS:
        raise UsageError(unknown_name("kind of definition", kind, plurals))
    return (chosen,)


def _item(document: Mapping[str, Any], published: Told | None) -> dict[str, Any]:
    outcome, run = published or NOTHING
    through_us = outcome.get("through_us")
    return {
        "name": document["name"],
        "kind": document["kind"],
        "version": document.get("version"),
        "owner": document["about"]["owner"],
        "description": document["about"]["description"],
        "revision": run.get("revision"),
        "through": None if through_us is None else from_us(through_us),
    }


def _shown(value: Any) -> Any:
    return format_instant(value) if hasattr(value, "tzinfo") else value
