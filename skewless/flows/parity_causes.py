"""Why a cell that a client answers is not what history says: the first of the causes that explains it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice

from pyspark.sql import functions as F

from skewless.core.names import EVENT_TIMESTAMP, GENERATION, STATE
from skewless.core.timeline import Pointer
from skewless.core.vector import Status
from skewless.core.view import FeatureView
from skewless.flows.point_in_time import Pins
from skewless.flows.unapplied import is_changed
from skewless.flows.workshop import Workshop
from skewless.online.codec import Key, same_bits
from skewless.online.explanation import ViewExplanation
from skewless.online.strays import rows_of, stored_keys
from skewless.spark.dtypes import spark_schema
from skewless.spark.exact import arrived, leaving
from skewless.spark.point_in_time.inputs import ViewValues
from skewless.spark.value_tables import newest_served, of_generations

#: Statuses under which a client gives what the row holds.
_WITH_VALUE = frozenset({Status.PRESENT.value, Status.NULL.value})
#: So many unknown keys of a table are looked at.
_STRAYS = 10_000


class Cause(str, Enum):
    """What a difference comes of, in the order in which it is looked for.

    CHANGED_DEFINITION: the checkout's view is not the one that was applied, so that both sides follow other rules.
    STALE_POINTER: the client reads another generation than the ledger says. ABORTED_PUSH: the row that won is of a
    generation that was never published. WRONG_KEY: the entity's row lies under a key that nobody was ever served by.
    MISSING_ROW: a row that was sent is not there. EXTRA_ROW: a row is there that was not sent. EXPIRED: the same row,
    held against another ttl. TAMPERED: a cell is not what was sent. HISTORY: what was sent is there, but history says
    something else by now.
    """

    CHANGED_DEFINITION = "changed definition"
    STALE_POINTER = "stale pointer"
    ABORTED_PUSH = "aborted push not purged"
    WRONG_KEY = "wrong key encoding"
    MISSING_ROW = "missing row"
    EXTRA_ROW = "extra row"
    EXPIRED = "expired"
    TAMPERED = "tampered"
    HISTORY = "history changed"


@dataclass(frozen=True, slots=True)
class Sent:
    """The newest row that was sent of an entity, up to the generation that readers were told to use.

    Attributes:
        generation: Its generation.
        event_us: The time that it speaks for; None when absent.
        state: Empty, deleted or absent.
        values: Feature → value.
    """

    generation: int
    event_us: int | None
    state: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A view of an entity with cells that differ.

    Attributes:
        view: The view.
        key: The entity.
        explained: How the client came by its answer.
    """

    view: FeatureView
    key: Key
    explained: ViewExplanation


class Inquiry:
    """What is known of the views of some differences; looked up once."""

    def __init__(self, shop: Workshop, pins: Pins, suspects: Sequence[Suspect], *, at_us: int) -> None:
        applied = shop.applied()
        views = {one.view.name: one.view for one in suspects}
        told = {one.view.name: one for one in pins.at(at_us).values if one.view.name in views}
        self._pointers = {name: one.newest.pointer if one.newest else None for name, one in told.items()}
        self._published = {name: one.published for name, one in told.items()}
        self._changed = {name for name, view in views.items() if is_changed(shop, view, applied)}
        self._sent = {
            name: _sent(shop, one, self._pointers[name], [each.key for each in suspects if each.view.name == name])
            for name, one in told.items()
        }
        # of a changed definition nothing more is asked, and its table is not the applied one's to be scanned
        missing = {one.view.name for one in suspects if self._is_missing(one)} - self._changed
        self._strays = {name: _strays(shop, told[name]) if name in missing else {} for name in views}

    def cause(self, suspect: Suspect, feature: str | None, online: tuple[str, object]) -> Cause:
        """The cause of one cell.

        Args:
            suspect: The view and entity.
            feature: The feature; None for the event time.
            online: The client's status and value; of an event time its microseconds.
        """
        name, found = suspect.view.name, suspect.explained.row_generation
        sent, pointer = self._sent[name].get(suspect.key), self._pointers[name]
        if name in self._changed:
            return Cause.CHANGED_DEFINITION
        if suspect.explained.generation != (None if pointer is None else pointer.generation):
            return Cause.STALE_POINTER
        if found is not None and found not in self._published[name]:
            return Cause.ABORTED_PUSH
        if sent is not None and self._is_missing(suspect):
            alike = self._strays[name].get((sent.generation, sent.event_us), ())
            is_astray = any(_has_the_values(suspect.view, stray, sent) for stray in alike)
            return Cause.WRONG_KEY if is_astray else Cause.MISSING_ROW
        if found is not None and (sent is None or found > sent.generation):
            return Cause.EXTRA_ROW
        return _of_the_row_sent(suspect.view, feature, online, sent)

    def _is_missing(self, suspect: Suspect) -> bool:
        """True when a row newer than the one that won was sent, or one although none was found."""
        sent, found = self._sent[suspect.view.name].get(suspect.key), suspect.explained.row_generation
        return sent is not None and (found is None or found < sent.generation)


