"""Optimizers, one a file; the file's name is the optimizer's name."""
