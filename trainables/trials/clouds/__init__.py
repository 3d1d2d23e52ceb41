"""Clouds that announce when they take a machine away, one a file."""
