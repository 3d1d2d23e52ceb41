"""Connecting to Ray, and how many trials fit on what it has."""

from cluster.connection import connect
from cluster.errors import ClusterError
from cluster.resources import TrialResources, concurrency, most_workers, slots
from cluster.waiting import said_while_waiting

__all__ = [
    "ClusterError",
    "TrialResources",
    "concurrency",
    "connect",
    "most_workers",
    "said_while_waiting",
    "slots",
]
