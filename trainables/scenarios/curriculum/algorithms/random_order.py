"""The control that keeps the pacing and drops the difficulty."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from trainables.foundation.randomness import derive_seed, permutation
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.paced import PacedCurriculum


@dataclass(frozen=True)
class RandomOrder(PacedCurriculum):
    """A random order under the same pacing: a control (Wu, Dyer and Neyshabur, ICLR 2021).

    If it does as well as `easy_to_hard`, the growing amount of data was what helped.
    """

    def score(self, examples: TensorExamples, model: nn.Module, seed: int) -> Tensor:
        drawn = permutation(len(examples), derive_seed(seed, "random_order"))
        return drawn.to(examples.labels.device)
