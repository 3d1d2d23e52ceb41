"""The network that is trained and its average, as an algorithm calls them."""

from __future__ import annotations

from functools import partial
from typing import final

import torch
from torch import Tensor, nn
from torch.func import functional_call

from trainables.ranks.ranks import Ranks
from trainables.ranks.sharding import UnderWeights
from trainables.scenarios.semi_supervised.average import Average


@final
class Networks:
    """Answers for a whole batch, whichever rank computed them; only `logits` has gradients.

    Args:
        model: the network that is trained.
        average: the running average of its weights.
        ranks: among which the batch is divided.
    """

    def __init__(self, model: nn.Module, average: Average, ranks: Ranks) -> None:
        self._model, self._average, self._ranks = model, average, ranks

    def logits(self, inputs: Tensor) -> Tensor:
        """[batch, classes]; gradients flow to the network."""
        return self._ranks.divided(self._model, inputs)

    @torch.no_grad()
    def probabilities(self, inputs: Tensor) -> Tensor:
        """The network's class probabilities, [batch, classes]; no gradients."""
        return self.logits(inputs).softmax(1)

    @torch.no_grad()
    def average_probabilities(self, inputs: Tensor) -> Tensor:
        """The average network's class probabilities, [batch, classes]; no gradients."""
        weights = self._average.weights()
        if self._ranks.sharded:
            average = UnderWeights(self._model, weights)
            return self._ranks.divided(average, inputs).softmax(1)
        # A forward pass writes into buffers, and what it writes is not to be averaged.
        weights |= {name: weights[name].clone() for name, _ in self._model.named_buffers()}
        forward = partial(functional_call, self._model, weights)
        return self._ranks.divided(forward, inputs).softmax(1)
