"""The list of keys in conf/README.md is the list of keys that exist, with the defaults that hold."""

from __future__ import annotations

import re
from pathlib import Path

from skewless.config.load import SECTIONS
from skewless.config.overlay import keys_of, sections_of

ROOT = Path(__file__).resolve().parents[2]


def test_readme_lists_every_key_and_no_other() -> None:
    text = (ROOT / "conf" / "README.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([a-z_]+\.[a-z_.]+)` \|", text, re.MULTILINE))
    existing = {".".join((*section, key)) for section, kind in sections_of(SECTIONS).items() for key in keys_of(kind)}
    assert documented == existing
