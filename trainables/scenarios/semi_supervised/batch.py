"""A step's examples and their views."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import Tensor

from trainables.foundation.randomness import derive_seed
from trainables.parts.view import Views


@final
@dataclass(frozen=True)
class Batch:
    """Some training examples, without their labels.

    Attributes:
        inputs: as they are, [batch, ...].
        indices: their places among all training examples, int64 [batch].
        views: how they can be looked at.
        key: decides this step's views.
    """

    inputs: Tensor
    indices: Tensor
    views: Views
    key: int

    def weak(self, number: int = 0) -> Tensor:
        """A weak view; another number gives another one."""
        return self.views.weak(self.inputs, self.indices, derive_seed(self.key, "weak", number))

    def strong(self, number: int = 0) -> Tensor:
        """A strong view; another number gives another one."""
        key = derive_seed(self.key, "strong", number)
        return self.views.strong(self.inputs, self.indices, key)
