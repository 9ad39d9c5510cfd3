"""A process that dies at a failpoint: forked from the test's, so that it need not start Spark."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from skewless.core.failpoints import VARIABLE

_ALIVE: list[object] = []


def dies_at(spark: Any, failpoint: str, work: Callable[[], object]) -> None:
    """Do something in a process that a failpoint kills.

    Args:
        spark: The test's session; its JVM lives on, as a cluster would.
        failpoint: The failpoint, as the environment variable gives it.
        work: What is done; it must open for itself whatever talks to a server.
    """
    status = _forked(spark, failpoint, work)
    assert os.WIFSIGNALED(status), f"{failpoint} was never reached: the process ended with {status >> 8}"
    assert os.WTERMSIG(status) == signal.SIGKILL


def fails_at(spark: Any, failpoint: str, work: Callable[[], object]) -> None:
    """Do something whose executors a failpoint kills: the process itself ends with an error."""
    status = _forked(spark, failpoint, work)
    assert os.WIFEXITED(status), f"{failpoint}: the process was killed, not its executors"
    assert os.WEXITSTATUS(status) == 1, f"{failpoint} was never reached"


def may_die_at(spark: Any, failpoint: str, work: Callable[[], object]) -> None:
    """Do something in a process that a failpoint kills when it is reached, and that ends well when it is not."""
    status = _forked(spark, failpoint, work)
    is_killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert is_killed or status == 0, f"{failpoint}: the process ended with {status}"


def _forked(spark: Any, failpoint: str, work: Callable[[], object]) -> int:
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    code = 0
    try:
        os.environ[VARIABLE] = failpoint
        spark.sparkContext.environment[VARIABLE] = failpoint
        _connect_anew(spark)
        work()
    except BaseException:
        traceback.print_exc(file=sys.stderr)
        code = 1
    finally:
        os._exit(code)


def _connect_anew(spark: Any) -> None:
    """Talk to the JVM over sockets of its own: the parent's would carry answers to the wrong one of the two."""
    client = spark.sparkContext._gateway._gateway_client
    # kept, because their end would shut the parent's sockets
    _ALIVE.extend([client.thread_connection, list(client.deque)])
    client.thread_connection = threading.local()
    client.deque.clear()
