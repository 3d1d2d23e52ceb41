"""SuperLoss (Castells, Weinzaepfel and Revaud, NeurIPS 2020)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from search_spaces import POSITIVE, Categorical, Float
from trainables.scenarios.curriculum.curriculum import Criterion, LossCurriculum

SMOOTHING = 0.9


def lambert_w(x: Tensor) -> Tensor:
    """The principal branch of Lambert's W for x >= -1/e, exactly -1 at -1/e; float64.

    Two of Halley's iterations (Corless et al., 1996, eq. 5.9), from the series around the branch
    point (their eq. 4.22) below -1/4 and from Winitzki's approximation (2003) above. Both are so
    near that the second iteration reaches float64; next to the branch point the series is exact.
    """
    root = torch.sqrt((2.0 * (math.e * x + 1.0)).clamp_min(0.0))
    near = -1.0 + root - root**2 / 3.0 + 11.0 / 72.0 * root**3
    log = torch.log1p(x)
    far = log * (1.0 - torch.log1p(log) / (2.0 + log))
    w = torch.where(x < -0.25, near, far)
    for _ in range(2):
        exponential, above = torch.exp(w), w + 1.0
        excess = w * exponential - x
        w = w - excess / (exponential * above - (w + 2.0) * excess / (2.0 * above))
    return torch.where(root < 1e-3, near, w)


def confidence(losses: Tensor, threshold: Tensor, lam: float) -> Tensor:
    """sigma* of eq. 6: above 1 for easy examples, below 1 for hard ones; [batch]."""
    difficulty = (losses.double() - threshold.double()) / lam
    clamped = (0.5 * difficulty).clamp_min(-1.0 / math.e)
    return torch.exp(-lambert_w(clamped)).to(losses.dtype)


@dataclass(frozen=True)
class SuperLoss(LossCurriculum):
    """Each example's loss, weighted by the model's confidence in it.

    Castells, Weinzaepfel and Revaud, "SuperLoss: A Generic Loss for Robust Curriculum Learning",
    NeurIPS 2020, eq. 3: (l - tau) sigma + lambda (log sigma)^2 at the optimal sigma. The threshold
    tau is log(classes), or a running average of the loss with smoothing 0.9 (their section 3.2).
    """

    lam: Annotated[float, Float(0.1, 10, log=True), POSITIVE] = 1.0
    threshold: Annotated[str, Categorical(["average", "log_classes"])] = "average"

    def loss_curriculum(
        self,
        criterion: Criterion,
        outputs: Tensor,
        labels: Tensor,
        indices: Tensor,
        inputs: Tensor,
    ) -> Tensor:
        losses = criterion(outputs, labels)
        tau = self._threshold(losses.detach(), outputs.shape[1])
        sigma = confidence(losses.detach(), tau, self.lam)
        return ((losses - tau) * sigma + self.lam * torch.log(sigma) ** 2).mean()

    def _threshold(self, losses: Tensor, num_classes: int) -> Tensor:
        if self.threshold == "log_classes":
            return torch.full_like(losses[0], math.log(num_classes))
        mean = losses.mean()
        past = self.state.get("average", mean)
        self.state["average"] = SMOOTHING * past + (1.0 - SMOOTHING) * mean
        return self.state["average"]
