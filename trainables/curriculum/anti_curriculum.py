"""The control that turns a curriculum round."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from trainables.curriculum._paced import ScoredCurriculum
from trainables.tensors import TensorExamples


@dataclass(frozen=True)
class AntiCurriculum(ScoredCurriculum):
    """Hard examples first: a control (Wu, Dyer and Neyshabur, ICLR 2021).

    If it does as well as `easy_to_hard`, the order was not what helped.
    """

    def score(self, examples: TensorExamples, model: nn.Module, seed: int) -> Tensor:
        return -super().score(examples, model, seed)
