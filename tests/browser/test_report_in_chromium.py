"""The report in a real browser: nothing is executed, nothing is asked for, nothing is complained about."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from skewless.site import (
    CheckRow,
    FeatureRow,
    GenerationRow,
    Histogram,
    ReportModel,
    RevisionRow,
    ViewReport,
    build_report,
)
from skewless.site.training import page_text
from tests.support.training_pages import hostile

pytestmark = [pytest.mark.browser, pytest.mark.slow]

EVIL = (
    '<script>document.documentElement.dataset.hit="1";console.error("HIT")</script>'
    '<img src="http://evil.example/x.png" onerror="document.documentElement.dataset.hit=\'2\'">'
    "\"'><svg onload=\"document.documentElement.dataset.hit='3'\">\u202egnp.exe"
)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--enable-logging=stderr",
    "--window-size=1280,1000",
)
#: What the browser itself asks for at start; none of it can leave the machine with the rule above.
_OWN = re.compile(r"https?://([a-z0-9-]+\.)*(google|googleapis|gstatic|chromium)\.(com|org)(/|$)")


@dataclass(frozen=True, slots=True)
class Seen:
    dom: str
    console: tuple[str, ...]
    requests: tuple[str, ...]


def browse(page: Path, scratch: Path) -> Seen:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.fail("No Chromium on this machine, so the report cannot be looked at. `apt-get install -y chromium`.")
    log, profile = scratch / "net.json", scratch / "profile"
    command = [browser, *FLAGS, f"--user-data-dir={profile}", f"--log-net-log={log}", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    console = tuple(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    urls = set(re.findall(r'"url":"((?:https?|wss?|ftp)://[^"]+)"', log.read_text(errors="replace")))
    return Seen(done.stdout, console, tuple(sorted(url for url in urls if not _OWN.match(url))))


def hostile_report(out: Path) -> Path:
    view = ViewReport(
        name=EVIL,
        state="refused",
        sentence=EVIL,
        owner=EVIL,
        description=EVIL,
        fingerprint=EVIL,
        facts=((EVIL, EVIL),),
        tags=(EVIL,),
        published_revision=2,
        published_at=EVIL,
        features=(
            FeatureRow(
                name=EVIL,
                dtype=EVIL,
                minimum=EVIL,
                maximum="a" * 500,
                null_history=(0.1, 0.2),
                histogram=Histogram(edges=(0.0, 1.0, 2.0), now=(1.0, 2.0), baseline=(2.0, 1.0)),
            ),
        ),
        generations=(
            GenerationRow(number=1, state=EVIL, rows=1, note=EVIL),
            GenerationRow(number=0, state="x", rows=2),
        ),
        checks=(CheckRow(name=EVIL, expected=EVIL, state="failed", seen=EVIL, samples=(EVIL,), error=EVIL),),
        revisions=(
            RevisionRow(number=2, visible_from=EVIL, generation=1, kind=EVIL, run_id=EVIL),
            RevisionRow(number=1, visible_from="", generation=2),
        ),
        consumers=(EVIL,),
    )
    return build_report(ReportModel(project=EVIL, built_at=EVIL, environment=EVIL, views=(view,)), out)


def test_browser_probe_notices_markup_that_is_executed(tmp_path: Path) -> None:
    page = tmp_path / "raw.html"
    page.write_text(f"<html><body>{EVIL}</body></html>", encoding="utf-8")
    seen = browse(page, tmp_path)
    assert "data-hit" in seen.dom
    assert any("HIT" in line for line in seen.console)
    assert seen.requests == ("http://evil.example/x.png",)


def test_report_with_hostile_values_runs_nothing_and_asks_for_nothing(tmp_path: Path) -> None:
    index = hostile_report(tmp_path / "site")
    (page,) = (tmp_path / "site" / "view").glob("*.html")
    training_set = tmp_path / "churn.summary.html"
    training_set.write_text(page_text(hostile(EVIL)), encoding="utf-8")
    for place in (index, page, training_set):
        scratch = tmp_path / place.stem
        scratch.mkdir()
        seen = browse(place, scratch)
        assert "data-hit=" not in seen.dom.split(">", 2)[1]
        assert "<script" not in seen.dom
        assert "gnp.exe" in seen.dom
        assert seen.console == ()
        assert seen.requests == ()
