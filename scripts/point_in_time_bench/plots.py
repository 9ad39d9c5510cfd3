"""Plots of the figures as SVG: no script, readable on light and dark, each with its figures as text; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import floor as rounded_down
from math import log10
from typing import Any

Figures = Mapping[str, Any]

_STYLE = """
.back{fill:#fff}.beside{paint-order:stroke;stroke:#fff;stroke-width:5px}.text{fill:#1c1c1c}.soft{fill:#5b5b5b}.grid{stroke:#d9d9d9}.floor{stroke:#1c1c1c}
.c0{--c:#0b62b8}.c1{--c:#b34700}.c2{--c:#0a7d4f}.c3{--c:#8a3fa0}.c4{--c:#9c1f3c}.c5{--c:#6b6100}.c6{--c:#3d5a80}.none{--c:#1c1c1c}
@media (prefers-color-scheme:dark){
.back{fill:#15181c}.beside{stroke:#15181c}.text{fill:#f0f0f0}.soft{fill:#b4b8bd}.grid{stroke:#3a4048}.floor{stroke:#f0f0f0}
.c0{--c:#6cb6ff}.c1{--c:#ffa657}.c2{--c:#4fd08f}.c3{--c:#d2a8ff}.c4{--c:#ff8aa0}.c5{--c:#e3d24a}.c6{--c:#a9c4e0}.none{--c:#f0f0f0}}
text{font:13px system-ui,sans-serif}.title{font-weight:600;font-size:15px}
.bar{fill:var(--c)}.line{stroke:var(--c);fill:none;stroke-width:2}.dot{fill:var(--c)}.named{fill:var(--c)}
.grid{stroke-width:1}.floor{stroke-width:1.5;stroke-dasharray:4 3}
"""
#: A method has one colour in all plots.
_COLOURS = ("bucket", "window", "as_served_bucket", "as_served_window", "feast", "polars", "duckdb")
_WIDTH, _LEFT, _RIGHT = 720, 160, 130
_ROW, _HEAD = 26, 56


@dataclass(frozen=True)
class Axis:
    """From numbers to places on the page.

    Attributes:
        least: The number at the begin.
        most: The number at the end.
        begin: A place.
        end: A place.
        is_log: Equal ratios are equally far apart.
    """

    least: float
    most: float
    begin: float
    end: float
    is_log: bool = False

    def at(self, number: float) -> float:
        """Where a number is."""
        place = (self._of(number) - self._of(self.least)) / ((self._of(self.most) - self._of(self.least)) or 1.0)
        return self.begin + place * (self.end - self.begin)

    def _of(self, number: float) -> float:
        return log10(number) if self.is_log else number


def bars(name: str, case: Figures) -> str:
    """How long every method of a case took, as a ratio to the floor."""
    methods = {method: told for method, told in case.items() if isinstance(told, Mapping)}
    ratios = {method: float(told["ratio"]) for method, told in methods.items() if "ratio" in told}
    height = _HEAD + _ROW * len(methods) + 30
    axis = Axis(0.0, max([1.0, *ratios.values()]), _LEFT, _WIDTH - _RIGHT)
    title = f"{name}: time over the floor"
    one = axis.at(1.0)
    body = [
        f'<line class="floor" x1="{one:.1f}" x2="{one:.1f}" y1="{_HEAD - 8}" y2="{height - 26}"/>',
        _text(one, height - 10, f"floor = 1 ({case['floor_s']} s)", "soft", anchor="middle"),
    ]
    for place, (method, told) in enumerate(methods.items()):
        y = _HEAD + _ROW * place
        body.append(_text(_LEFT - 8, y + 14, _words(method), "text", anchor="end"))
        if method not in ratios:
            body.append(_text(_LEFT + 4, y + 14, _reason(told), "soft beside"))
            continue
        width = max(axis.at(ratios[method]) - _LEFT, 1.0)
        body.append(f'<rect class="bar {_colour(method)}" x="{_LEFT}" y="{y}" width="{width:.1f}" height="18" rx="2"/>')
        label = f"{ratios[method]:.2f} · {told['s']} s"
        body.append(_text(_LEFT + width + 6, y + 14, label, "text beside"))
    return _page(title, _told(methods), body, height)


def lines(title: str, growth: Mapping[str, Figures], *, across: str) -> str:
    """How the seconds of every method grow; both axes by ratio.

    Args:
        title: Of the plot.
        growth: Size → the figures of a case.
        across: What the sizes are.
    """
    sizes = [int(size) for size in growth]
    of_method = _series(growth)
    seconds = [second for points in of_method.values() for _, second in points]
    height = 420
    x = Axis(min(sizes), max(sizes), 70, _WIDTH - 170, is_log=True)
    y = Axis(min(seconds), max(seconds), height - 50, _HEAD, is_log=True)
    body = [
        *(_tick_of_size(size, x, height) for size in sizes),
        *(_tick_of_time(mark, y, _WIDTH - 170) for mark in _marks(min(seconds), max(seconds))),
        _text((70 + _WIDTH - 170) / 2, height - 10, across, "soft", anchor="middle"),
        _text(62, _HEAD - 8, "seconds", "soft", anchor="end"),
    ]
    names = _apart({method: y.at(points[-1][1]) for method, points in of_method.items()})
    for method, points in of_method.items():
        places = [(x.at(size), y.at(second)) for size, second in points]
        path = " ".join(f"{left:.1f},{top:.1f}" for left, top in places)
        body.append(f'<polyline class="line {_colour(method)}" points="{path}"/>')
        body += [
            f'<circle class="dot {_colour(method)}" cx="{left:.1f}" cy="{top:.1f}" r="3"/>' for left, top in places
        ]
        body.append(_text(_WIDTH - 160, names[method] + 4, _words(method), f"named {_colour(method)}"))
    told = "; ".join(
        f"{_words(method)}: " + ", ".join(f"{size:,} → {second} s" for size, second in points)
        for method, points in of_method.items()
    )
    return _page(title, told, body, height)


def _series(growth: Mapping[str, Figures]) -> dict[str, list[tuple[int, float]]]:
    """Method → (size, seconds), the floor among them; a method without any time is left out."""
    found: dict[str, list[tuple[int, float]]] = {}
    for size, case in growth.items():
        found.setdefault("floor", []).append((int(size), float(case["floor_s"])))
        for method, told in case.items():
            if isinstance(told, Mapping) and "s" in told:
                found.setdefault(method, []).append((int(size), float(told["s"])))
    # nothing is left of a time below a hundredth of a second after rounding
    return {method: [(size, max(second, 0.01)) for size, second in points] for method, points in found.items()}


def _apart(wanted: Mapping[str, float]) -> dict[str, float]:
    """Where names can stand without lying on each other, close to where they belong."""
    found: dict[str, float] = {}
    last = -1000.0
    for name, place in sorted(wanted.items(), key=lambda pair: pair[1]):
        last = max(place, last + 16)
        found[name] = last
    below = max(found.values(), default=0.0) - max(wanted.values(), default=0.0)
    return {name: place - below / 2 for name, place in found.items()}


def _marks(least: float, most: float) -> list[float]:
    """1, 2 and 5 of every power of ten between two numbers."""
    powers = range(rounded_down(log10(least)), rounded_down(log10(most)) + 1)
    return [step * 10.0**power for power in powers for step in (1, 2, 5) if least <= step * 10.0**power <= most]


def _tick_of_size(size: int, axis: Axis, height: int) -> str:
    left = axis.at(size)
    line = f'<line class="grid" x1="{left:.1f}" x2="{left:.1f}" y1="{_HEAD}" y2="{height - 50}"/>'
    return line + _text(left, height - 32, _short(size), "soft", anchor="middle")


def _tick_of_time(mark: float, axis: Axis, right: int) -> str:
    top = axis.at(mark)
    line = f'<line class="grid" x1="70" x2="{right}" y1="{top:.1f}" y2="{top:.1f}"/>'
    return line + _text(62, top + 4, f"{mark:g}", "soft", anchor="end")


def _short(size: int) -> str:
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if size >= unit:
            return f"{size / unit:g} {name}"
    return str(size)


def _words(method: str) -> str:
    return {"feast_sql_shape": "shape of feast's SQL", "duckdb": "DuckDB", "polars": "Polars", "feast": "Feast"}.get(
        method, method.replace("as_served_", "as served, ")
    )


def _reason(told: Figures) -> str:
    return str(told.get("void", "")).split(":")[0][:60]


def _colour(method: str) -> str:
    return f"c{_COLOURS.index(method)}" if method in _COLOURS else "none"


def _told(methods: Mapping[str, Figures]) -> str:
    return "; ".join(
        f"{_words(method)}: " + (f"{told['ratio']} times, {told['s']} s" if "ratio" in told else _reason(told))
        for method, told in methods.items()
    )


def _text(x: float, y: float, text: str, kind: str, *, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _page(title: str, told: str, body: Sequence[str], height: int) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        'role="img" aria-labelledby="title told">'
    )
    alternative = f'<title id="title">{escape(title)}</title><desc id="told">{escape(told)}</desc>'
    back = f'<rect class="back" width="{_WIDTH}" height="{height}" rx="6"/>'
    named = _text(16, 28, title, "text title")
    return "\n".join([head, alternative, f"<style>{_STYLE}</style>", back, named, *body, "</svg>"]) + "\n"
