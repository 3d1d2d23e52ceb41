"""FixMatch (Sohn et al., NeurIPS 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from search_spaces import SHARE, Float
from trainables.scenarios.semi_supervised.batch import Batch
from trainables.scenarios.semi_supervised.consistency import Consistency
from trainables.scenarios.semi_supervised.networks import Networks
from trainables.scenarios.semi_supervised.pseudo_labels import confident, masked_cross_entropy


@dataclass(frozen=True)
class FixMatch(Consistency):
    """Confident predictions on a weak view become labels of a strong view of the same input.

    Sohn et al., "FixMatch: Simplifying Semi-Supervised Learning with Consistency and Confidence",
    NeurIPS 2020: 1/μB Σ 1(max q_b ≥ τ) H(argmax q_b, p(strong view of b)), with q_b the answer on
    the weak view. λ = 1, μ = 7, τ = 0.95, average of weights 0.999 (TorchSSL has the same).
    """

    threshold: Annotated[float, Float(0.5, 0.99), SHARE] = 0.95

    def unlabelled_loss(self, batch: Batch, networks: Networks) -> Tensor:
        q = networks.probabilities(batch.weak())
        mask = confident(q, self.threshold)
        return masked_cross_entropy(networks.logits(batch.strong()), q.argmax(1), mask)
