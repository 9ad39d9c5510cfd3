"""publish and rollback: move the pointers of views in one revision, by compare-and-set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from skewless.core.failpoints import Failpoint, reached
from skewless.core.generation import Generation
from skewless.core.reference import is_meant
from skewless.core.time import duration_us, format_instant, from_us
from skewless.core.timeline import Pointer, Revision, Timeline
from skewless.errors import ContractBroken, NothingToDo, UsageError
from skewless.flows.recover import synced_timeline
from skewless.flows.workshop import Workshop


def rollback(shop: Workshop, names: Iterable[str], *, to: int | None) -> Revision:
    """Point views at what an earlier revision said of them; no data move.

    Rolling forward is the same with a later revision.

    Args:
        shop: The workshop.
        names: `name@version`, or `name` for every version that the revision knows; all that are published when none
            is named.
        to: The revision whose pointers to take; None is the newest in which one of the views stood at a smaller
            generation and none at a greater.

    Raises:
        UsageError: There is no such revision, or it does not know a view.
        NothingToDo: The views already are where that revision had them.
    """
    spelled = tuple(names)
    chosen = set(shop.chosen_references(spelled))
    with shop.leased("rollback") as lease:
        shop.lease = lease
        timeline = synced_timeline(shop)
        head, target = timeline.head, timeline.before(chosen) if to is None else timeline.numbered(to)
        if head is None or target is None:
            known = [revision.number for revision in timeline.revisions]
            wanted = "with older values" if to is None else str(to)
            raise UsageError(f"There is no revision {wanted} to go to; known: {known}.")
        _refuse_swept(shop, timeline, target)
        pointers = {view: pointer for view, pointer in target.views.items() if not chosen or view in chosen}
        unknown = sorted(name for name in spelled if not any(is_meant(view, name) for view in pointers))
        if unknown:
            raise UsageError(f"Revision {target.number} knows nothing of {unknown}; they were not published then.")
        moved = {view: pointer for view, pointer in pointers.items() if head.views[view] != pointer}
        if not moved:
            raise NothingToDo(f"All of it already is as revision {target.number} had it. Nothing to do.")
        is_back = any(pointer.generation < head.views[view].generation for view, pointer in moved.items())
        kind = "rollback" if is_back else "roll-forward"
        revision = move(shop, moved, timeline=timeline, kind=kind, run_id=f"to-{target.number}")
        shop.clock.wait_until(revision.visible_from_us)
        return revision


def _refuse_swept(shop: Workshop, timeline: Timeline, target: Revision) -> None:
    retained = timeline.revisions[-shop.settings.online.retain_revisions :]
    if target not in retained:
        message = (
            f"Revision {target.number} is older than the last {len(retained)} that are kept readable online "
            f"(online.retain_revisions); the oldest is {retained[0].number}."
        )
        raise UsageError(message)


def move(shop: Workshop, pointers: Mapping[str, Pointer], *, timeline: Timeline, kind: str, run_id: str) -> Revision:
    """Tell readers what to use: the one durable effect that they see. The ledger's copy follows; recovery repairs it.

    Args:
        shop: The workshop, holding the lease.
        pointers: `name@version` → what the revision says of it; other views stay where they are.
        timeline: The synced timeline that the decision was made on.
        kind: publish, rollback, roll-forward or revert.
        run_id: Recorded in the revision.

    Raises:
        RevisionConflict: Somebody else published meanwhile; nothing changed.
    """
    head = timeline.head
    delay_us = duration_us(shop.settings.online.activation_delay)
    earliest_us = head.visible_from_us + 1 if head is not None else 0
    revision = Revision(
        number=head.number + 1 if head is not None else 1,
        visible_from_us=max(shop.clock.now_us() + delay_us, earliest_us),
        views={**(head.views if head is not None else {}), **pointers},
        kind=kind,
        run_id=run_id,
    )
    if shop.lease is not None:
        shop.lease.check()
    if shop.online is not None:
        shop.online.timeline.publish(revision, expected=head.number if head is not None else None)
    reached(Failpoint.REVISION_SWAPPED)
    shop.ledger.add_revision(revision)
    reached(Failpoint.REVISION_COPIED)
    views = ", ".join(map(shop.definitions.short, sorted(pointers)))
    shop.say(
        f"Revision {revision.number} ({kind} of {views}) from {format_instant(from_us(revision.visible_from_us))}."
    )
    return revision


def refuse_unsettled(known: Iterable[Generation], verified: Iterable[Generation]) -> None:
    """Make sure that nothing half done would count with what is published.

    Raises:
        ContractBroken: A smaller generation of a view is neither published nor given up: its rows would count.
    """
    before = tuple(known)
    for one in verified:
        open_before = [
            each.number
            for each in before
            if each.reference == one.reference
            and each.table == one.table
            and each.number < one.number
            and not each.state.is_end
        ]
        if open_before:
            message = (
                f"View '{one.view}' v{one.version} cannot publish generation {one.number}: generations {open_before} "
                "are neither published nor given up, and their rows would count. Run `skewless run` to settle them."
            )
            raise ContractBroken(message)
