"""What a household likes best."""

from collections.abc import Mapping
from datetime import datetime, timezone

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from feature_defs.entities import household
from feature_defs.sources import products, transactions
from skewless import Feature, Float64, SnapshotView, String, days, gxe


def favourites(sources: Mapping[str, DataFrame], as_of: Column) -> DataFrame:
    """The department with most spend in 90 days and its share; sums in whole cents, ties by the name."""
    departments = sources["products"].select("product_id", "department")
    cents = F.rint(F.col("sales_value") * 100).cast("long").alias("cents")
    bought = (
        sources["transactions"].select("household_id", "product_id", cents).join(F.broadcast(departments), "product_id")
    )
    by_department = bought.groupBy("household_id", "department").agg(F.sum("cents").alias("cents"))
    favourite = F.max(F.struct("cents", "department"))
    total = F.sum("cents")
    return by_department.groupBy("household_id").agg(
        favourite["department"].alias("favourite_department"),
        F.when(total > 0, favourite["cents"] / total).alias("favourite_share"),
        (total / 100).alias("spend_90d"),
    )


household_favourites = SnapshotView(
    name="household_favourites",
    entity=household,
    sources=(transactions, products),
    transform=favourites,
    features=(
        Feature("favourite_department", String, "Department with most spend in the 90 days before the tick."),
        Feature("favourite_share", Float64, "Its share of the household's spend in those days."),
        Feature("spend_90d", Float64, "US dollars spent in those days."),
    ),
    every=days(14),
    offset=days(11),  # Mondays from 4 September 2017 on: 1 January 1970 was a Thursday
    lookback={"transactions": days(90)},
    start=datetime(2017, 9, 4, tzinfo=timezone.utc),
    ttl=days(28),
    quality=(
        gxe.ExpectTableRowCountToBeBetween(min_value=50),
        gxe.ExpectColumnValuesToBeBetween(column="favourite_share", min_value=0, max_value=1),
    ),
    owner="churn@example.org",
    description="The department that a household spends most in, in 90 days, every other Monday since September 2017.",
    tags=("spend", "churn"),
)
