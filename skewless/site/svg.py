"""Small charts as inline SVG: made here, no script, each with a text alternative."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from markupsafe import Markup, escape

WIDTH, HEIGHT, PAD = 120, 24, 3


def sparkline(values: Sequence[float], *, label: str) -> Markup:
    """A line of 120 × 24 with a dot on the last point; nothing when fewer than two values are known."""
    known = [value for value in values if isfinite(value)]
    if len(known) < 2:
        return Markup("")
    low, high = min(known), max(known)
    points = [(_x(at, len(known)), _y(value, low, high)) for at, value in enumerate(known)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    body = f'<polyline class="line" points="{path}"/><circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>'
    return _framed(body, label, WIDTH, HEIGHT)


def histogram(now: Sequence[float], baseline: Sequence[float], *, label: str) -> Markup:
    """Bars for now and an outline for the baseline, each scaled to a sum of 1, in the same bins."""
    bars, outline = _shares(now), _shares(baseline)
    if not bars:
        return Markup("")
    top = max([*bars, *outline]) or 1.0
    width = (WIDTH - 2 * PAD) / len(bars)
    body = "".join(
        f'<rect class="bar" x="{PAD + at * width:.1f}" y="{_bar_y(share, top):.1f}" '
        f'width="{max(width - 1, 0.5):.1f}" height="{HEIGHT - PAD - _bar_y(share, top):.1f}"/>'
        for at, share in enumerate(bars)
    )
    if len(outline) == len(bars):
        body += f'<path class="baseline" d="{_steps(outline, top, width)}"/>'
    return _framed(body, label, WIDTH, HEIGHT)


def age_bars(counts: Sequence[int], to_ttl: int | None, *, label: str) -> Markup:
    """Bars of ages, youngest first; what is too old is drawn apart, behind a mark at the ttl."""
    shares = _shares(counts)
    if not shares:
        return Markup("")
    width, height, foot = 320, 72, 4
    top, step = max(shares), (width - 2 * PAD) / len(shares)
    body = ""
    for at, share in enumerate(shares):
        tall = share / top * (height - foot - PAD)
        kind = "bar" if to_ttl is None or at < to_ttl else "bar old"
        body += (
            f'<rect class="{kind}" x="{PAD + at * step:.1f}" y="{height - foot - tall:.1f}" '
            f'width="{step - 1:.1f}" height="{tall:.1f}"/>'
        )
    body += f'<path class="axis" d="M{PAD} {height - foot}H{width - PAD}"/>'
    if to_ttl is not None:
        body += f'<path class="mark" d="M{PAD + to_ttl * step - 0.5:.1f} 0V{height}"/>'
    return _framed(body, label, width, height)


def staircase(values: Sequence[int], *, label: str) -> Markup:
    """The generation that readers used, revision by revision: a step down is a rollback."""
    if len(values) < 2:
        return Markup("")
    ranks = {value: rank for rank, value in enumerate(sorted(set(values)))}
    width, height = 480, 64
    step = (width - 2 * PAD) / len(values)
    rise = (height - 4 * PAD) / max(len(ranks) - 1, 1)
    path = ""
    for at, value in enumerate(values):
        y = height - 2 * PAD - ranks[value] * rise
        path += f"{'M' if not path else 'L'}{PAD + at * step:.1f} {y:.1f}H{PAD + (at + 1) * step:.1f}"
    return _framed(f'<path class="line" d="{path}"/>', label, width, height)


def _framed(body: str, label: str, width: int, height: int) -> Markup:
    text = escape(label)
    head = f'<svg class="chart" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"'
    return Markup(f'{head} aria-label="{text}"><title>{text}</title>{body}</svg>')  # noqa: S704 - numbers, escaped label


def _x(at: int, count: int) -> float:
    return PAD + at * (WIDTH - 2 * PAD) / (count - 1)


def _y(value: float, low: float, high: float) -> float:
    middle = HEIGHT / 2
    return middle if high == low else HEIGHT - PAD - (value - low) / (high - low) * (HEIGHT - 2 * PAD)


def _shares(weights: Sequence[float]) -> list[float]:
    known = [weight if isfinite(weight) and weight > 0 else 0.0 for weight in weights]
    total = sum(known)
    return [weight / total for weight in known] if total else []


def _bar_y(share: float, top: float) -> float:
    return HEIGHT - PAD - share / top * (HEIGHT - 2 * PAD)


def _steps(shares: Sequence[float], top: float, width: float) -> str:
    parts = [f"M{PAD} {HEIGHT - PAD}"]
    parts += [f"V{_bar_y(share, top):.1f}H{PAD + (at + 1) * width:.1f}" for at, share in enumerate(shares)]
    return "".join([*parts, f"V{HEIGHT - PAD}"])
