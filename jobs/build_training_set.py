"""Writes a training set; its manual is that of `skewless train`.

./spark-submit.sh jobs/build_training_set.py churn_v1 --spine labels.parquet --out churn.parquet
"""

from __future__ import annotations

import sys

from skewless.cli.main import run_alone
from skewless.cli.training import manual_as, train

_NAME = "./spark-submit.sh jobs/build_training_set.py"

if __name__ == "__main__":
    sys.exit(run_alone(train, about=manual_as(_NAME), name=_NAME))