def _of_the_row_sent(view: FeatureView, feature: str | None, online: tuple[str, object], sent: Sent | None) -> Cause:
    """The client found the very row that was sent, or both are none."""
    status, value = online
    if sent is None:
        return Cause.HISTORY
    if feature is None:
        return Cause.HISTORY if value == sent.event_us else Cause.TAMPERED
    if status == Status.ERROR.value:
        return Cause.TAMPERED  # of a row that was found: its packed values are damaged
    if status not in _WITH_VALUE:
        return Cause.HISTORY if sent.state else Cause.EXPIRED
    return Cause.HISTORY if same_bits(view.feature_types[feature], value, sent.values[feature]) else Cause.TAMPERED


def _sent(shop: Workshop, told: ViewValues, pointer: Pointer | None, keys: Iterable[Key]) -> dict[Key, Sent]:
    """The newest row that was sent of some entities."""
    view, limit = told.view, -1 if pointer is None else pointer.generation
    dtypes = view.feature_types
    wanted = shop.session.createDataFrame(sorted(set(keys)), spark_schema(view.entity.keys))
    names = list(view.entity.key_names)
    rows = told.served.join(F.broadcast(wanted), names, "left_semi")
    newest = newest_served(view, of_generations(rows, [one for one in told.published if one <= limit]))
    values = leaving(dtypes, F.struct(*dtypes)).alias("values")
    time = F.unix_micros(EVENT_TIMESTAMP).alias("event_us")
    return {
        tuple(row[name] for name in names): Sent(
            row[GENERATION], row["event_us"], row[STATE], arrived(dtypes, row["values"].asDict()) or {}
        )
        for row in newest.select(*names, GENERATION, time, STATE, values).collect()
    }


def _strays(shop: Workshop, told: ViewValues) -> dict[tuple[int, int | None], list[Sent]]:
    """The rows that lie online under keys of which nothing was ever sent, by generation and event time."""
    found: dict[tuple[int, int | None], list[Sent]] = {}
    link, view = shop.online, shop.served(told.view, shop.applied())
    if link is None:
        return found
    known = {tuple(row) for row in told.served.select(*view.keys).distinct().collect()}
    strange = (key for key in stored_keys(link.session, link.target.keyspace, view) if key not in known)
    for key in islice(strange, _STRAYS):
        for generation, event_us, values in rows_of(link.session, link.target.keyspace, view, key):
            row = Sent(generation, event_us, "", dict(zip(view.features, values, strict=True)))
            found.setdefault((generation, event_us), []).append(row)
    return found


def _has_the_values(view: FeatureView, stray: Sent, sent: Sent) -> bool:
    return all(same_bits(dtype, stray.values[name], sent.values[name]) for name, dtype in view.feature_types.items())
