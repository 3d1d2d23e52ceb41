"""No augmentation."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from trainables.parts.augmentation import Augmentation


@dataclass(frozen=True)
class Unchanged(Augmentation):
    """The inputs as they are."""

    def apply(self, inputs: Tensor, indices: Tensor, key: int) -> Tensor:
        return inputs
