from __future__ import annotations

import base64
import hashlib
import json
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from skewless.errors import UsageError
from skewless.site import (
    CheckRow,
    FeatureRow,
    GenerationRow,
    Histogram,
    Parity,
    ReportModel,
    RevisionRow,
    ViewReport,
    build_report,
    check_rows,
)
from skewless.site.phrases import change, headline, number, share
from skewless.site.svg import histogram, sparkline, staircase

SPEND = FeatureRow(
    name="spend_7d",
    dtype="float64",
    null_rate=0.071,
    minimum=0.0,
    maximum=float("inf"),
    null_history=(0.05, 0.071),
    histogram=Histogram(edges=(0, 10, 20), now=(3, 1), baseline=(1, 1)),
)
MAIL = FeatureRow(name="mail", dtype="string", tags=("pii",), minimum="ann@x.org", maximum="zoe@x.org", mean=4.25)
CHECK = CheckRow(
    name="spend_7d.values_to_be_between", expected="spend_7d must be >= 0", state="failed", samples=("-5.0",)
)


def view(name: str = "household_spend", state: str = "good", **more: Any) -> ViewReport:
    return ViewReport(name=name, state=state, **more)


def report(*views: ViewReport, **more: Any) -> ReportModel:
    return ReportModel(project="demo", built_at="2017-10-23 06:05 UTC", views=views, **more)


def page(tmp_path: Path, one: ViewReport) -> str:
    build_report(report(one), tmp_path)
    return (tmp_path / "view" / f"{one.name}.html").read_text()


def test_report_pages_and_their_numbers_lie_side_by_side(tmp_path: Path) -> None:
    index = build_report(report(view(features=(SPEND,))), tmp_path)
    assert index == tmp_path / "index.html"
    places = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert places == ["index.html", "index.json", "view/household_spend.html", "view/household_spend.json"]
    assert json.loads((tmp_path / "view/household_spend.json").read_text())["features"][0]["null_rate"] == 0.071


def test_report_model_survives_its_json() -> None:
    full = view(
        features=(SPEND, MAIL),
        checks=(CHECK,),
        facts=(("TTL", "14 d"),),
        generations=(GenerationRow(number=7, state="published", rows=3),),
        revisions=(RevisionRow(number=1, visible_from="now", generation=7),),
        parity=Parity(sample=10, mismatches=0),
    )
    finite = report(full, revision=1).without_private_values
    stored = json.loads(json.dumps(finite.to_json(), allow_nan=False))
    again = ReportModel.from_json(stored)
    assert again.views[0].features[0].maximum == "inf"
    assert ReportModel.from_json(again.to_json()) == again
    assert again.views[0].checks == full.checks
    assert again.views[0].parity == full.parity


def test_report_json_of_a_newer_writer_is_read(tmp_path: Path) -> None:
    stored = report(view()).to_json() | {"invented_later": 1}
    assert ReportModel.from_json(stored) == report(view())


def test_report_most_troubled_view_comes_first() -> None:
    model = report(view("a"), view("b", "new"), view("c", "warn"), view("d", "refused"), view("e", "stale"))
    assert [one.name for one in model.by_trouble] == ["d", "e", "c", "b", "a"]
    assert headline(model) == "1 of 5 views is fine. 1 view is waiting for a first run."


def test_report_without_views_says_what_to_do(tmp_path: Path) -> None:
    text = build_report(report(), tmp_path).read_text()
    assert "No view is registered yet." in text
    assert "skewless apply" in text


def test_report_new_view_has_designed_empty_states(tmp_path: Path) -> None:
    text = page(tmp_path, view(state="new"))
    assert "No generation was judged yet" in text
    assert "No generation yet" in text
    assert "No parity certificate yet" in text


def test_report_unknown_state_is_refused() -> None:
    with pytest.raises(UsageError, match="'fine', which no page knows"):
        view(state="fine")


def test_report_private_values_are_on_no_page_and_in_no_json(tmp_path: Path) -> None:
    build_report(report(view(features=(MAIL,))), tmp_path)
    for path in tmp_path.rglob("*.*"):
        assert "ann@x.org" not in path.read_text()
        assert "4.25" not in path.read_text()


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_report_hostile_names_stay_text_and_inside_the_folder(tmp_path: Path) -> None:
    evil = '../../x<script>alert(1)</script>"\' onmouseover="alert(1)\u202e'
    build_report(report(view(evil, owner=evil, features=(FeatureRow(name=evil, dtype=evil),))), tmp_path / "site")
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
    for path in (tmp_path / "site").rglob("*.html"):
        parser = _Tags()
        parser.feed(path.read_text())
        assert "script" not in {tag for tag, _ in parser.found}
        assert not [name for _, attributes in parser.found for name in attributes if name.startswith("on")]
        assert "⟨U+202E⟩" in path.read_text()
        assert "\u202e" not in path.read_text()


