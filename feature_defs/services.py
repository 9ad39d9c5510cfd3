"""What the models of this project consume."""

from feature_defs.views.household_favourites import household_favourites
from feature_defs.views.household_profile import household_profile
from feature_defs.views.household_spend import household_spend
from feature_defs.views.product_sales import product_sales
from skewless import FeatureService

churn_v1 = FeatureService(
    "churn_v1",
    features=[household_spend, household_profile, household_favourites],
    owner="churn@example.org",
    description="Will this household buy nothing in the next 14 days?",
    tags=("churn",),
)

assortment_v1 = FeatureService(
    "assortment_v1",
    features=[product_sales],
    owner="assortment@example.org",
    description="Which articles still earn their place on the shelf?",
    tags=("assortment",),
)
