"""Evaluate a range of a view's past, chunk by chunk, and publish what differs; repeated, it goes on where it was.

For example:

    ./spark-submit.sh jobs/backfill.py household_spend --start 2017-01-01 --chunk 30d
"""

from __future__ import annotations

import sys

from skewless.cli.main import run_alone
from skewless.cli.pipeline import backfill

if __name__ == "__main__":
    sys.exit(run_alone(backfill, about=__doc__, name="./spark-submit.sh jobs/backfill.py"))
