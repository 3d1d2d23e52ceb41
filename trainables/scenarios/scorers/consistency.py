"""Consistency scoring (Jiang, Zhang, Talwar and Mozer, ICML 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from search_spaces import COUNT, Int
from trainables.foundation.randomness import derive_seed
from trainables.learning.scoring import logits_at
from trainables.learning.short_training import RunUp, random_parts, told, trained_copy
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.scorer import Scorer


@dataclass(frozen=True)
class Consistency(Scorer):
    """1 less the share of models right on an example that they were not trained on: its C-score.

    Jiang, Zhang, Talwar and Mozer, "Characterizing Structural Regularities of Labeled Data in
    Overparameterized Models", ICML 2021, eq. 1, for subsets of half the data. The subsets are
    random halves and their complements, so that each example is held out `repeats` times; they
    train thousands of networks to the end. Costs repeats x epochs of training.
    """

    repeats: Annotated[int, Int(1, 5), COUNT] = 2
    epochs: Annotated[int, Int(1, 5), COUNT] = 1

    def difficulty(self, examples: TensorExamples, model: nn.Module, seed: int) -> Tensor:
        right = torch.zeros(len(examples), device=examples.labels.device)
        for repeat in range(self.repeats):
            halves = random_parts(examples, 2, derive_seed(seed, "halving", repeat))
            for half, (held_out, others) in enumerate(halves):
                key = derive_seed(seed, "half", repeat, half)
                trained = trained_copy(model, examples, others, self.epochs, key)
                predicted = logits_at(trained, examples, held_out).argmax(1)
                right[held_out] += (predicted == examples.labels[held_out]).float()
        return 1.0 - right / self.repeats

    def run_up(self) -> RunUp:
        return RunUp(self.repeats * self.epochs, self.repeats)

    def was_given(self) -> str:
        teachers = f"{2 * self.repeats} teachers {told(self.epochs)}"
        return f"{teachers}, each without the half that it scored"
