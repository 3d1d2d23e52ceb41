"""Samplers, one a file: what proposes the next point of an arm."""
