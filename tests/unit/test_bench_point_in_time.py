"""What the bench of point-in-time joins says of its times: figures, and plots of them."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from point_in_time_bench.figures import Measured, differing, sizes
from point_in_time_bench.plots import bars, lines

SVG = "{http://www.w3.org/2000/svg}"
GROUPS = {"window": "event_time", "bucket": "event_time", "as_served_window": "as_served_", "polars": "event_time"}
CASE = {
    "floor_s": 4.0,
    "floor_mb": 100,
    "window": {"s": 5.0, "ratio": 1.25, "mb": 100},
    "feast": {"void": "not finished after 120 s"},
    "polars": {"s": 1.0, "ratio": 0.25, "mb": 50},
}


@dataclass
class Drawing:
    """One plot, read back."""

    svg: str
    root: ET.Element = field(init=False)

    def __post_init__(self) -> None:
        self.root = ET.fromstring(self.svg)  # noqa: S314 - made a line above

    def texts(self) -> list[str]:
        return [one.text or "" for one in self.root.iter(f"{SVG}text")]

    def alternative(self) -> str:
        return self.root.findtext(f"{SVG}desc") or ""


def measured(**times: list[float]) -> Measured:
    made = Measured()
    for method, seconds in times.items():
        for place, second in enumerate(seconds):
            made.add(method, second, (place + 1) << 20)
    return made


def test_a_figure_is_the_median_its_ratio_to_the_floors_median_and_the_greatest_memory() -> None:
    made = measured(floor=[4.0, 9.0, 2.0], window=[5.0, 6.0, 100.0])
    assert made.figures(["floor", "window"]) == {
        "floor_s": 4.0,
        "floor_mb": 3,
        "window": {"s": 6.0, "ratio": 1.5, "mb": 3},
    }


def test_an_as_served_join_is_also_told_against_the_same_engines_event_time_join() -> None:
    made = measured(floor=[4.0], window=[5.0], bucket=[2.0], as_served_window=[6.0], as_served_bucket=[3.0])
    told = made.figures(["floor", "window", "bucket", "as_served_window", "as_served_bucket"])
    assert [told[f"as_served_{engine}"]["of_event_time"] for engine in ("window", "bucket")] == [1.2, 1.5]
    assert "of_event_time" not in told["window"]


def test_a_void_method_has_its_reason_and_no_time_even_when_it_was_timed() -> None:
    made = measured(floor=[4.0], window=[5.0], as_served_window=[6.0])
    made.void |= {"window": "its rows differ", "duckdb": "not installed: no network"}
    told = made.figures(["floor", "window", "as_served_window", "duckdb"])
    assert told["window"] == {"void": "its rows differ"}
    assert told["duckdb"] == {"void": "not installed: no network"}
    assert told["as_served_window"] == {"s": 6.0, "ratio": 1.5, "mb": 1}


def test_methods_are_compared_with_the_first_that_answers_the_same() -> None:
    rows = {"window": (7, "1"), "bucket": (7, "1"), "as_served_window": (7, "2"), "polars": (8, "1")}
    assert differing(rows, GROUPS) == {"polars": "its rows differ: (8, '1') instead of (7, '1')"}
    assert differing({**rows, "polars": (7, "1"), "bucket": (7, "3")}, GROUPS).keys() == {"bucket"}


def test_figures_are_json() -> None:
    made = measured(floor=[4.0], window=[5.0])
    made.void["feast"] = "it failed: \N{BULLET} “no”"
    told = made.figures(["floor", "window", "feast"])
    assert json.loads(json.dumps(told)) == told


def test_growth_is_measured_at_1_3_10_and_30_millions() -> None:
    assert sizes(10_000_000) == (1_000_000, 3_000_000, 10_000_000, 30_000_000)


def test_bars_are_as_long_as_their_ratios_with_the_floor_at_one() -> None:
    drawn = Drawing(bars("one_table", CASE))
    widths = [float(one.attrib["width"]) for one in drawn.root.iter(f"{SVG}rect") if "bar" in one.attrib["class"]]
    begin = [float(one.attrib["x"]) for one in drawn.root.iter(f"{SVG}rect") if "bar" in one.attrib["class"]]
    floor = next(float(one.attrib["x1"]) for one in drawn.root.iter(f"{SVG}line"))
    assert len(widths) == 2
    assert widths[0] / widths[1] == pytest.approx(5.0, rel=0.01)
    assert (floor - begin[0]) * 1.25 == pytest.approx(widths[0], rel=0.01)


def test_a_plot_says_in_words_what_it_shows() -> None:
    drawn = Drawing(bars("one_table", CASE))
    assert drawn.root.attrib["role"] == "img"
    assert (
        drawn.alternative() == "window: 1.25 times, 5.0 s; Feast: not finished after 120 s; Polars: 0.25 times, 1.0 s"
    )
    assert "not finished after 120 s" in drawn.texts()
    assert "prefers-color-scheme:dark" in drawn.svg


def test_growth_is_drawn_by_ratio_and_a_method_ends_where_it_has_no_time() -> None:
    growth = {
        "100": CASE,
        "1000": {"floor_s": 40.0, "window": {"s": 50.0, "ratio": 1.25, "mb": 1}, "polars": {"void": "<no> & why"}},
    }
    drawn = Drawing(lines("seconds by rows", growth, across="rows"))
    paths = [one.attrib["points"].split() for one in drawn.root.iter(f"{SVG}polyline")]
    assert [len(points) for points in paths] == [2, 2, 1]
    (floor, window) = ([tuple(map(float, one.split(","))) for one in points] for points in paths[:2])
    assert floor[0][1] - floor[1][1] == pytest.approx(window[0][1] - window[1][1], abs=0.2)
    assert "window: 100 → 5.0 s, 1,000 → 50.0 s" in drawn.alternative()


def test_names_of_lines_that_end_together_do_not_lie_on_each_other() -> None:
    same = {f"method_{place}": {"s": 5.0 + place / 100, "ratio": 1.0, "mb": 1} for place in range(5)}
    growth = {size: {"floor_s": 4.0, **same} for size in ("10", "100")}
    drawn = Drawing(lines("seconds", growth, across="rows"))
    named = sorted(float(one.attrib["y"]) for one in drawn.root.iter(f"{SVG}text") if "named" in one.attrib["class"])
    assert len(named) == 6
    assert min(after - before for before, after in pairwise(named)) >= 15.9
