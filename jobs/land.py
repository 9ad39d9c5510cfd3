"""Bring a file into a source's Delta table, as one new version.

For example:

    ./spark-submit.sh jobs/land.py transactions new.parquet
    ./spark-submit.sh jobs/land.py transactions fixed.csv --mode upsert --key basket_id --key product_id
"""

from __future__ import annotations

import sys

from skewless.cli.main import run_alone
from skewless.cli.pipeline import land

if __name__ == "__main__":
    sys.exit(run_alone(land, about=__doc__, name="./spark-submit.sh jobs/land.py"))
