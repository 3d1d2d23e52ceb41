"""Pairs of a weak and a strong view of the same inputs, one pair a file."""
