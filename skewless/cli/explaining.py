"""explain: why a value is what it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from skewless.cli.desk import Desk
from skewless.cli.options import instant, typed_keys
from skewless.cli.output import Part, Table, cell
from skewless.core.time import format_instant, from_us

if TYPE_CHECKING:
    from skewless.flows.explain import Explanation

#: Statements shown before the winner and after it.
_NEWER, _OLDER = 6, 5


def explain(
    desk: Desk,
    view: Annotated[
        str, typer.Argument(metavar="VIEW", help="A feature view: NAME is its newest version, NAME@1 another.")
    ],
    keys: Annotated[list[str], typer.Argument(metavar="KEY=VALUE", help="The entity, such as household_id=1.")],
    *,
    at: Annotated[str | None, typer.Option(metavar="T", help="The observation time; default now.")] = None,
) -> None:
    """Show what was said of one entity, what won at a time, and why the rest did not.

    For example:

        skewless explain household_spend household_id=1 --at 2017-10-12T09:00Z
    """
    moment = instant(at) or from_us(desk.shop.clock.now_us())
    found = desk.shop.definitions.view(view)
    entity = typed_keys(keys, found.entity.keys, service=view)
    told = desk.store.explain(view, entity, at=moment)
    desk.show(asdict(told), _told(told))


def _told(told: Explanation) -> Iterator[Part]:
    keys = " ".join(f"{key}={value}" for key, value in told.keys.items())
    yield f"{told.view} {keys} at {format_instant(told.at)}"
    yield f"{told.era}; generation {cell(told.generation)}"
    yield ""
    winner = next((place for place, one in enumerate(told.considered) if one.verdict == "winner"), 0)
    first, last = max(0, winner - _NEWER), winner + _OLDER + 1
    rows = [
        [
            format_instant(from_us(one.event_us)),
            str(one.generation),
            one.verdict,
            one.flag or ", ".join(f"{name}={cell(value)}" for name, value in one.values.items()),
        ]
        for one in told.considered[first:last]
    ]
    if first:
        yield f"… {first} newer statements, none of them the winner"
    yield Table(("event time", "generation", "verdict", "said"), rows)
    if len(told.considered) > last:
        yield f"… and {len(told.considered) - last} older statements (--json shows up to 500)."
    yield ""
    yield Table(
        ("feature", "value", "status"),
        [[name, cell(value), told.answer.status[name].value] for name, value in told.answer.values.items()],
    )
