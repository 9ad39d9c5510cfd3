"""Compare the online answers of services with history, bit for bit; exit code 14 when they differ.

For example:

    ./spark-submit.sh jobs/check_parity.py churn_v1 --sample 1000
"""

from __future__ import annotations

import sys

from skewless.cli.main import run_alone
from skewless.cli.reading import parity

if __name__ == "__main__":
    sys.exit(run_alone(parity, about=__doc__, name="./spark-submit.sh jobs/check_parity.py"))
