"""How far a piece of work came, by name: whole numbers that whoever holds the project's lease moves on."""

from __future__ import annotations

from dataclasses import dataclass

from skewless.registry.store import ObjectStore


@dataclass(frozen=True, slots=True)
class Marks:
    """Marks in a store.

    Attributes:
        store: Keeps them, below `marks/`.
    """

    store: ObjectStore

    def read(self, name: str) -> int | None:
        """Where it stands; None when it was never set."""
        found = self.store.read(f"marks/{name}")
        return None if found is None else int(found.body)

    def move(self, name: str, number: int) -> None:
        """Set it.

        Raises:
            AlreadyThere, Moved: Somebody else set it at the same moment.
        """
        place, body = f"marks/{name}", str(number).encode()
        found = self.store.read(place)
        if found is None:
            self.store.create(place, body)
        else:
            self.store.swap(place, body, expected_etag=found.etag)
