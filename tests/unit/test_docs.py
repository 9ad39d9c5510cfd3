"""The snippets of the guide run, and the documents name what exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def noticed(names: dict[str, Any]) -> list[str]:
    """What the serving page's observer keeps of a call with old values and of one without."""
    record, status = names["CallRecord"], names["Status"]
    names["notice"](record("churn_v1", 1, 0.05, {"spend": {status.EXPIRED: 2}}, retries=3))
    names["notice"](record("churn_v1", 1, 0.05, {"spend": {status.PRESENT: 2}}))
    return names["worth_a_look"]


#: Page → what holds of the names that its snippets leave.
MADE = {
    "first-feature.md": lambda names: (
        [one.dtype.kind for one in names["household_coupons"].features] == ["int64", "int64"]
    ),
    "serving.md": lambda names: noticed(names) == ["churn_v1: 50 ms, 2 expired, 3 sent again, answered"],
    # what it reads is read in tests/flows/test_write_training_set.py
    "training-sets.md": lambda names: callable(names["read_pandas"]) and callable(names["read_arrays"]),
    "windows-at-label-times.md": lambda names: (
        {one.column for tried in names["TRIED"].values() for one in tried.windows()} == {None, "sales_value"}
    ),
}
PAGES = sorted((ROOT / "docs" / "guide").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_guide_snippets_run_in_their_order(page: Path) -> None:
    names: dict[str, Any] = {}
    snippets = re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)
    assert snippets
    for snippet in snippets:
        exec(compile(snippet, page.name, "exec"), names)  # noqa: S102 - our own pages
    assert MADE[page.name](names)


@pytest.mark.parametrize("document", ["README.md", "ARCHITECTURE.md", "docs/guide/serving.md"])
def test_document_links_lead_to_files_that_exist(document: str) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", (ROOT / document).read_text())
    folder = (ROOT / document).parent
    assert [target for target in targets if not (folder / target).exists()] == []


def test_adrs_stay_short() -> None:
    long = {
        file.name: lines
        for file in (ROOT / "docs" / "adr").glob("*.md")
        if (lines := len(file.read_text().splitlines())) > 60
    }
    assert long == {}
