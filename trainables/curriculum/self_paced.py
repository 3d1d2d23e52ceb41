"""Self-paced learning (Kumar, Packer and Koller, NIPS 2010)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from search_spaces import Bounds, Categorical, Float, Only, Within
from trainables.curriculum._curriculum import Criterion, Curriculum
from trainables.curriculum._paced import admitted
from trainables.pacing import Pacing
from trainables.pacing.linear import Linear
from trainables.scoring import losses_of
from trainables.tensors import TensorExamples

HIGHEST = 0.99
WEIGHTINGS = ["hard", "linear", "logarithmic", "logistic", "polynomial"]


def weights(kind: str, losses: Tensor, threshold: Tensor, order: float = 3.0) -> Tensor:
    """How much examples that were let in count, given their losses now; [batch], in [0, 1].

    With lambda the threshold: hard 1 (Kumar et al., eq. 4); linear 1 - l/lambda and logarithmic
    log(l + 1 - lambda) / log(1 - lambda) (Jiang et al., ACM MM 2014); logistic
    (1 + e^-lambda) / (1 + e^(l - lambda)) (Xu et al., IJCAI 2015); polynomial
    (1 - l/lambda)^(1 / (t - 1)) with the order t > 1 (Gong et al., IEEE TEVC 2019).

    The logarithm needs lambda < 1. Beyond 0.99 losses are measured in units in which lambda is
    0.99: the shape of the weights stays that of 0.99, whatever the losses are.
    """
    if kind == "hard":
        return torch.ones_like(losses)
    if kind == "logistic":
        return (1.0 + torch.exp(-threshold)) / (1.0 + torch.exp(losses - threshold))
    # Losses of examples that are learned by heart are exactly 0, and so may be lambda.
    threshold = threshold.clamp_min(torch.finfo(threshold.dtype).tiny)
    if kind == "logarithmic":
        unit = threshold / threshold.clamp_max(HIGHEST)
        threshold = threshold.clamp_max(HIGHEST)
        return (torch.log1p(losses / unit - threshold) / torch.log1p(-threshold)).clamp(0.0, 1.0)
    below = (1.0 - losses / threshold).clamp(0.0, 1.0)
    return below if kind == "linear" else below ** (1.0 / (order - 1.0))


@dataclass(frozen=True)
class SelfPaced(Curriculum):
    """Before each epoch the examples with the least current loss are let in, ever more of them.

    Kumar, Packer and Koller, "Self-Paced Learning for Latent Variable Models", NIPS 2010, with the
    share let in paced directly, as in CurML, in place of their 1/K: the threshold lambda is the
    loss of the last example let in. Scoring costs a forward pass over all examples an epoch.
    `order` is that of polynomial weights; 2 makes them linear.
    """

    pacing: Pacing = Linear(start=0.0, full_at=0.5)
    weighting: Annotated[str, Categorical(WEIGHTINGS)] = "hard"
    order: Annotated[
        float, Float(1.1, 10.0, log=True), Within(Bounds(above=1.0)), Only(weighting="polynomial")
    ] = 3.0

    def data_curriculum(
        self, examples: TensorExamples, model: nn.Module, progress: float, seed: int
    ) -> Tensor | None:
        count = admitted(self.pacing, progress, len(examples))
        if count == len(examples) and self.weighting == "hard":
            return None
        losses = losses_of(model, examples)
        easiest = losses.argsort(stable=True)[:count]
        self.state["threshold"] = losses[easiest[-1]]
        return easiest

    def loss_curriculum(
        self,
        criterion: Criterion,
        outputs: Tensor,
        labels: Tensor,
        indices: Tensor,
        inputs: Tensor,
    ) -> Tensor:
        losses = criterion(outputs, labels)
        if self.weighting == "hard":
            return losses.mean()
        threshold = self.state["threshold"]
        return (weights(self.weighting, losses.detach(), threshold, self.order) * losses).mean()
