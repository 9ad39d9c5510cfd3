"""Views of 200 doubles, a column each against all of a row in one: pushes, reads, and bytes on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter, sleep
from typing import get_args

from online_bench.lab import EVENT_US, KEYSPACE, PROJECT, Lab, Rows, bytes_of
from online_bench.reads import Figures, percentiles
from skewless.core.dtypes import Float64, Int64
from skewless.core.layout import OnlineLayout
from skewless.core.serving import ServedView, ServingManifest
from skewless.core.timeline import Pointer, Revision
from skewless.online import OnlineClient, TimelineStore
from skewless.online.rows import RowBatch
from skewless.online.schema import ensure_view_table
from skewless.online.writer import write_rows

FEATURES = tuple(f"f{number:03}" for number in range(200))
LAYOUTS: tuple[OnlineLayout, ...] = get_args(OnlineLayout)
_GENERATION = 1
_BATCH = 500
#: After the pushes of a round.
_PAUSE_S = 2.0
#: Keys per call → calls a round.
_READS = {1: 200, 100: 30}


def wide(lab: Lab, *, rows: int, rounds: int) -> Figures:
    """Every layout in each round, in turns; medians, of rounds after one that warms up.

    Args:
        lab: The measured store, to which two views and services are added.
        rows: Of each view, and of each push.
        rounds: How many count.
    """
    read, pushed = ({one: _view(f"{name}_{one}", one, lab) for one in LAYOUTS} for name in ("wide", "wide_push"))
    written = list(_batches(range(rows), _GENERATION))
    for view in read.values():
        _push(lab, view, _GENERATION, written)
    _published(lab, read)
    rates: dict[str, list[float]] = {one: [] for one in LAYOUTS}
    seconds: dict[tuple[str, int], list[float]] = {(one, size): [] for one in LAYOUTS for size in _READS}
    rng = Random(7)
    with lab.client() as client:
        for number in range(rounds + 1):
            # reads first: what a push leaves to do would be paid by the layout that is read right after it
            for layout, size in rng.sample(list(seconds), len(seconds)):
                told = _read(client, f"wide_{layout}", size, rng=rng, rows=rows)
                seconds[layout, size] += told if number else []
            batches = list(_batches(range(rows), number + 2))
            for layout in rng.sample(LAYOUTS, len(LAYOUTS)):
                took = _push(lab, pushed[layout], number + 2, batches)
                rates[layout] += [rows / took] if number else []
            sleep(_PAUSE_S)
    return {
        layout: {
            "push_rows_per_second": round(median(rates[layout])),
            **{f"get{size}": percentiles(seconds[layout, size]) for size in _READS},
        }
        for layout in LAYOUTS
    }


def bytes_per_wide_row(folder: Path, rows: int) -> Figures:
    """What a row takes on the disk of a node that has ended, all files of a table counted."""
    return {layout: round(bytes_of(folder, f"wide_{layout}__*") / rows, 1) for layout in LAYOUTS}


def _values(key: int, generation: int) -> list[float]:
    """As features are whose digits nobody can guess: they do not compress."""
    rng = Random(key * 1_000 + generation)
    return [rng.random() for _ in FEATURES]


def _batches(keys: Sequence[int], generation: int) -> Iterator[RowBatch]:
    for first in range(0, len(keys), _BATCH):
        some = keys[first : first + _BATCH]
        columns = zip(*(_values(key, generation) for key in some), strict=True)
        yield Rows(
            {
                "user_id": list(some),
                "event_us": [EVENT_US] * len(some),
                "_state": [""] * len(some),
                **{name: list(column) for name, column in zip(FEATURES, columns, strict=True)},
            }
        )


def _view(name: str, layout: OnlineLayout, lab: Lab) -> ServedView:
    view = ServedView(
        name=name,
        version=1,
        table=f"{name}__v1_00000000",
        keys={"user_id": Int64},
        features=dict.fromkeys(FEATURES, Float64),
        ttl=None,
        schedule=None,
        fingerprint="bench",
        layout=layout,
    )
    ensure_view_table(lab.session, KEYSPACE, view)
    return view


def _published(lab: Lab, views: dict[OnlineLayout, ServedView]) -> None:
    timeline = TimelineStore(lab.session, KEYSPACE, PROJECT)
    for view in views.values():
        pairs = tuple((view.name, feature) for feature in view.features)
        timeline.write_serving(ServingManifest(PROJECT, view.name, f"contract_{view.name}", pairs, (view,)))
    head = timeline.read()
    if head is None:
        raise AssertionError("the laboratory publishes a revision of its own first")
    pointers = {view.reference: Pointer(view.table, _GENERATION, EVENT_US) for view in views.values()}
    before = head.current
    revision = Revision(before.number + 1, before.visible_from_us + 1, {**before.views, **pointers})
    timeline.publish(revision, expected=before.number)


def _push(lab: Lab, view: ServedView, generation: int, batches: Sequence[RowBatch]) -> float:
    begun = perf_counter()
    for _ in write_rows(lab.target, view, generation, batches):
        pass
    return perf_counter() - begun


def _read(client: OnlineClient, service: str, size: int, *, rng: Random, rows: int) -> list[float]:
    """Seconds of each call; the first, which does not count, must give exactly what was written."""
    first, *keys = ([rng.randrange(rows) for _ in range(size)] for _ in range(_READS[size] + 1))
    ask: Callable[[list[int]], object] = (
        (lambda some: client.get(service, {"user_id": some[0]}))
        if size == 1
        else (lambda some: client.get_many(service, [{"user_id": key} for key in some]))
    )
    told = client.get_many(service, [{"user_id": key} for key in first])
    if [list(vector.values.values()) for vector in told] != [_values(key, _GENERATION) for key in first]:
        raise AssertionError(f"{service} gave other values than were written")
    found = []
    for some in keys:
        begun = perf_counter()
        ask(some)
        found.append(perf_counter() - begun)
    return found
