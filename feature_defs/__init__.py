"""The definitions of this project; what is not listed here does not exist."""

from feature_defs.services import assortment_v1, churn_v1
from feature_defs.sources import coupon_redemptions
from feature_defs.views.household_favourites import household_favourites
from feature_defs.views.household_profile import household_profile
from feature_defs.views.household_spend import household_spend
from feature_defs.views.product_sales import product_sales
from skewless import Definitions

definitions = Definitions(
    views=[household_spend, household_profile, household_favourites, product_sales],
    services=[churn_v1, assortment_v1],
    landed=[coupon_redemptions],
)
