"""Pacing functions, one a file; the file's name is the pacing's name."""

from trainables.pacing._pacing import Pacing

__all__ = ["Pacing"]
