"""Self-paced learning (Kumar, Packer and Koller, NIPS 2010)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from search_spaces import Bounds, Categorical, Float, Formerly, Only, Within
from trainables.learning.scoring import losses_at
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.curriculum import Criterion, Curriculum
from trainables.scenarios.curriculum.order import every_class_first, order_of
from trainables.scenarios.pacing import Pacing
from trainables.scenarios.pacings.linear import Linear

HIGHEST = 0.99
INTERVAL = 0.1
"""The share of the training after which losses are measured anew, if no pass is over by then."""
WEIGHTINGS = ["hard", "linear", "logarithmic", "logistic", "polynomial"]


def weights(kind: str, losses: Tensor, threshold: Tensor, order: float = 3.0) -> Tensor:
    """Weights of the examples let in, from their current losses; [batch], in [0, 1].

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
    """The examples with the least current loss are let in first, then more and more.

    Kumar, Packer and Koller, "Self-Paced Learning for Latent Variable Models", NIPS 2010, with the
    share let in paced directly, as in CurML, in place of their 1/K: the threshold lambda is the
    greatest loss let in. Losses are measured at the beginning of each pass over the data, and at
    least in each tenth of the training: a forward pass over all examples, or in a run of less than
    ten epochs over half as many as are trained on until the next time.

    Kumar et al. and CurML rank all examples together, and the easiest are then of one class for a
    long time. Here classes take turns in proportion; with `balanced: false` one example of each
    class is let in first, and the rest as they rank.

    Soft weights are averaged over the examples let in. CurML averages over all, those beyond
    lambda counting nothing (`averaged_over: all`), which makes for smaller steps at first. `order`
    is that of polynomial weights; 2 makes them linear.
    """

    pacing: Pacing = Linear(start=0.0, full_at=0.5)
    weighting: Annotated[str, Categorical(WEIGHTINGS)] = "hard"
    order: Annotated[
        float, Float(1.1, 10.0, log=True), Within(Bounds(above=1.0)), Only(weighting="polynomial")
    ] = 3.0
    balanced: Annotated[bool, Categorical([True, False]), Formerly(False)] = True
    averaged_over: Annotated[
        str,
        Categorical(["admitted", "all"]),
        Only(weighting=tuple(WEIGHTINGS[1:])),
        Formerly("admitted"),
    ] = "admitted"

    def data_curriculum(
        self, examples: TensorExamples, model: nn.Module, progress: float, seed: int
    ) -> Tensor | None:
        if self.weighting == "hard" and self.share(progress) == 1.0:
            return None
        rows = self.measured_rows(examples)
        losses, labels = losses_at(model, examples, rows), examples.labels[rows]
        order = order_of(losses, labels if self.balanced else None, seed)
        order = every_class_first(order, labels)
        self.state["thresholds"] = losses[order].cummax(0).values
        return rows[order]

    def share(self, progress: float) -> float:
        if self.weighting != "hard" and self.averaged_over == "all":
            return 1.0
        return self.pacing.share(progress)

    def next_choice(self, progress: float) -> float:
        everything = self.weighting == "hard" and self.share(0.0) == 1.0
        return math.inf if everything else progress + INTERVAL

    def threshold(self) -> Tensor:
        """The greatest of the losses let in, a scalar, as they were when they were measured."""
        thresholds = self.state["thresholds"]
        share = self.pacing.share(self.seen.get("progress", 0.0))
        return thresholds[self.enough(share, len(thresholds)) - 1]

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
        kept = weights(self.weighting, losses.detach(), self.threshold(), self.order)
        return (kept * losses).mean()
