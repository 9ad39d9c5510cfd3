"""Many vectors as columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from skewless.core.dtypes import DType
from skewless.core.time import from_us
from skewless.core.vector import FeatureVector, Status
from skewless.online.reading import Question
from skewless.online.service_plan import Answer

_NUMPY = {"bool": "bool", "int32": "int32", "int64": "int64", "float32": "float32", "float64": "float64"}


@dataclass(frozen=True, slots=True)
class FeatureBatch:
    """The features of many entities for one service at one instant; position i answers request i.

    Attributes:
        keys: The requests, in order, duplicates kept.
        values: `view:feature` → one value per request; None unless the status is PRESENT.
        status: `view:feature` → one status per request.
        event_time: view → one event time per request; None when there is no row.
        age: view → one age per request; None without a row.
        generation: view → the generation that readers were told to use; None when unpublished.
        revision: The revision that answered; None before the first.
        at: The observation time.
        unconfirmed: True when the client could not confirm the timeline lately.
        types: `view:feature` → type.
    """

    keys: tuple[Mapping[str, object], ...] = field(hash=False)
    values: Mapping[str, Sequence[object]] = field(hash=False)
    status: Mapping[str, Sequence[Status]] = field(hash=False)
    event_time: Mapping[str, Sequence[datetime | None]] = field(hash=False)
    age: Mapping[str, Sequence[timedelta | None]] = field(hash=False)
    generation: Mapping[str, int | None] = field(hash=False)
    revision: int | None
    at: datetime
    unconfirmed: bool
    types: Mapping[str, DType] = field(hash=False)

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, place: int) -> FeatureVector:
        return FeatureVector(
            values={name: column[place] for name, column in self.values.items()},
            status={name: column[place] for name, column in self.status.items()},
            event_time={view: column[place] for view, column in self.event_time.items()},
            age={view: column[place] for view, column in self.age.items()},
            generation=self.generation,
            revision=self.revision,
            at=self.at,
            unconfirmed=self.unconfirmed,
        )

    def __iter__(self) -> Iterator[FeatureVector]:
        return (self[place] for place in range(len(self)))

    def to_dicts(self) -> list[dict[str, object]]:
        """One dictionary per request: its keys and `view:feature` → value."""
        columns = list(self.values.values())
        rows = zip(*columns, strict=True) if columns else iter([()] * len(self))
        return [{**keys, **dict(zip(self.values, row, strict=True))} for keys, row in zip(self.keys, rows, strict=True)]

    def to_numpy(self) -> dict[str, Any]:
        """`view:feature` → masked array, masked unless PRESENT; other than numbers and bool as objects.

        A mask, because NaN is a value of its own here.
        """
        import numpy as np  # noqa: PLC0415 - an optional package, needed here only

        arrays = {}
        for name, column in self.values.items():
            dtype = _NUMPY.get(self.types[name].kind, "object")
            filled = np.empty(len(self), dtype=dtype)
            mask = np.array([value is None for value in column], dtype=bool)
            for place, value in enumerate(column):
                if value is not None:
                    filled[place] = value
                elif dtype != "object":
                    filled[place] = 0
            arrays[name] = np.ma.masked_array(filled, mask=mask)
        return arrays

    def to_arrow(self) -> Any:
        """A pyarrow table of the declared types, one column per feature; null unless PRESENT."""
        import pyarrow as pa  # noqa: PLC0415 - an optional package, needed here only

        return pa.table(
            {name: pa.array(column, type=_arrow_type(pa, self.types[name])) for name, column in self.values.items()}
        )


def feature_batch(question: Question, answers: Sequence[Sequence[Answer]]) -> FeatureBatch:
    """Turn the answers per view into columns."""
    values: dict[str, Sequence[object]] = dict.fromkeys(question.plan.references, ())
    status: dict[str, Sequence[Status]] = dict.fromkeys(question.plan.references, ())
    event_time: dict[str, Sequence[datetime | None]] = {}
    age: dict[str, Sequence[timedelta | None]] = {}
    generation: dict[str, int | None] = {}
    for view, pointer, column in zip(question.plan.views, question.pointers, answers, strict=True):
        if column:
            values.update(zip(view.references, zip(*[answer.values for answer in column], strict=True), strict=True))
            status.update(zip(view.references, _status_columns(column), strict=True))
        name = view.view.name
        event_time[name] = tuple([answer.event_time for answer in column])
        age[name] = tuple([answer.age for answer in column])
        generation[name] = None if pointer is None else pointer.generation
    moment = question.moment
    return FeatureBatch(
        keys=question.keys,
        values=values,
        status=status,
        event_time=event_time,
        age=age,
        generation=generation,
        revision=None if moment.revision is None else moment.revision.number,
        at=from_us(moment.now_us),
        unconfirmed=not moment.is_confirmed,
        types=question.plan.types,
    )


def _status_columns(answers: Sequence[Answer]) -> Iterable[Sequence[Status]]:
    first = answers[0].status
    if all(answer.status is first for answer in answers):
        return [(each,) * len(answers) for each in first]
    return zip(*[answer.status for answer in answers], strict=True)


def _arrow_type(pa: Any, dtype: DType) -> Any:
    if dtype.kind == "decimal":
        return pa.decimal128(dtype.precision, dtype.scale)
    if dtype.kind == "vector":
        return pa.list_(pa.float32(), dtype.length)
    if dtype.element is not None:
        return pa.list_(_arrow_type(pa, dtype.element))
    names = {"bool": pa.bool_(), "bytes": pa.binary(), "date": pa.date32(), "timestamp": pa.timestamp("us", tz="UTC")}
    return names.get(dtype.kind) or getattr(pa, dtype.kind)()
