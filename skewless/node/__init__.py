"""A local Cassandra node as a plain Java process, for the demo and the tests."""

from __future__ import annotations

from skewless.node.cassandra import CassandraNode, Endpoint, NodeStatus
from skewless.node.templates import Member, NodeSecurity, NodeTls

__all__ = ["CassandraNode", "Endpoint", "Member", "NodeSecurity", "NodeStatus", "NodeTls"]
