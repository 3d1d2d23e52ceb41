"""The control that turns a curriculum round."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.paced import ScoredCurriculum


@dataclass(frozen=True)
class AntiCurriculum(ScoredCurriculum):
    """Hard examples first: a control (Wu, Dyer and Neyshabur, ICLR 2021).

    If it does as well as `easy_to_hard`, the order was not what helped.
    """

    def score(self, examples: TensorExamples, model: nn.Module, seed: int) -> Tensor:
        return -super().score(examples, model, seed)
