"""Optimizers, one a file; the file's name is the optimizer's name."""

from trainables.optimizers._optimizer import Optimizer

__all__ = ["Optimizer"]
