"""What every model is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from torch import nn

from search_spaces import Part


class Model(Part, ABC):
    """An architecture's sizes, and how to build it. Sizes are not searched, only fixed."""

    kind: ClassVar[str] = "model"

    @abstractmethod
    def build(self, input_shape: Sequence[int], num_classes: int) -> nn.Module:
        """A network from inputs [batch, *input_shape] to logits [batch, num_classes].

        Weights are drawn from torch's default generator: seed it first.
        """
