"""Curriculum learning by a difficulty score and a pacing function."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from trainables.curriculum._paced import PacedCurriculum
from trainables.scorers import Scorer
from trainables.scorers.self_taught import SelfTaught
from trainables.tensors import TensorExamples


@dataclass(frozen=True)
class EasyToHard(PacedCurriculum):
    """Easy examples first (Bengio et al., ICML 2009; Hacohen and Weinshall, ICML 2019).

    A scorer orders the examples once; the pacing says how far into that order training has got.
    """

    scorer: Scorer = SelfTaught()

    def score(self, examples: TensorExamples, model: nn.Module, seed: int) -> Tensor:
        return self.scorer.difficulty(examples, model, seed)
