"""ScreenerNet (Kim and Choi, 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from search_spaces import POSITIVE, Float
from trainables.foundation.randomness import derive_seed
from trainables.learning.tensors import TensorExamples
from trainables.ranks.ranks import Ranks
from trainables.scenarios.curriculum.curriculum import Criterion, LossCurriculum
from trainables.scenarios.curriculum.weight_network import weight_network


def screener_loss(losses: Tensor, weights: Tensor, margin: float) -> Tensor:
    """(1 - w)^2 l + w^2 max(M - l, 0) of each example, [batch] (their eq. 2).

    It is least at w = l / M up to the loss M, and at w = 1 beyond.
    """
    return (1.0 - weights) ** 2 * losses + weights**2 * (margin - losses).clamp_min(0.0)


@dataclass(frozen=True)
class ScreenerNet(LossCurriculum):
    """A second network weights the examples from their inputs, hard ones most.

    Kim and Choi, "ScreenerNet: Learning Self-Paced Curriculum for Deep Neural Networks",
    arXiv 1801.00904: a network like the model with a sigmoid at its end, trained beside it with
    Adam at 1e-3, margin M = 1. It sees the batch as the model saw it, augmented alike, and its
    weights before a step are those of the step. A step costs two of the baseline's.
    """

    needs_whole_model: ClassVar[str | None] = "it trains a second network of the same size"

    margin: Annotated[float, Float(0.3, 3.0, log=True), POSITIVE] = 1.0
    lr: Annotated[float, Float(1e-4, 1e-1, log=True), POSITIVE] = 1e-3

    def model_prepare(self, model: nn.Module, examples: TensorExamples, seed: int) -> None:
        screener = weight_network(model, examples, derive_seed(seed, "screener"))
        self.tell(ranks=examples.ranks)
        self.networks["screener"] = screener
        self.optimizers["screener"] = torch.optim.Adam(
            screener.parameters(), lr=self.lr, fused=True
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
        screener, optimizer = self.networks["screener"], self.optimizers["screener"]
        ranks: Ranks = self.seen["ranks"]
        weights = torch.sigmoid(ranks.divided(screener.train(), inputs))
        optimizer.zero_grad()
        screener_loss(losses.detach(), weights, self.margin).mean().backward()
        ranks.sum_gradients(screener.parameters())
        optimizer.step()
        return (weights.detach() * losses).mean()
