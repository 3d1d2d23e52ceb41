"""Difficulty scorers, one a file; the file's name is the scorer's name."""

from trainables.scorers._scorer import Scorer

__all__ = ["Scorer"]
