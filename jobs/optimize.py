"""Lay history and served out for training joins: few files, and a copy sorted by entity.

For example:

    ./spark-submit.sh jobs/optimize.py household_spend
"""

from __future__ import annotations

import sys

from skewless.cli.main import run_alone
from skewless.cli.pipeline import optimize

if __name__ == "__main__":
    sys.exit(run_alone(optimize, about=__doc__, name="./spark-submit.sh jobs/optimize.py"))
