"""Augmentations, one a file, as batched operations on the training device."""

from trainables.augmentations._augmentation import Augmentation

__all__ = ["Augmentation"]
