"""Soundness: what is recorded of published values, and what lies there, agree; or nothing is built on them."""

from __future__ import annotations

from collections.abc import Iterable

from skewless.core.generation import Generation, GenerationState
from skewless.core.reference import view_name, view_version
from skewless.core.timeline import Pointer, Timeline
from skewless.errors import ContractBroken
from skewless.flows.situation import Situation
from skewless.spark.value_tables import Heads

#: By which `--accept` refers to what is checked here: every published generation is in the ledger; nobody but
#: generations has changed history or served.
LEDGER, HISTORY = "contract.ledger", "contract.history"


def lost_generations(known: Iterable[Generation], timeline: Timeline, *, run_id: str) -> tuple[Generation, ...]:
    """What the timeline tells of published generations that the ledger does not know.

    Not what they were evaluated on: so that the next evaluation looks at everything.

    Args:
        known: Every generation of the ledger.
        timeline: The synced timeline.
        run_id: The run that would restore them.
    """
    numbers = {one.number for one in known}
    lost: dict[tuple[str, int], Pointer] = {}
    for revision in timeline.revisions:
        lost |= {(view, one.generation): one for view, one in revision.views.items() if one.generation not in numbers}
    return tuple(_restored(view, pointer, run_id) for (view, _), pointer in sorted(lost.items()))


def _restored(reference: str, pointer: Pointer, run_id: str) -> Generation:
    return Generation(
        number=pointer.generation,
        view=view_name(reference),
        version=view_version(reference),
        table=pointer.table,
        state=GenerationState.PUBLISHED,
        through_us=pointer.through_us,
        fingerprint="",
        sources={},
        source_ids={},
        run_id=run_id,
        kind="restored",
    )


def refuse_lost(lost: Iterable[Generation], *, path: str) -> None:
    """Refuse to go on with a ledger that does not know what readers use.

    Args:
        lost: What it does not know.
        path: Its table.

    Raises:
        ContractBroken: There is something.
    """
    numbers = [f"{one.number} of view '{one.reference}'" for one in lost]
    if numbers:
        message = (
            f"The ledger has lost generation {', '.join(numbers)}, which was published. Restore its table ({path}; "
            f"Delta keeps earlier versions). Or go on without: `skewless run --accept '{LEDGER}=why'` evaluates and "
            "compares everything."
        )
        raise ContractBroken(message)


def refuse_strange(situation: Situation, heads: Heads, *, also: Iterable[int] = ()) -> None:
    """Refuse to build on values that somebody changed after they were published.

    Args:
        situation: The view; what it was when its tables were last looked at is taken for untouched.
        heads: Until where they are looked at now.
        also: Generations that were begun since the ledger was read.

    Raises:
        ContractBroken: History or served was changed by something else than a generation.
    """
    tables, looked, numbers = situation.tables, situation.looked, situation.known | set(also)
    for path, after, until in (
        (tables.history, looked.history, heads.history),
        (tables.served, looked.served, heads.served),
    ):
        if until < after:
            raise ContractBroken(_touched(situation, path, after, f"it is at version {until} now, which is older"))
        strange = tables.strange_commits(path, numbers, after=after, until=until)
        if strange:
            commits = ", ".join(f"{one.operation} made version {one.version}" for one in strange)
            raise ContractBroken(_touched(situation, path, strange[0].version - 1, commits))


def _touched(situation: Situation, path: str, version: int, how: str) -> str:
    return (
        f"Published values of view '{situation.view.reference}' were changed from outside, in {path}: {how}. Take it "
        f"back (RESTORE TABLE delta.`{path}` TO VERSION AS OF {version}). Or go on with it: `skewless run --accept "
        f"'{HISTORY}=why'` evaluates and compares everything."
    )
