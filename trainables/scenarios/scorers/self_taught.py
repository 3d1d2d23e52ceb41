"""Self-taught scoring (Hacohen and Weinshall, ICML 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor, nn

from search_spaces import COUNT, Int
from trainables.learning.scoring import losses_of
from trainables.learning.short_training import RunUp, all_rows, told, trained_copy
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.scorer import Scorer


@dataclass(frozen=True)
class SelfTaught(Scorer):
    """The loss under a copy of the model that was first trained on all data, without curriculum.

    Hacohen and Weinshall, "On the Power of Curriculum Learning in Training Deep Networks", ICML
    2019, section 2.1. They train the copy to the end; few epochs tell easy from hard for less, and
    what they cost is taken off the run.
    """

    epochs: Annotated[int, Int(1, 3), COUNT] = 2

    def difficulty(self, examples: TensorExamples, model: nn.Module, seed: int) -> Tensor:
        copied = trained_copy(model, examples, all_rows(examples), self.epochs, seed)
        return losses_of(copied, examples)

    def run_up(self) -> RunUp:
        return RunUp(self.epochs, 1)

    def was_given(self) -> str:
        return f"a copy of itself {told(self.epochs)}"
