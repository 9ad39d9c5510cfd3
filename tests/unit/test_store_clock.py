"""What must not move the virtual clock: it never goes back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest

from skewless import FeatureStore
from skewless.errors import UsageError

CONF = Path(__file__).resolve().parents[2] / "conf"
LATER = datetime(2020, 1, 1, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.run("household_spendd", now=LATER),
        lambda store: store.run_stage("validate", "household_spendd", now=LATER),
        lambda store: store.rollback("household_spendd", now=LATER),
    ],
    ids=["run", "stage", "rollback"],
)
def test_unknown_view_leaves_the_clock_where_it_stands(
    call: Callable[[FeatureStore], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKEWLESS__PROJECT__STATE", str(tmp_path))
    with FeatureStore.open(CONF, env="demo") as store:
        before = store.workshop.clock.now_us()
        with pytest.raises(UsageError, match="Did you mean 'household_spend'"):
            call(store)
        assert store.workshop.clock.now_us() == before
