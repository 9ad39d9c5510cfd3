"""Where values stand in time: one axis for the statements of history and for what was served, of every view.

A spine row stands at its observation time, in microseconds, behind all values of that instant. A statement of history
stands where the join may use it: at its event time, in the simulated era that much later which values take to arrive.
A served row stands where readers were first told to use its generation. A revision that points back to an older one
puts again, at its instant, what held then of every entity that newer ones had changed; so that the last value before a
spine row is always the answer, whatever was rolled back and forth.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from skewless.core.dtypes import DType
from skewless.core.names import EVENT_TIMESTAMP, FLAG, GENERATION, STATE
from skewless.core.resolver import ABSENT, DELETED, RETRACTED
from skewless.core.time import from_us
from skewless.spark.dtypes import spark_type
from skewless.spark.point_in_time.inputs import GREATEST_US, LEAST_US, Reach, SortedRows, ViewValues
from skewless.spark.point_in_time.sorted_read import SortedRead
from skewless.spark.value_tables import of_generations

#: Columns of positioned rows. Among those of one instant the order tells: by view, then by generation.
AT, ORDER, PAYLOAD = "_at_us", "_order", "_payload"
#: The order of spine rows: behind every value of the instant.
LAST = 2**63 - 1
#: Above them in an order stands the number of the view; below, a generation's: microseconds until the year 2112.
GENERATION_BITS = 53
_MIDDLE = 1 << (GENERATION_BITS - 1)
#: What a row says of its entity, in a byte: narrow rows travel faster. The last bit: it was served.
SAYS, IS_SERVED = 3, 4
IS_VALUE, IS_DELETED, IS_ABSENT, IS_RETRACTED = range(4)
_CODES = {"": IS_VALUE, DELETED: IS_DELETED, ABSENT: IS_ABSENT, RETRACTED: IS_RETRACTED}


def winner(place: int) -> str:
    """Name of the column that an engine gives for a view: the payload of its winner."""
    return f"_winner_{place}"


@dataclass(frozen=True, slots=True)
class Slots:
    """Where the features of each view lie in the one struct that all rows share: views take turns in slots of a type.

    Attributes:
        types: Type of each slot.
        places: Per view: feature → number of its slot.
    """

    types: tuple[DType, ...]
    places: tuple[Mapping[str, int], ...]

    @staticmethod
    def of(values: Sequence[ViewValues]) -> Slots:
        """The fewest slots that hold the widest of each type."""
        types: list[DType] = []
        places: list[Mapping[str, int]] = []
        for one in values:
            free = list(range(len(types)))
            mine = {}
            for name, dtype in one.features.items():
                place = next((slot for slot in free if types[slot] == dtype), len(types))
                if place == len(types):
                    types.append(dtype)
                else:
                    free.remove(place)
                mine[name] = place
            places.append(mine)
        return Slots(tuple(types), tuple(places))

    @property
    def schema(self) -> T.StructType:
        """What it says, the event time, and the slots."""
        facts = [T.StructField("says", T.ByteType()), T.StructField("event_us", T.LongType())]
        return T.StructType([*facts, *(T.StructField(f"s{at}", spark_type(one)) for at, one in enumerate(self.types))])

    def payload(self, place: int, *, state: Column, is_served: bool) -> Column:
        """A row of a value table as that struct."""
        cells = (
            (F.lit(None).cast(spark_type(dtype)) if name is None else F.col(name)).alias(f"s{slot}")
            for slot, (name, dtype) in enumerate(zip(self.names(place), self.types, strict=True))
        )
        said = says(state).bitwiseOR(F.lit(IS_SERVED if is_served else 0).cast("byte"))
        return F.struct(said.alias("says"), F.unix_micros(EVENT_TIMESTAMP).alias("event_us"), *cells)

    def names(self, place: int) -> tuple[str | None, ...]:
        """Per slot the feature of a view that lies in it, None for none."""
        names = {slot: name for name, slot in self.places[place].items()}
        return tuple(names.get(slot) for slot in range(len(self.types)))


def says(state: Column) -> Column:
    """What a row of history or served says of its entity, as a byte.

    Args:
        state: Its `_flag` or `_state`.
    """
    code = F.raise_error(F.lit("A value table has a row of an unknown state.")).cast("byte")
    for spelled, number in _CODES.items():
        code = F.when(state == spelled, F.lit(number).cast("byte")).otherwise(code)
    return code


@dataclass(frozen=True, slots=True)
class Emission:
    """What a revision puts on the axis.

    Attributes:
        at_us: When it became visible.
        generations: Those whose rows stand there.
        taken: The newer ones that it took back; empty unless it points to an older generation than the one before.
    """

    at_us: int
    generations: frozenset[int]
    taken: frozenset[int] = frozenset()


def emissions(values: ViewValues, last_us: int) -> Iterator[Emission]:
    """What the revisions of a view put on the axis, up to an instant."""
    before = -(2**63)
    for step in values.steps:
        now = step.pointer.generation
        if step.from_us > last_us or now == before:
            continue
        if now > before:
            yield Emission(step.from_us, frozenset(one for one in values.published if before < one <= now))
        else:
            standing = frozenset(one for one in values.published if one <= now)
            yield Emission(step.from_us, standing, frozenset(one for one in values.published if now < one <= before))
        before = now


def reads_history(values: ViewValues, reach: Reach, *, as_served: bool) -> bool:
    """True when a spine of that reach needs statements of history: always, but as served from the first publish on."""
    return not as_served or (
        reach.first_us is not None and bool(values.steps) and reach.first_us < values.steps[0].from_us
    )


@dataclass(frozen=True, slots=True)
class Positioned:
    """What a spine may need of one view.

    Attributes:
        rows: Key columns, position, order and payload.
        reads: What tasks read beside them, of sorted copies.
    """

    rows: DataFrame
    reads: tuple[SortedRead, ...] = ()


def value_rows(
    values: ViewValues, place: int, slots: Slots, reach: Reach, *, as_served: bool, by_copies: bool = False
) -> Positioned | None:
    """What a spine may need of one view, on the axis of time.

    Args:
        values: The view.
        place: Its number in this join.
        slots: Where features lie.
        reach: How far the spine reaches; what cannot matter within is not read.
        as_served: True puts served rows on the axis, and history before the first revision; False history alone.
        by_copies: True leaves to tasks what is in sorted copies.

    Returns:
        None when nothing can matter.
    """
    if reach.first_us is None or reach.last_us is None or values.newest is None:
        return None
    of_view = _OfView(values, place, slots, by_copies=by_copies)
    if not as_served:
        return _together([of_view.stated(until_us=reach.last_us, later_us=0)])
    begins_us, delay_us = values.steps[0].from_us, values.view.delay_us
    parts = []
    if reads_history(values, reach, as_served=True):
        until_us = min(reach.last_us, begins_us - 1)
        parts.append(of_view.stated(until_us=until_us - delay_us, later_us=delay_us))
    if reach.last_us >= begins_us:
        parts += of_view.sent(tuple(emissions(values, reach.last_us)))
    return _together(parts)


def _together(parts: Sequence[Positioned]) -> Positioned:
    rows = reduce(DataFrame.unionAll, (one.rows for one in parts))
    return Positioned(rows, tuple(read for one in parts for read in one.reads))


@dataclass(frozen=True, slots=True)
class _OfView:
    values: ViewValues
    place: int
    slots: Slots
    by_copies: bool

    def stated(self, *, until_us: int, later_us: int) -> Positioned:
        """History up to an event time, itself included, each statement that much later than it speaks for."""
        until = from_us(min(max(until_us, LEAST_US), GREATEST_US))
        copy = self.values.sorted_history if self.by_copies else None
        rows = of_generations(copy.later if copy else self.values.history, self.values.counting)
        at_us = F.unix_micros(EVENT_TIMESTAMP) + F.lit(later_us)
        told = rows.filter(F.col(EVENT_TIMESTAMP) <= F.lit(until))
        placed = self._positioned(told, at_us, F.col(GENERATION), state=F.col(FLAG), is_served=False)
        if copy is None:
            return Positioned(placed)
        read = self._read(copy, self.values.counting)
        return Positioned(placed, (replace(read, until_us=until_us, later_us=later_us),))

    def sent(self, emitted: Sequence[Emission]) -> Iterator[Positioned]:
        """Served rows where revisions put them."""
        yield self._served([(number, one.at_us) for one in emitted if not one.taken for number in one.generations])
        for one in emitted:
            if one.taken:
                yield from map(Positioned, self._taken_back(one))

    def _served(self, places: Sequence[tuple[int, int]]) -> Positioned:
        """Rows of generations, each where it became visible; again where it became so again."""
        instants: dict[int, tuple[int, ...]] = {}
        for number, at_us in places:
            instants[number] = (*instants.get(number, ()), at_us)
        copy = self.values.sorted_served if self.by_copies else None
        rows = of_generations(copy.later if copy else self.values.served, instants)
        schema = T.StructType([T.StructField(name, T.LongType()) for name in (GENERATION, AT)])
        listed = rows.sparkSession.createDataFrame(list(places), schema)
        placed = self._positioned(rows.join(F.broadcast(listed), GENERATION), F.col(AT), F.col(GENERATION))
        if copy is None:
            return Positioned(placed)
        return Positioned(placed, (replace(self._read(copy, instants), instants=instants, served_bit=IS_SERVED),))

    def _read(self, copy: SortedRows, generations: Collection[int]) -> SortedRead:
        return SortedRead(
            folder=copy.folder,
            buckets=copy.buckets,
            keys=tuple(self.values.view.entity.key_names),
            features=self.slots.names(self.place),
            order=self._order,
            generations=tuple(sorted(generations)),
        )

    @property
    def _order(self) -> int:
        return (self.place << GENERATION_BITS) + _MIDDLE

    def _taken_back(self, emission: Emission) -> Iterator[DataFrame]:
        """Nothing at first, then what older generations say, of the entities that the taken ones had changed."""
        served, keys = self.values.served, list(self.values.view.entity.key_names)
        changed = of_generations(served, emission.taken)
        at_us = F.lit(emission.at_us)
        yield self._positioned(changed, at_us, F.lit(-_MIDDLE), state=F.lit(ABSENT))
        older = of_generations(served, emission.generations).join(changed.select(*keys).distinct(), keys, "left_semi")
        yield self._positioned(older, at_us, F.col(GENERATION))

    def _positioned(
        self, rows: DataFrame, at_us: Column, generation: Column, *, state: Column | None = None, is_served: bool = True
    ) -> DataFrame:
        order = F.lit(self._order) + generation.cast("long")
        payload = self.slots.payload(self.place, state=F.col(STATE) if state is None else state, is_served=is_served)
        return rows.select(
            *self.values.view.entity.key_names,
            at_us.cast("long").alias(AT),
            order.alias(ORDER),
            payload.alias(PAYLOAD),
        )
