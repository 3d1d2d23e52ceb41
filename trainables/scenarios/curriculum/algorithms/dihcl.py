"""Curriculum learning by dynamic instance hardness (Zhou, Wang and Bilmes, NeurIPS 2020)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn

from search_spaces import POSITIVE_SHARE, SHARE, Categorical, Float
from trainables.foundation.randomness import derive_seed
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.curriculum import Criterion, Curriculum
from trainables.scenarios.curriculum.sampling import drawn, remember

EPOCHS = 200
INTERVAL = 0.1
LEAST, LEAST_BETA = 1e-6, 0.01
CEILING = 1.0
"""The c of DIHCL-Beta, if no hardness is above it; else 0.1 more than the greatest."""


def beta_draws(hardness: Tensor, seed: int) -> Tensor:
    """A number from Beta(r, c - r) for each example's hardness r, [n]."""
    # On the host, where the same seed draws the same for every device and rank.
    r = hardness.double().clamp_min(LEAST_BETA).cpu().numpy()
    ceiling = CEILING if r.max() < CEILING else r.max() + 0.1
    found = np.random.default_rng(seed).beta(r, ceiling - r)
    return torch.from_numpy(found).to(hardness.device)


@dataclass(frozen=True)
class DIHCL(Curriculum):
    """Examples that stay hard are drawn more often (Zhou, Wang and Bilmes, NeurIPS 2020).

    Zhou, Wang and Bilmes, "Curriculum Learning by Dynamic Instance Hardness", NeurIPS 2020. The
    hardness of an example is a running average, r <- discount a + (1 - discount) r, over the
    epochs that it took part in; a is its loss, by how much the loss changed since it was last
    seen, or whether the prediction has turned right or wrong since. All examples take part in the
    warm-up. Then each pass, and each tenth of the training, draws a subset without replacement: by
    r (DIHCL-Rand), by exp(sqrt(2 log n / n) r) (DIHCL-Exp), or by a number drawn from
    Beta(r, c - r), as in Thompson sampling (DIHCL-Beta), c being 1 or, where some r is greater,
    0.1 more than the greatest, as in CurML. Costs no pass.

    The subset's share of the data is max(decay^k, bottom) in the k-th of 200 equal parts of the
    training after the warm-up (CurML and CurBench: of 200 epochs). An example of which nothing is
    known yet counts like the average of the others. Unlike in the paper, a is not divided by the
    learning rate, which a curriculum is not told, nor by the probability of the draw in
    DIHCL-Exp; nor is the latter in the authors' code.
    """

    hardness: Annotated[str, Categorical(["loss", "loss_change", "prediction_flip"])] = "loss"
    sampling: Annotated[str, Categorical(["rand", "exp", "beta"])] = "rand"
    warm_up: Annotated[float, Float(0.02, 0.5), SHARE] = 0.25
    discount: Annotated[float, Float(0.1, 1.0), SHARE] = 0.9
    decay: Annotated[float, Float(0.8, 1.0), POSITIVE_SHARE] = 0.9
    bottom: Annotated[float, Float(0.1, 1.0), POSITIVE_SHARE] = 0.5

    def model_prepare(self, model: nn.Module, examples: TensorExamples, seed: int) -> None:
        blank = torch.zeros(len(examples), device=examples.labels.device)
        self.state["hardness"], self.state["last"] = blank, blank.clone()
        self.state["seen"] = torch.zeros_like(examples.labels)

    def data_curriculum(
        self, examples: TensorExamples, model: nn.Module, progress: float, seed: int
    ) -> Tensor | None:
        if self.share(progress) == 1.0:
            return None
        # The first of an order that is drawn are what a smaller subset would have been.
        return drawn(self.log_weights(seed), len(examples), seed)

    def share(self, progress: float) -> float:
        if progress < self.warm_up:
            return 1.0
        since = int((progress - self.warm_up) * EPOCHS + 1e-9) + 1
        return max(self.decay**since, self.bottom)

    def next_choice(self, progress: float) -> float:
        if self.bottom == 1.0:
            return math.inf
        return self.warm_up if progress < self.warm_up else progress + INTERVAL

    def log_weights(self, seed: int = 0) -> Tensor:
        """The logarithm of what each example is drawn in proportion to, [n]; `seed` for Beta."""
        # A change takes two looks.
        known = self.state["seen"] >= (1 if self.hardness == "loss" else 2)
        hardness = self.state["hardness"]
        average = torch.where(known, hardness, 0.0).sum() / known.sum().clamp_min(1)
        hardness = torch.where(known, hardness, average)
        if self.sampling == "exp":
            return math.sqrt(2.0 * math.log(len(hardness)) / len(hardness)) * hardness
        if self.sampling == "beta":
            hardness = beta_draws(hardness, derive_seed(seed, "beta"))
        return hardness.clamp_min(LEAST).log()

    def loss_curriculum(
        self,
        criterion: Criterion,
        outputs: Tensor,
        labels: Tensor,
        indices: Tensor,
        inputs: Tensor,
    ) -> Tensor:
        losses = criterion(outputs, labels)
        if self.hardness == "prediction_flip":
            self._note((outputs.argmax(1) == labels).to(losses.dtype), indices)
        else:
            self._note(losses.detach(), indices)
        return losses.mean()

    def _note(self, now: Tensor, indices: Tensor) -> None:
        """Takes down what is found now of a batch's examples: their losses, or who is right."""
        past, seen = self.state["hardness"][indices], self.state["seen"][indices]
        found = now if self.hardness == "loss" else (now - self.state["last"][indices]).abs()
        updated = self.discount * found + (1.0 - self.discount) * past
        if self.hardness != "loss":
            updated = torch.where(seen > 0, updated, past)
        remember(self.state["hardness"], indices, updated)
        remember(self.state["last"], indices, now)
        remember(self.state["seen"], indices, seen + 1)
