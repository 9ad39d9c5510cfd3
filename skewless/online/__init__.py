"""The online store: a client for services, the writer of the push, the timeline.

Imports the Cassandra driver and the standard library only, so that a service needs no JVM, Spark or pandas.
"""

from skewless.core.vector import FeatureVector, Status
from skewless.online.batch import FeatureBatch
from skewless.online.client import OnlineClient, PinnedClient
from skewless.online.connection import OnlineTarget
from skewless.online.explanation import Explanation
from skewless.online.memory import MemoryStore
from skewless.online.observer import CallRecord
from skewless.online.options import ClientHealth, ClientOptions
from skewless.online.served_log import ServedRecord
from skewless.online.timeline_store import TimelineStore

__all__ = [
    "CallRecord",
    "ClientHealth",
    "ClientOptions",
    "Explanation",
    "FeatureBatch",
    "FeatureVector",
    "MemoryStore",
    "OnlineClient",
    "OnlineTarget",
    "PinnedClient",
    "ServedRecord",
    "Status",
    "TimelineStore",
]
