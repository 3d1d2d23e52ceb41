"""Differentiable data selection (Wang, Pham et al., ICML 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from search_spaces import POSITIVE, Float
from trainables.curriculum._curriculum import Criterion
from trainables.curriculum._meta import MetaCurriculum
from trainables.curriculum._weight_network import weight_network
from trainables.randomness import derive_seed
from trainables.tensors import TensorExamples


@dataclass(frozen=True)
class DDS(MetaCurriculum):
    """A scorer network is rewarded for examples whose gradient agrees with a meta set's.

    Wang, Pham, Michel, Anastasopoulos, Carbonell and Neubig, "Optimizing Data Usage via
    Differentiable Rewards", ICML 2020, algorithm 1: the scorer, a network like the model, gives a
    distribution p over the batch, by which examples are weighed; reward_i = <grad l_i(theta),
    grad L(theta')> after a step to theta' on those weights, and the scorer climbs the mean of
    reward_i log p_i (REINFORCE). The reward is computed exactly where they take a difference. That
    step is one of SGD at `virtual_lr` rather than of the model's optimizer. A step costs about
    five of the baseline's.
    """

    lr: Annotated[float, Float(1e-5, 1e-1, log=True), POSITIVE] = 1e-4
    virtual_lr: Annotated[float, Float(1e-3, 1.0, log=True), POSITIVE] = 0.1

    def model_prepare(self, model: nn.Module, examples: TensorExamples, seed: int) -> None:
        super().model_prepare(model, examples, seed)
        scorer = weight_network(model, examples, derive_seed(seed, "scorer"))
        self.networks["scorer"] = scorer
        self.optimizers["scorer"] = torch.optim.Adam(scorer.parameters(), lr=self.lr, fused=True)

    def loss_curriculum(
        self,
        criterion: Criterion,
        outputs: Tensor,
        labels: Tensor,
        indices: Tensor,
        inputs: Tensor,
    ) -> Tensor:
        scorer, optimizer = self.networks["scorer"], self.optimizers["scorer"]
        ranks = self.seen["examples"].ranks
        log_p = torch.log_softmax(ranks.divided(scorer.train(), inputs), 0)
        p = log_p.detach().exp()
        # A step on the sum of p_i l_i, so n p_i of their mean.
        reward = self.agreement(criterion, inputs, labels, (self.virtual_lr, len(p) * p))
        optimizer.zero_grad()
        (-(reward * log_p).mean()).backward()
        ranks.sum_gradients(scorer.parameters())
        optimizer.step()
        return (p * criterion(outputs, labels)).sum()
