"""What the user is told when Ray or the resources do not allow what was asked."""

from __future__ import annotations


class ClusterError(RuntimeError):
    """Something about the cluster that the user has to change; the message is one line."""
