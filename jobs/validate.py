"""Let the gate judge what was materialized; exit code 10 when it refuses.

For example:

    ./spark-submit.sh jobs/validate.py household_spend
    ./spark-submit.sh jobs/validate.py --accept 'breaker.null_rate_jump=tills were closed on Sunday'
"""

from __future__ import annotations

import sys

from skewless.cli.main import run_alone
from skewless.cli.pipeline import validate

if __name__ == "__main__":
    sys.exit(run_alone(validate, about=__doc__, name="./spark-submit.sh jobs/validate.py"))
