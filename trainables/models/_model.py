"""What every model is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from torch import nn

from search_spaces import InputError, Part


class Model(Part, ABC):
    """An architecture's sizes, and how to build it. Sizes are not searched, only fixed."""

    kind: ClassVar[str] = "model"

    @abstractmethod
    def build(self, input_shape: Sequence[int], num_classes: int) -> nn.Module:
        """A network from inputs [batch, *input_shape] to logits [batch, num_classes].

        Weights are drawn from torch's default generator: seed it first.
        """

    def build_backbone(self, input_shape: Sequence[int]) -> tuple[nn.Module, int]:
        """The network without its last linear layer, and how many features it gives.

        Raises:
            InputError: if the model has no linear layer.
        """
        network = self.build(input_shape, 1)
        linear = [(name, m) for name, m in network.named_modules() if isinstance(m, nn.Linear)]
        if not linear:
            raise InputError(
                f"model: '{self.part_name()}' ends in no linear layer to put heads in place of."
            )
        name, last = linear[-1]
        network.set_submodule(name, nn.Identity())
        return network, last.in_features
