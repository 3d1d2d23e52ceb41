"""Difficulty scorers, one a file; the file's name is the scorer's name."""
