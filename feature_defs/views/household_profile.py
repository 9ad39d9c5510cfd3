"""What a household told about itself."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from feature_defs.entities import household
from feature_defs.sources import demographics
from skewless import Feature, Int32, RowView, String, days, gxe


def profile(rows: DataFrame) -> DataFrame:
    """The answers of the registration form; the size as a number, `5+` as 5."""
    return rows.select(
        "household_id",
        "event_timestamp",
        F.col("age").alias("age_band"),
        F.col("income").alias("income_band"),
        (F.col("home_ownership") == "Homeowner").cast("int").alias("is_homeowner"),
        F.regexp_replace("household_size", r"\+", "").try_cast("int").alias("household_size"),
        F.regexp_replace("kids_count", r"\D", "").try_cast("int").alias("kids_count"),
    )


household_profile = RowView(
    name="household_profile",
    entity=household,
    source=demographics,
    transform=profile,
    features=(
        Feature("age_band", String, "Age of the head of the household, in bands."),
        Feature("income_band", String, "Yearly income, in bands of thousands of US dollars."),
        Feature("is_homeowner", Int32, "1 when they own their home, 0 when not, null when they did not say."),
        Feature("household_size", Int32, "People in the household; 5 means 5 or more."),
        Feature("kids_count", Int32, "Children in the household; 3 means 3 or more."),
    ),
    every=days(1),
    quality=(
        gxe.ExpectColumnValuesToNotBeNull(column="age_band"),
        gxe.ExpectColumnValuesToBeBetween(column="household_size", min_value=1, max_value=5),
    ),
    owner="customer-data@example.org",
    description="Demographics that a household gave when it registered its card.",
    tags=("demographics", "churn"),
)
