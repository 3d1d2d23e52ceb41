"""A running average of a network's weights."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

PREFIX = "average."


@final
class Average:
    """θ' ← α θ' + (1 - α) θ after each step (Tarvainen and Valpola, NeurIPS 2017).

    While step t is below α / (1 - α) the decay is 1 - 1 / (t + 1), as in the authors' code: the
    true average so far, in which the initial weights do not count. Running statistics of batch
    normalisation are averaged too, whole numbers are taken as they are.

    Args:
        state: where the average is kept, among whatever else an algorithm keeps.
    """

    def __init__(self, state: dict[str, Tensor]) -> None:
        self._state = state

    def begin(self, model: nn.Module) -> None:
        """Starts from the model as it is."""
        for name, value in model.state_dict().items():
            self._state[PREFIX + name] = value.clone()

    @torch.no_grad()
    def update(self, model: nn.Module, decay: float, step: int) -> None:
        """Takes in the weights after step number `step`, the first being 0."""
        share = 1.0 - min(decay, 1.0 - 1.0 / (step + 1))
        for name, value in model.state_dict().items():
            average = self._state[PREFIX + name]
            if average.is_floating_point():
                average.lerp_(value, share)
            else:
                average.copy_(value)

    def weights(self) -> dict[str, Tensor]:
        """The average by the names that the model has; empty if none was begun."""
        return {
            name.removeprefix(PREFIX): value
            for name, value in self._state.items()
            if name.startswith(PREFIX)
        }
