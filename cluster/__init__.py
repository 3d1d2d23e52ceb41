"""Connecting to Ray, and how many trials fit on what it has."""

from cluster.connection import connect
from cluster.errors import ClusterError
from cluster.resources import TrialResources, concurrency, slots

__all__ = ["ClusterError", "TrialResources", "concurrency", "connect", "slots"]
