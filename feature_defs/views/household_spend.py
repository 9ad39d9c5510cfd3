"""How much, how often, where and how cheaply a household buys."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from feature_defs.entities import household
from feature_defs.sources import transactions
from skewless import CountDistinct, Ratio, Sum, WindowView, days, gxe


def purchases(rows: DataFrame) -> DataFrame:
    """Purchases with what they cost and what was taken off; discounts are negative in the source."""
    discount = -(F.col("retail_disc") + F.col("coupon_disc") + F.col("coupon_match_disc"))
    return rows.select(
        "household_id",
        "event_timestamp",
        "basket_id",
        "store_id",
        "sales_value",
        F.abs(discount).alias("discount"),
        (F.col("sales_value") + F.abs(discount)).alias("list_value"),
    )


household_spend = WindowView(
    name="household_spend",
    entity=household,
    source=transactions,
    events=purchases,
    aggregates={
        "spend_7d": Sum("sales_value", over=days(7)),
        "spend_30d": Sum("sales_value", over=days(30)),
        "trips_7d": CountDistinct("basket_id", over=days(7)),
        "trips_30d": CountDistinct("basket_id", over=days(30)),
        "stores_7d": CountDistinct("store_id", over=days(7)),
        "stores_30d": CountDistinct("store_id", over=days(30)),
        "discount_share_7d": Ratio(Sum("discount"), Sum("list_value"), over=days(7)),
        "discount_share_30d": Ratio(Sum("discount"), Sum("list_value"), over=days(30)),
    },
    descriptions={
        "spend_7d": "US dollars spent in the 7 days before the tick; null when nothing was bought.",
        "spend_30d": "US dollars spent in the 30 days before the tick; null when nothing was bought.",
        "trips_7d": "Baskets in the 7 days before the tick.",
        "trips_30d": "Baskets in the 30 days before the tick.",
        "stores_7d": "Different stores visited in the 7 days before the tick.",
        "stores_30d": "Different stores visited in the 30 days before the tick.",
        "discount_share_7d": "Share of the list value of 7 days that discounts took off.",
        "discount_share_30d": "Share of the list value of 30 days that discounts took off.",
    },
    every=days(1),
    ttl=days(14),
    quality=(
        gxe.ExpectTableRowCountToBeBetween(min_value=50),
        gxe.ExpectColumnValuesToBeBetween(column="spend_7d", min_value=0),
        gxe.ExpectColumnValuesToBeBetween(column="spend_30d", min_value=0, max_value=20_000, severity="warning"),
        gxe.ExpectColumnValuesToNotBeNull(column="trips_30d"),
        gxe.ExpectColumnValuesToBeBetween(column="trips_7d", min_value=0, max_value=200),
        gxe.ExpectColumnValuesToBeBetween(column="discount_share_30d", min_value=0, max_value=1),
    ),
    owner="churn@example.org",
    description="Spend, trips, stores and discounts of a household over the last 7 and 30 days.",
    tags=("spend", "churn"),
)
