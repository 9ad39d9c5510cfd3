"""What spark-submit.sh needs to know, as lines for its shell."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pyspark

from skewless.config.jars import DELTA
from skewless.config.java import find_java_home

MISSING = 2


def main() -> int:
    """Print JAVA_HOME, SPARK_HOME and the two Delta jars."""
    java_home = find_java_home(os.environ)
    jars = sorted(DELTA.folder(os.environ).glob("*.jar"))
    if java_home is None or not jars:
        what = "Java 17" if java_home is None else "Delta's jars"
        print(f"spark-submit.sh: {what} not found. Run 'make setup'.", file=sys.stderr)
        return MISSING
    for name, value in {
        "JAVA_HOME": str(java_home),
        "SPARK_HOME": str(Path(pyspark.__path__[0]).resolve()),
        "DELTA_JARS": ",".join(str(jar) for jar in jars),
    }.items():
        print(f"{name}={shlex.quote(value)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
