"""Make what was pushed visible, all of it in one revision.

For example:

    ./spark-submit.sh jobs/publish.py household_spend
"""

from __future__ import annotations

import sys

from skewless.cli.main import run_alone
from skewless.cli.pipeline import publish

if __name__ == "__main__":
    sys.exit(run_alone(publish, about=__doc__, name="./spark-submit.sh jobs/publish.py"))
