"""What the features of this project describe."""

from skewless import Entity, Int64

household = Entity(
    "household",
    keys={"household_id": Int64},
    description="A household with a loyalty card.",
    owner="customer-data@example.org",
)

product = Entity(
    "product",
    keys={"product_id": Int64},
    description="An article that the stores sell.",
    owner="assortment@example.org",
)
