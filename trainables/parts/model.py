"""The base of every model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self

from torch import nn

from search_spaces import InputError, Part


class Model(Part, ABC):
    """An architecture's sizes, and how to build it. Sizes are not searched, only fixed.

    Some models stand for whatever has a name of a certain form. Their fields hold that name.

    Attributes:
        knows_places: whether a shifted or mirrored image is nearly the same image to it, as to
            convolutions and patches; to a network of all pixels at once it is a new input.
    """

    kind: ClassVar[str] = "model"
    options_in: ClassVar[str] = "trainables.parts.models"
    knows_places: ClassVar[bool] = True

    @classmethod
    def names(cls) -> str:
        """The form of the names that it claims, for messages."""
        return cls.part_name()

    @classmethod
    def named(cls, name: str) -> Self | None:
        """The model of this kind that a name on the command line stands for, or None.

        Raises:
            InputError: the name is of the right form, but what it names is not there.
        """
        return cls() if name == cls.part_name() else None

    @property
    def full_name(self) -> str:
        """The name that stands for this very model on the command line."""
        return self.part_name()

    @property
    def starts_from(self) -> str:
        """The weights that it starts from, in words; nothing if all are drawn anew."""
        return ""

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
                f"model: '{self.full_name}' ends in no linear layer to put heads in place of."
            )
        name, last = linear[-1]
        network.set_submodule(name, nn.Identity())
        return network, last.in_features
