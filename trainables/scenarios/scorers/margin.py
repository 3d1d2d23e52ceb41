"""Scoring by the margin of a teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from search_spaces import COUNT, Int
from trainables.learning.scoring import logits_at
from trainables.learning.short_training import RunUp, all_rows, told, trained_copy
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.scorer import Scorer


def negative_margin(logits: Tensor, labels: Tensor) -> Tensor:
    """The highest logit of another class less that of the label; [n], below 0 where right."""
    own = logits.gather(1, labels[:, None]).squeeze(1)
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return others.max(1).values - own


@dataclass(frozen=True)
class Margin(Scorer):
    """A teacher's distance from the label: the best other logit less the label's.

    The margin of Crammer and Singer (JMLR 2001). Weinshall, Cohen and Amir (ICML 2018) rank by
    the margin of a classifier on a teacher's features. Unlike the loss it does not run out of
    digits where a teacher is sure.
    """

    epochs: Annotated[int, Int(1, 30, log=True), COUNT] = 3

    def difficulty(self, examples: TensorExamples, model: nn.Module, seed: int) -> Tensor:
        rows = all_rows(examples)
        teacher = trained_copy(model, examples, rows, self.epochs, seed, annealed=True)
        return negative_margin(logits_at(teacher, examples, rows), examples.labels)

    def run_up(self) -> RunUp:
        return RunUp(self.epochs, 1)

    def was_given(self) -> str:
        return f"a teacher {told(self.epochs)}"
