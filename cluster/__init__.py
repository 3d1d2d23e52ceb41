"""Connecting to Ray, and how many trials fit on what it has."""

from cluster.capacity import Capacity
from cluster.connection import connect
from cluster.deaths import Death, death_of
from cluster.errors import ClusterError
from cluster.head import Gone, watched_head
from cluster.resources import TrialResources, concurrency, most_workers, slots
from cluster.waiting import said_while_waiting

__all__ = [
    "Capacity",
    "ClusterError",
    "Death",
    "Gone",
    "TrialResources",
    "concurrency",
    "connect",
    "death_of",
    "most_workers",
    "said_while_waiting",
    "slots",
    "watched_head",
]
