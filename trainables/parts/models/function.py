"""A model that a function of the user's own builds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from torch import nn

from search_spaces import InputError
from trainables.foundation.user_code import ADDRESSES, UserFunction, is_address
from trainables.parts.model import Model


@dataclass(frozen=True)
class Function(Model):
    """A model from your own function or class: --model MODULE:FUNCTION, such as my_models:net.

    It is called with the shape of one input, (features,) or (channels, height, width), and the
    number of classes, and returns a torch.nn.Module from inputs [batch, ...] to logits
    [batch, classes]. Its weights must come from torch's default generator, which is seeded before.
    The module is looked for in the working directory and on PYTHONPATH; `folder` is where it was
    found, which makes it no other model.
    """

    address: str = ""
    folder: str = field(default="", compare=False)

    @classmethod
    def names(cls) -> str:
        return ADDRESSES

    @classmethod
    def named(cls, name: str) -> Self | None:
        if not is_address(name):
            return None
        return cls(name, UserFunction(name, "", "--model").folder)

    @property
    def full_name(self) -> str:
        return self.address

    def build(self, input_shape: Sequence[int], num_classes: int) -> nn.Module:
        if not self.address:
            raise InputError(f"--model: name the function itself, as {ADDRESSES}.")
        function = UserFunction(self.address, self.folder, "--model")
        network = function(tuple(input_shape), num_classes)
        if not isinstance(network, nn.Module):
            raise InputError(
                f"--model {self.address}: returned {type(network).__name__}, expected a "
                "torch.nn.Module."
            )
        return network
