"""Scoring by transfer from a teacher (Weinshall, Cohen and Amir, ICML 2018)."""

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
class Teacher(Scorer):
    """The loss under a frozen teacher whose training was brought to its end.

    Weinshall, Cohen and Amir, "Curriculum Learning by Transfer Learning", ICML 2018; as in CurML
    and CurBench the teacher is a network like the model. It learns from the labels of the run,
    flipped ones among them, and its `epochs`, in which the learning rate falls to 0, are taken off
    the run.
    """

    epochs: Annotated[int, Int(1, 30, log=True), COUNT] = 3

    def difficulty(self, examples: TensorExamples, model: nn.Module, seed: int) -> Tensor:
        rows = all_rows(examples)
        return losses_of(
            trained_copy(model, examples, rows, self.epochs, seed, annealed=True), examples
        )

    def run_up(self) -> RunUp:
        return RunUp(self.epochs, 1)

    def was_given(self) -> str:
        return f"a teacher {told(self.epochs)}"
