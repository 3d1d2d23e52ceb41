"""Learning to reweight examples (Ren, Zeng, Yang and Urtasun, ICML 2018)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from trainables.scenarios.curriculum.curriculum import Criterion
from trainables.scenarios.curriculum.meta import MetaCurriculum


def weights(agreement: Tensor) -> Tensor:
    """max(u, 0) / sum of it, [batch]; all 0 where no example helps (their eqs. 9 and 10)."""
    helping = agreement.clamp_min(0.0)
    total = helping.sum()
    return helping / (total + (total == 0.0))


@dataclass(frozen=True)
class LearningToReweight(MetaCurriculum):
    """Examples weighted by the decrease of a meta set's loss after a step on each.

    Ren, Zeng, Yang and Urtasun, "Learning to Reweight Examples for Robust Deep Learning",
    ICML 2018, algorithm 1. Weights begin at 0 in the virtual step, so it goes nowhere and the
    derivative is taken at theta itself; its learning rate cancels when the weights are normalised.
    A step costs about three of the baseline's.
    """

    def loss_curriculum(
        self,
        criterion: Criterion,
        outputs: Tensor,
        labels: Tensor,
        indices: Tensor,
        inputs: Tensor,
    ) -> Tensor:
        losses = criterion(outputs, labels)
        return (weights(self.agreement(criterion, inputs, labels)) * losses).sum()
