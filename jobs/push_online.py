"""Write what was validated into Cassandra and read it back; readers do not see it yet.

For example:

    ./spark-submit.sh jobs/push_online.py household_spend
"""

from __future__ import annotations

import sys

from skewless.cli.main import run_alone
from skewless.cli.pipeline import push

if __name__ == "__main__":
    sys.exit(run_alone(push, about=__doc__, name="./spark-submit.sh jobs/push_online.py"))
