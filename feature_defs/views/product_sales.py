"""How well an article sells."""

from pyspark.sql import DataFrame

from feature_defs.entities import product
from feature_defs.sources import transactions
from skewless import CountDistinct, Int64, Sum, WindowView, days, gxe


def sales(rows: DataFrame) -> DataFrame:
    """Every sold article, as it stands in the source."""
    return rows.select("product_id", "event_timestamp", "household_id", "quantity", "sales_value")


product_sales = WindowView(
    name="product_sales",
    entity=product,
    source=transactions,
    events=sales,
    aggregates={
        "units_7d": Sum("quantity", over=days(7), dtype=Int64),
        "units_30d": Sum("quantity", over=days(30), dtype=Int64),
        "sales_7d": Sum("sales_value", over=days(7)),
        "sales_30d": Sum("sales_value", over=days(30)),
        "buyers_7d": CountDistinct("household_id", over=days(7)),
        "buyers_30d": CountDistinct("household_id", over=days(30)),
    },
    descriptions={
        "units_7d": "Units sold in the 7 days before the tick; null when none.",
        "units_30d": "Units sold in the 30 days before the tick; null when none.",
        "sales_7d": "US dollars taken in the 7 days before the tick; null when none.",
        "sales_30d": "US dollars taken in the 30 days before the tick; null when none.",
        "buyers_7d": "Different households that bought it in the 7 days before the tick.",
        "buyers_30d": "Different households that bought it in the 30 days before the tick.",
    },
    every=days(1),
    ttl=days(14),
    quality=(
        gxe.ExpectTableRowCountToBeBetween(min_value=500),
        gxe.ExpectColumnValuesToBeBetween(column="units_30d", min_value=0),
        gxe.ExpectColumnValuesToBeBetween(column="sales_30d", min_value=0),
        gxe.ExpectColumnValuesToNotBeNull(column="buyers_30d"),
    ),
    owner="assortment@example.org",
    description="Units, sales and buyers of an article over the last 7 and 30 days.",
    tags=("sales", "assortment"),
)
