"""Pairs of a weak and a strong view of the same inputs, one pair a file."""

from trainables.views._views import Views, without_strong

__all__ = ["Views", "without_strong"]
