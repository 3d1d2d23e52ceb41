"""Errors for the user, if Ray or the resources do not allow a request."""

from __future__ import annotations


class ClusterError(RuntimeError):
    """Something about the cluster that the user has to change; the message is one line."""
