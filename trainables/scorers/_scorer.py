"""What every difficulty scorer is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from search_spaces import Part
from trainables.tensors import TensorExamples


class Scorer(Part, ABC):
    """Says how hard each training example is, from the training examples alone."""

    kind: ClassVar[str] = "scorer"

    @abstractmethod
    def difficulty(self, examples: TensorExamples, model: nn.Module, seed: int) -> Tensor:
        """The difficulty of each example [n], on its device; more is harder.

        Args:
            examples: the training examples.
            model: as it stands; it is left as it is.
            seed: for whatever is drawn.
        """
