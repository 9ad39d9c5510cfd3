"""Numbers and findings as people read them."""

from __future__ import annotations

import re
from math import isfinite

from skewless.site.model import ReportModel, ViewReport

DASH = "–"
#: Characters that draw nothing or turn the text around: shown by their number, so that no name can pose as another.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def visible(value: object) -> object:
    """Text with its unseen characters spelled out (`⟨U+202E⟩`); anything but plain text as it is."""
    return _UNSEEN.sub(lambda found: f"⟨U+{ord(found.group()):04X}⟩", value) if type(value) is str else value


def number(value: float | None) -> str:
    """`1,469,307`, `12.35`, `1.2e+20`; a dash when it is not known."""
    if value is None:
        return DASH
    if isinstance(value, int):
        return f"{value:,}"
    if not isfinite(value):
        return str(value)
    return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.3g}"


def share(value: float | None) -> str:
    """`7.1 %`; never rounded to 0 % or 100 % when it is neither."""
    if value is None:
        return DASH
    if not isfinite(value):
        return str(value)
    if 0 < value < 0.0005:
        return "< 0.1 %"
    return "> 99.9 %" if 0.9995 < value < 1 else f"{value * 100:.1f} %".replace(".0 %", " %")


def change(value: float | None) -> str:
    """`+3.2 %`, `±0 %`; empty when it is not known."""
    if value is None:
        return ""
    return "±0 %" if abs(value) < 0.0005 else f"{value * 100:+.1f} %".replace("-", "−")


def any_value(value: float | str | None) -> str:
    """A minimum or maximum, which may be a number or text."""
    return value if isinstance(value, str) else number(value)


def headline(model: ReportModel) -> str:
    """The state of everything in one sentence."""
    total = len(model.views)
    fine, waiting = (sum(view.state == state for view in model.views) for state in ("good", "new"))
    if not total:
        return "No view is registered yet."
    if waiting == total:
        return f"{_views(total)} waiting for a first run."
    tail = f" {_views(waiting)} waiting for a first run." if waiting else ""
    if fine + waiting < total:
        return f"{fine} of {total} views {'is' if fine == 1 else 'are'} fine.{tail}"
    return (f"All {fine} published views are fine." if fine > 1 else "The published view is fine.") + tail


def reason(view: ViewReport) -> str:
    """Why a view is in its state, when nobody wrote a sentence."""
    if view.sentence:
        return view.sentence
    failed = [check for check in view.checks if check.state == "failed"]
    if failed:
        return f"{len(failed)} of {len(view.judged)} checks failed: {failed[0].expected}."
    if view.state == "new":
        return "No generation of this view was published yet."
    return "Everything was as expected." if view.state == "good" else ""


def _views(count: int) -> str:
    return "1 view is" if count == 1 else f"{count} views are"
