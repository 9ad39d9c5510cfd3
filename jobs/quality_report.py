"""Build the data-quality report as static pages, and print where they begin.

For example:

    ./spark-submit.sh jobs/quality_report.py household_spend
"""

from __future__ import annotations

import sys

from skewless.cli.main import run_alone
from skewless.cli.pages import report

if __name__ == "__main__":
    sys.exit(run_alone(report, about=__doc__, name="./spark-submit.sh jobs/quality_report.py"))
