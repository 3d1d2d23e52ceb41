"""Trials on workers: the actor, the training up to a rung, and the group of ranks."""
