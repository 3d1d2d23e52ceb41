"""Meta-Weight-Net (Shu et al., NeurIPS 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from search_spaces import POSITIVE, Float
from trainables.foundation.randomness import derive_seed, drawing_from
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.curriculum import Criterion
from trainables.scenarios.curriculum.meta import MetaCurriculum
from trainables.scenarios.curriculum.weight_network import like

WIDTH = 100
WEIGHT_DECAY = 1e-4


@dataclass(frozen=True)
class MetaWeightNet(MetaCurriculum):
    """A small network from an example's loss to its weight, learnt on a meta set.

    Shu, Xie, Yi, Zhao, Zhou, Xu and Meng, "Meta-Weight-Net: Learning an Explicit Mapping For
    Sample Weighting", NeurIPS 2019, algorithm 1: one hidden layer of 100, a sigmoid at the end,
    Adam at 1e-3 with weight decay 1e-4. That rate belongs to some 10^4 steps, since a weight moves
    by at most the rate a step; the default is 0.01. At 0.1 the net leaps: in one run of four all
    weights fall to nothing and the training stops
    (docs/results/ranges.md). Their virtual step has the model's own learning rate, that
    of SGD, which begins at 0.1; here `virtual_lr` is one of its own, since the model's optimizer
    may be any. A step costs about four of the baseline's.
    """

    lr: Annotated[float, Float(1e-4, 1.0, log=True), POSITIVE] = 0.01
    virtual_lr: Annotated[float, Float(1e-3, 1.0, log=True), POSITIVE] = 0.1

    def model_prepare(self, model: nn.Module, examples: TensorExamples, seed: int) -> None:
        super().model_prepare(model, examples, seed)
        with drawing_from(derive_seed(seed, "weight_net")):
            net = nn.Sequential(
                nn.Linear(1, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1), nn.Sigmoid(), nn.Flatten(0)
            )
        self.networks["weight_net"] = like(model, net)
        self.optimizers["weight_net"] = torch.optim.Adam(
            net.parameters(), lr=self.lr, weight_decay=WEIGHT_DECAY, fused=True
        )

    def loss_curriculum(
        self,
        criterion: Criterion,
        outputs: Tensor,
        labels: Tensor,
        indices: Tensor,
        inputs: Tensor,
    ) -> Tensor:
        losses = criterion(outputs, labels)
        weight_net, optimizer = self.networks["weight_net"], self.optimizers["weight_net"]
        ranks = self.seen["examples"].ranks
        known = losses.detach()[:, None]
        weights = ranks.divided(weight_net, known)
        step = self.virtual_lr, weights.detach()
        agreement = self.agreement(criterion, inputs, labels, step)
        # The chain rule: dL/dw_i = -(alpha / n) x agreement, and w_i = V(l_i; Theta).
        optimizer.zero_grad()
        (-self.virtual_lr * (agreement * weights).mean()).backward()
        ranks.sum_gradients(weight_net.parameters())
        optimizer.step()
        with torch.no_grad():
            weights = ranks.divided(weight_net, known)
        return (weights * losses).mean()
