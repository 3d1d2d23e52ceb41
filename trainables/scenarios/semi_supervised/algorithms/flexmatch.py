"""FlexMatch (Zhang et al., NeurIPS 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from search_spaces import NOT_NEGATIVE, SHARE, Categorical, Float
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.semi_supervised.batch import Batch
from trainables.scenarios.semi_supervised.consistency import Consistency
from trainables.scenarios.semi_supervised.networks import Networks
from trainables.scenarios.semi_supervised.pseudo_labels import confident, masked_cross_entropy


@dataclass(frozen=True)
class FlexMatch(Consistency):
    """FixMatch with a threshold for each class, lower for classes that are not learnt well yet.

    Zhang et al., "FlexMatch: Boosting Semi-Supervised Learning with Curriculum Pseudo Labeling",
    NeurIPS 2021. û_n is the last class that example n was sure of at the fixed threshold τ, and
    σ(c) the number of examples with û = c. A class is learnt as well as β(c) = σ(c) /
    max(max σ, N - Σ σ) (without the warm-up σ(c) / max σ, which leaves the unused examples out),
    and its threshold is the convex mapping τ β(c) / (2 - β(c)). A step's thresholds come from the
    steps before it. μ, τ and average are FixMatch's.

    The thresholds begin at 0: every first answer is let in, however unsure. Over 2^20 steps that
    passes; in a short run their weight of 1 drowns the labels (docs/results/ranges.md), so the
    default is 0.1 and the range goes down to 0.01.
    """

    weight: Annotated[float, Float(0.01, 10.0, log=True), NOT_NEGATIVE] = 0.1
    threshold: Annotated[float, Float(0.5, 0.99), SHARE] = 0.95
    warm_up: Annotated[bool, Categorical([True, False])] = True

    def prepare(self, examples: TensorExamples, num_classes: int) -> None:
        # The class after the last stands for "never sure of any".
        self.state["last_sure_class"] = torch.full_like(examples.labels, num_classes)

    def unlabelled_loss(self, batch: Batch, networks: Networks) -> Tensor:
        q = networks.probabilities(batch.weak())
        pseudo_labels = q.argmax(1)
        mask = confident(q, self.class_thresholds(q.shape[1])[pseudo_labels])
        self._remember(batch.indices, pseudo_labels, confident(q, self.threshold))
        return masked_cross_entropy(networks.logits(batch.strong()), pseudo_labels, mask)

    def class_thresholds(self, num_classes: int) -> Tensor:
        """The threshold of each class, from what examples have been sure of so far."""
        last = self.state["last_sure_class"]
        counts = torch.zeros(num_classes + 1, dtype=torch.int64, device=last.device)
        counts.scatter_add_(0, last, torch.ones_like(last))
        sigma, unused = counts[:-1], counts[-1]
        most = torch.maximum(sigma.amax(), unused) if self.warm_up else sigma.amax()
        beta = sigma / most.clamp_min(1)
        return self.threshold * beta / (2.0 - beta)

    def _remember(self, indices: Tensor, pseudo_labels: Tensor, sure: Tensor) -> None:
        last = self.state["last_sure_class"]
        last[indices] = torch.where(sure, pseudo_labels, last[indices])
