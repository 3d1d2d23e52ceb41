"""Scoring by the model itself, as it stands."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from trainables.learning.scoring import losses_of
from trainables.learning.short_training import RunUp
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.scorer import Scorer


@dataclass(frozen=True)
class CurrentLoss(Scorer):
    """The loss under the model itself when it is scored (Kumar, Packer and Koller, NIPS 2010).

    One forward pass. A curriculum that scores once does so before the first step, so this says
    much of a model that starts from trained weights, and little of one that does not.
    """

    def difficulty(self, examples: TensorExamples, model: nn.Module, seed: int) -> Tensor:
        return losses_of(model, examples)

    def run_up(self) -> RunUp:
        return RunUp(passes=1)
