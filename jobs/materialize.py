"""Compute what is due of the named views, or of all, into history; nothing becomes visible.

For example:

    ./spark-submit.sh jobs/materialize.py household_spend --through 2017-10-02
"""

from __future__ import annotations

import sys

from skewless.cli.main import run_alone
from skewless.cli.pipeline import materialize

if __name__ == "__main__":
    sys.exit(run_alone(materialize, about=__doc__, name="./spark-submit.sh jobs/materialize.py"))
