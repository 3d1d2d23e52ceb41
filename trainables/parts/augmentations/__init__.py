"""Augmentations, one a file, as batched operations on the training device."""
