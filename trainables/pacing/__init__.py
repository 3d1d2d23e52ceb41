"""Pacing functions, one a file; the file's name is the pacing's name."""

from trainables.pacing._pacing import ALL_IN, Pacing

__all__ = ["ALL_IN", "Pacing"]
