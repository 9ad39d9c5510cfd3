"""One moving head per project, which names immutable objects.

Whatever a head names was stored whole before the head moved, so a writer may die at any instant.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from skewless.core.clock import Clock
from skewless.core.fingerprint import canonical_json, digest
from skewless.core.names import PATTERN
from skewless.core.time import format_instant, from_us
from skewless.errors import DefinitionConflict, UsageError
from skewless.registry.objects import Document, ObjectDamaged, Objects, parse_document
from skewless.registry.store import AlreadyThere, Moved, ObjectStore


class HeadMoved(DefinitionConflict):
    """Somebody else applied definitions first."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a project's names stand for since one apply.

    Attributes:
        project: The project.
        number: 1, 2, 3, …
        parent: Hash of the head before it; None for the first.
        author: Who applied it.
        time_us: When.
        names: `kind/name` → hash of the object.
        sealed: `view/name@version` → fingerprint, of every view version ever applied; none changes or vanishes.
        note: A reason given with it, such as why a duplicate was allowed.
        change_id: Tells two applies of the same content apart.
    """

    project: str
    number: int
    parent: str | None
    author: str
    time_us: int
    names: Mapping[str, str] = field(hash=False)
    sealed: Mapping[str, str] = field(default_factory=dict, hash=False)
    note: str = ""
    change_id: str = ""

    def to_document(self) -> dict[str, object]:
        """Its JSON form."""
        return {
            "format": 1,
            "project": self.project,
            "number": self.number,
            "parent": self.parent,
            "author": self.author,
            "time_us": self.time_us,
            "names": dict(self.names),
            "sealed": dict(self.sealed),
            "note": self.note,
            "change_id": self.change_id,
        }

    @staticmethod
    def from_document(document: Document) -> Head:
        """Read what `to_document` wrote."""
        return Head(**{key: value for key, value in document.items() if key != "format"})

    @property
    def hash(self) -> str:
        """By which the head after it names it as its parent."""
        return digest(self.to_document())


@dataclass(frozen=True, slots=True)
class HeadChange:
    """Who moves a head, and why.

    Attributes:
        project: The project.
        author: Who applies.
        sealed: `view/name@version` → fingerprint, of the view versions that it brings.
        note: A reason.
    """

    project: str
    author: str
    sealed: Mapping[str, str] = field(default_factory=dict, hash=False)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Heads:
    """The heads of all projects in one store."""

    store: ObjectStore

    @property
    def objects(self) -> Objects:
        """The objects that heads name."""
        return Objects(self.store)

    def read(self, project: str) -> Head | None:
        """The head of a project; None before the first apply.

        Raises:
            ObjectDamaged: It cannot be read.
        """
        found = self._standing(project)
        return found[0] if found else None

    def history(self, project: str) -> Iterator[Head]:
        """The head of a project and all before it, newest first."""
        head = self.read(project)
        while head is not None:
            yield head
            head = None if head.parent is None else Head.from_document(self.objects.get(head.parent))

    def confirm(self, project: str, head: Head | None) -> str | None:
        """Return the etag of a project's head when it still is `head`; None when there still is none.

        Raises:
            HeadMoved: It is another one by now.
        """
        standing = self._standing(project)
        winner, etag = standing or (None, None)
        if winner != head:
            raise HeadMoved(_moved(project, head, winner))
        return etag

    def advance(self, head: Head | None, names: Mapping[str, str], *, change: HeadChange, clock: Clock) -> Head:
        """Move a project's head to new names, when it still is `head`.

        Args:
            head: The head that the change was decided on; None for the first.
            names: Everything that the new head names, stored before.
            change: By whom, for which project, and what it seals.
            clock: Tells the time of the change.

        Raises:
            HeadMoved: The head is another one by now; nothing was changed.
            DefinitionConflict: It would break a seal.
        """
        following = _following(head, names, change, clock.now_us())
        self.objects.put(following.to_document())  # its child finds it there
        body = canonical_json(following.to_document()).encode()
        etag = self.confirm(change.project, head)
        name = _head_name(change.project)
        try:
            if etag is None:
                self.store.create(name, body)
            else:
                self.store.swap(name, body, expected_etag=etag)
        except (AlreadyThere, Moved):
            winner = self.read(change.project)
            if winner != following:  # a store may answer late that it did what it was asked
                raise HeadMoved(_moved(change.project, head, winner)) from None
        return following

    def _standing(self, project: str) -> tuple[Head, str] | None:
        name = _head_name(project)
        stored = self.store.read(name)
        if stored is None:
            return None
        try:
            return Head.from_document(parse_document(name, stored.body)), stored.etag
        except TypeError:
            raise ObjectDamaged(f"Registry head '{name}' is not a head. Restore it from objects/.") from None


def _following(head: Head | None, names: Mapping[str, str], change: HeadChange, now_us: int) -> Head:
    sealed = dict(head.sealed) if head else {}
    for name, fingerprint in change.sealed.items():
        if sealed.setdefault(name, fingerprint) != fingerprint:
            message = f"'{name}' was applied with fingerprint {sealed[name]}, not {fingerprint}. Raise its version."
            raise DefinitionConflict(message)
    return Head(
        project=change.project,
        number=head.number + 1 if head else 1,
        parent=head.hash if head else None,
        author=change.author,
        time_us=now_us,
        names=dict(names),
        sealed=sealed,
        note=change.note,
        change_id=secrets.token_hex(8),
    )


def _moved(project: str, head: Head | None, winner: Head | None) -> str:
    planned = f"head {head.number}" if head else "an empty registry"
    if winner is None:
        return (
            f"The head of project '{project}' is gone since it was planned on {planned}. Restore it; then plan again."
        )
    when = format_instant(from_us(winner.time_us))
    return (
        f"{winner.author} applied head {winner.number} to project '{project}' at {when}, but this was planned on "
        f"{planned}. Nothing was changed. Plan again and look at the difference."
    )


def _head_name(project: str) -> str:
    if not PATTERN.fullmatch(project):
        raise UsageError(f"{project!r} is no project name. Use 1 to 48 of a-z, 0-9 and _, beginning with a letter.")
    return f"heads/{project}.json"
