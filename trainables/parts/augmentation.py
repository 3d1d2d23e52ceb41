"""The base of every augmentation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from search_spaces import Part


class Augmentation(Part, ABC):
    """A random change to a batch of inputs that keeps their labels."""

    kind: ClassVar[str] = "augmentation"
    options_in: ClassVar[str] = "trainables.parts.augmentations"

    @abstractmethod
    def apply(self, inputs: Tensor, indices: Tensor, key: int) -> Tensor:
        """The changed batch.

        Args:
            inputs: [batch, ...] on the training device.
            indices: the samples' indices, int64 [batch]; each draws its own randomness from its
                index and the key, so that it does not matter which rank holds it.
            key: a seed, another one for each pass over the data.
        """


class ImageAugmentation(Augmentation):
    """An augmentation of images [batch, channels, height, width]."""

    @classmethod
    def suits(cls, input_shape: Sequence[int]) -> bool:
        return len(input_shape) == 3
