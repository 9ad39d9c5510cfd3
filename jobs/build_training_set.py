"""Join features to a spine, each row as it was served at its time; a manifest lies beside the rows.

For example:

    ./spark-submit.sh jobs/build_training_set.py churn_v1 --spine labels.parquet --out churn.parquet
"""

from __future__ import annotations

import sys

from skewless.cli.main import run_alone
from skewless.cli.reading import train

if __name__ == "__main__":
    sys.exit(run_alone(train, about=__doc__, name="./spark-submit.sh jobs/build_training_set.py"))