def test_report_policy_allows_its_own_style_and_nothing_else(tmp_path: Path) -> None:
    text = unescape(page(tmp_path, view(features=(SPEND,))))
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in text
    assert " style=" not in text
    assert "http://" not in text
    assert "https://" not in text


def test_report_page_of_many_generations_stays_small(tmp_path: Path) -> None:
    many = tuple(GenerationRow(number=at, state="published", rows=at, run_id="r" * 36) for at in range(2000, 0, -1))
    features = tuple(FeatureRow(name=f"f{at}", dtype="float64", null_history=(0.1,) * 30) for at in range(60))
    text = page(tmp_path, view(generations=many, features=features))
    assert len(text.encode()) < 300_000
    assert "1970 older generations are in the JSON" in text


def test_report_built_again_removes_pages_of_views_that_are_gone(tmp_path: Path) -> None:
    build_report(report(view("a"), view("b")), tmp_path)
    build_report(report(view("b")), tmp_path)
    assert sorted(path.name for path in (tmp_path / "view").iterdir()) == ["b.html", "b.json"]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".building")]


def test_report_that_fails_half_way_leaves_the_old_one(tmp_path: Path) -> None:
    index = build_report(report(view("a")), tmp_path)
    before = index.read_text()
    broken = view("b", features=(FeatureRow(name="x", dtype="y", null_rate="much"),))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        build_report(report(broken), tmp_path)
    assert index.read_text() == before
    assert [path.name for path in (tmp_path / "view").iterdir() if path.suffix == ".html"] == ["a.html"]


def test_check_rows_of_a_verdict_put_failures_first() -> None:
    common = {"severity": "critical", "scope": "changed"}
    verdict = {
        "results": [
            {"name": "a", "passed": True, **common},
            {"name": "b", "passed": False, "judged": False, **common},
            {"name": "c", "passed": False, "unexpected_count": 12, "unexpected_share": 0.0048, **common},
            {"name": "d", "passed": False, "accepted_because": "why", "observed": 7, **common},
        ]
    }
    assert [(row.name, row.state, row.seen) for row in check_rows(verdict)] == [
        ("c", "failed", "12 rows break it (0.48%)"),
        ("d", "accepted", "7"),
        ("b", "idle", ""),
        ("a", "passed", "as expected"),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0 %"), (0.0001, "< 0.1 %"), (0.071, "7.1 %"), (0.9999, "> 99.9 %"), (1.0, "100 %")],
)
def test_share_is_never_rounded_to_all_or_nothing(value: float | None, text: str) -> None:
    assert share(value) == text


def test_numbers_read_well() -> None:
    assert [number(value) for value in (None, 1469307, 62.117, 1843.27, 12345.6, 1e20, float("nan"))] == [
        "–",
        "1,469,307",
        "62.12",
        "1,843",
        "12,346",
        "1e+20",
        "nan",
    ]
    assert [change(value) for value in (None, 0.0, 0.032, -0.2)] == ["", "±0 %", "+3.2 %", "−20.0 %"]


def test_charts_have_a_text_alternative_and_skip_what_is_not_a_number() -> None:
    drawn = sparkline([1.0, float("nan"), 2.0], label='rows "now" <b>')
    assert 'aria-label="rows &#34;now&#34; &lt;b&gt;"' in drawn
    assert "nan" not in drawn.replace("rows", "")
    assert sparkline([1.0], label="x") == ""
    assert histogram([], [], label="x") == ""
    assert histogram([0.0], [1.0], label="x") == ""
    assert 'class="baseline"' in histogram([1, 2], [2, 1], label="x")
    assert 'class="baseline"' not in histogram([1, 2], [1], label="x")


def test_staircase_goes_down_at_a_rollback() -> None:
    up, down = staircase([1, 2], label="x"), staircase([2, 1], label="x")
    heights = [[float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", chart)] for chart in (up, down)]
    assert heights[0][0] > heights[0][1]
    assert heights[1][0] < heights[1][1]
