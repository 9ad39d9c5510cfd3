"""The Delta tables that the views read; `jobs/land.py` fills them."""

from skewless import DeltaSource, Float64, Int64, String, Timestamp, days

transactions = DeltaSource(
    "transactions",
    path="raw/transactions",
    event_timestamp="transaction_timestamp",
    schema={
        "household_id": Int64,
        "store_id": Int64,
        "basket_id": Int64,
        "product_id": Int64,
        "quantity": Int64,
        "sales_value": Float64,
        "retail_disc": Float64,
        "coupon_disc": Float64,
        "coupon_match_disc": Float64,
        "transaction_timestamp": Timestamp,
    },
    tie_break=("basket_id", "product_id"),
    lateness=days(10),
    description="One row per article and basket, as the tills report it; values in US dollars.",
    owner="tills@example.org",
)

demographics = DeltaSource(
    "demographics",
    path="raw/demographics",
    event_timestamp="registered_at",
    schema={
        "household_id": Int64,
        "registered_at": Timestamp,
        "age": String,
        "income": String,
        "home_ownership": String,
        "marital_status": String,
        "household_size": String,
        "kids_count": String,
    },
    description="What a household told when it registered its card; not every household did.",
    owner="customer-data@example.org",
)

products = DeltaSource(
    "products",
    path="raw/products",
    event_timestamp="listed_at",
    schema={
        "product_id": Int64,
        "listed_at": Timestamp,
        "department": String,
        "brand": String,
        "product_category": String,
    },
    description="The articles with their departments.",
    owner="assortment@example.org",
)

coupon_redemptions = DeltaSource(
    "coupon_redemptions",
    path="raw/coupon_redemptions",
    event_timestamp="redeemed_at",
    schema={"household_id": Int64, "coupon_upc": Int64, "campaign_id": Int64, "redeemed_at": Timestamp},
    description="Coupons handed in at the till.",
    owner="marketing@example.org",
)
