"""The page of a training set: what it says first, what it shows, and that it is light and asks for nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest

from skewless.core.ages import age_edges, of_bins
from skewless.core.split import Split
from skewless.errors import UsageError
from skewless.site.svg import age_bars
from skewless.site.training import page_text
from tests.support.training_pages import FINE, FULL, hostile


def words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.partition("</head>")[2]).split())


def test_page_says_first_whether_all_is_fine() -> None:
    assert re.findall(r"<h1>(.*?)</h1>", page_text(FINE)) == ["All is fine with these 12,345 rows."]
    assert "What to look at" not in page_text(FINE)
    told = words(page_text(FULL))
    assert told.index("2 things to look at") < told.index("too old for 7.1 %") < told.index("Coverage: what")


def test_page_shows_shares_of_all_rows_and_of_those_with_an_age() -> None:
    told = words(page_text(FULL))
    assert "household_spend:spend_7d 89.1 % 0.4 % 2.4 % 0 % 8.1 %" in told
    old = sum(count for _, count in FULL.views[0].bins[10:])
    assert f"at 10 d {old / FULL.views[0].rows * 100:.1f}".removesuffix(".0") in told
    assert "0 11,000 89.1 % 88.9 % 90 %" in told


def test_page_asks_for_nothing_runs_nothing_and_is_light() -> None:
    for page in (page_text(FULL), page_text(FINE), page_text(hostile("<script>alert(1)</script>"))):
        assert "<script" not in page
        assert re.findall(r'(?:src|href)="(?!#)([^"]*)"', page)[1:] == []
        assert "default-src 'none'" in unescape(page)
        assert len(page) < 300_000
        assert next(int(level) for level in re.findall(r"<h(\d)", page)) == 1


def test_page_of_no_values_says_so() -> None:
    bare = replace(FULL.views[0], bins=(("under 1 d", 0), ("1 d and more", 0)), to_ttl=1)
    assert "No row has a value of this view" in page_text(replace(FULL, views=(bare,)))


def test_bars_at_or_above_the_ttl_are_drawn_apart_behind_its_mark() -> None:
    chart = str(age_bars([3, 2, 1, 0], 2, label="ages"))
    assert (chart.count('class="bar"'), chart.count('class="bar old"')) == (2, 2)
    mark = float(re.findall(r'class="mark" d="M([\d.]+)', chart)[0])
    places = [float(place) for place in re.findall(r'<rect class="[^"]+" x="([\d.]+)"', chart)]
    assert places[1] < mark < places[2]
    assert 'class="mark"' not in str(age_bars([3], None, label="ages"))


@pytest.mark.parametrize("ttl_us", [1, 7, 10, 259_200_000_000])
def test_bin_of_an_age_is_too_old_exactly_from_the_ttl_on(ttl_us: int) -> None:
    edges = age_edges(ttl_us)
    assert (len(edges), edges[0], edges[10], edges[20]) == (21, 0, ttl_us, 2 * ttl_us)
    for age_us in {0, ttl_us - 1, ttl_us, ttl_us + 1, 2 * ttl_us, 3 * ttl_us}:
        bins = of_bins([int(age_us >= edge) for edge in edges])
        assert sum(bins) == 1
        assert (sum(bins[10:]) == 1) == (age_us >= ttl_us)


@pytest.mark.parametrize("text", ["time:2017-10-01T00:00:00Z", "key:0.2", "key:.2", "key:user_id:0.25"])
def test_split_is_read_back_from_its_own_text(text: str) -> None:
    assert str(Split.parse(text)) == text
    assert Split.parse(str(Split.parse(text))) == Split.parse(text)


@pytest.mark.parametrize("text", ["", "key", "key:", "key:0", "key:1", "key:-0.1", "key:0.0", "key:nan", "user:0.2"])
def test_split_that_is_none_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no split\. Write time:2017-10-01"):
        Split.parse(text)


def test_share_of_a_split_is_exact() -> None:
    assert Split.parse("key:0.5").limit == 2**51
    assert Split.parse("key:0.1").limit == -(-(2**52) // 10)
