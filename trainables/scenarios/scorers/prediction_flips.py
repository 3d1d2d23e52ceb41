"""Forgetting events (Toneva et al., ICLR 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from search_spaces import Int, Within
from trainables.learning.short_training import RunUp, all_rows, told, trained_copy
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.scorer import Scorer


class _Forgetting:
    """Counts, of n examples, how often a right prediction is followed by a wrong one."""

    def __init__(self, labels: Tensor) -> None:
        self.labels = labels
        self.right = torch.zeros_like(labels, dtype=torch.bool)
        self.learnt = torch.zeros_like(self.right)
        self.events = torch.zeros_like(labels)

    def observe(self, batch: Tensor, logits: Tensor) -> None:
        """Takes down what is predicted of a batch when it is its turn."""
        right = logits.argmax(1) == self.labels[batch]
        self.events[batch] += (self.right[batch] & ~right).long()
        self.learnt[batch] |= right
        self.right[batch] = right


@dataclass(frozen=True)
class PredictionFlips(Scorer):
    """Number of times that a copy of the model forgets an example while it is trained.

    Toneva et al., "An Empirical Study of Example Forgetting during Deep Neural Network Learning",
    ICLR 2019, algorithm 1: a prediction is looked at when its example is in the batch, and a step
    from right to wrong is a forgetting event. What is never right counts as `epochs` events, more
    than there can be. Costs the training alone.
    """

    epochs: Annotated[int, Int(2, 10), Within(Int(2, 1_000_000))] = 3

    def difficulty(self, examples: TensorExamples, model: nn.Module, seed: int) -> Tensor:
        seen = _Forgetting(examples.labels)
        rows = all_rows(examples)
        trained_copy(model, examples, rows, self.epochs, seed, observe=seen.observe)
        return torch.where(seen.learnt, seen.events, self.epochs).float()

    def run_up(self) -> RunUp:
        return RunUp(self.epochs)

    def was_given(self) -> str:
        return f"a copy of itself {told(self.epochs)}"
