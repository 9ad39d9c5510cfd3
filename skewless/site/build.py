"""Builds the report: every page and its numbers into a temporary folder, then into place, the front page last."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from skewless.core.names import PATTERN
from skewless.site import phrases, svg
from skewless.site.model import STATES, ReportModel, ViewReport
from skewless.site.records import to_plain

_TEMPLATES = Path(__file__).with_name("templates")
_SHOWN_GENERATIONS = 30


def build_report(model: ReportModel, out: Path) -> Path:
    """Write the report's pages.

    A reader who has the folder open never meets a front page that leads to a page not there yet. Pages of views that
    are gone are removed at the end.

    Args:
        model: What to show.
        out: The folder; made when missing.

    Returns:
        The path of `index.html`.
    """
    out.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".building-", dir=out))
    try:
        for place, text in _pages(model.without_private_values).items():
            target = staging / place
            target.parent.mkdir(exist_ok=True)
            target.write_text(text, encoding="utf-8")
        _move_into_place(staging, out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return out / "index.html"


def page_name(view: str) -> str:
    """A view's file name without its ending; names off the pattern of legal names are hashed."""
    return view if PATTERN.fullmatch(view) else "view-" + hashlib.sha256(view.encode()).hexdigest()[:12]


def _pages(model: ReportModel) -> dict[str, str]:
    """Every file's text by its place in the folder; the front page is the last one."""
    templates = environment()
    page = templates.get_template("view.html")
    files: dict[str, str] = {}
    for view in model.views:
        name = f"view/{page_name(view.name)}"
        shown = {"view": view, "model": model, "root": "../", "json_name": f"{page_name(view.name)}.json"}
        files[f"{name}.html"] = page.render(shown)
        files[f"{name}.json"] = _json(view)
    files["index.json"] = _json(model)
    files["index.html"] = templates.get_template("index.html").render(model=model, root="", json_name="index.json")
    return files


def environment() -> Environment:
    """The templates, with what all of them use."""
    css = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    found = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=phrases.visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "number": phrases.number,
        "share": phrases.share,
        "change": phrases.change,
        "any_value": phrases.any_value,
    }
    found.globals |= _names(css, digest)
    return found


def _names(css: str, digest: str) -> Mapping[str, Any]:
    return {
        "css": Markup(css),  # noqa: S704 - our own file
        "csp": f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        "states": STATES,
        "headline": phrases.headline,
        "reason": phrases.reason,
        "page_name": page_name,
        "sparkline": svg.sparkline,
        "histogram": svg.histogram,
        "staircase": svg.staircase,
        "row_counts": _row_counts,
        "shown_generations": _SHOWN_GENERATIONS,
    }


def _row_counts(view: ViewReport) -> list[int]:
    """Rows of the last generations, oldest first."""
    counts = [one.rows for one in view.generations[:_SHOWN_GENERATIONS] if one.rows is not None]
    return counts[::-1]


def _json(value: ReportModel | ViewReport) -> str:
    return json.dumps(to_plain(value), indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _move_into_place(staging: Path, out: Path) -> None:
    (out / "view").mkdir(exist_ok=True)
    made = sorted(path for path in staging.rglob("*") if path.is_file() and path.parent != staging)
    for path in [*made, staging / "index.json", staging / "index.html"]:
        path.replace(out / path.relative_to(staging))
    kept = {path.name for path in made}
    for path in (out / "view").iterdir():
        if path.suffix in {".html", ".json"} and path.name not in kept:
            path.unlink()
