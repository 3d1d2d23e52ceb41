"""Cross-validated scoring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces import COUNT, Int, Within
from trainables.foundation.randomness import derive_seed
from trainables.learning.scoring import logits_at
from trainables.learning.short_training import RunUp, random_parts, told, trained_copy
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.scorer import Scorer


@dataclass(frozen=True)
class CrossValidated(Scorer):
    """The loss of each example under a copy of the model that was not trained on it.

    Much like the cross review of Xu et al. ("Curriculum Learning for Natural Language
    Understanding", ACL 2020), whose teachers are trained on one fold each. Here each fold is
    scored by a copy trained on all the others, so that nothing is scored that was learnt by
    heart. Costs (folds - 1) x epochs of training and one pass.
    """

    folds: Annotated[int, Int(2, 5), Within(Int(2, 1_000_000))] = 2
    epochs: Annotated[int, Int(1, 5), COUNT] = 2

    def difficulty(self, examples: TensorExamples, model: nn.Module, seed: int) -> Tensor:
        losses = torch.empty(len(examples), device=examples.labels.device)
        for fold, (held_out, others) in enumerate(random_parts(examples, self.folds, seed)):
            key = derive_seed(seed, "fold", fold)
            trained = trained_copy(model, examples, others, self.epochs, key)
            logits, labels = logits_at(trained, examples, held_out), examples.labels[held_out]
            losses[held_out] = F.cross_entropy(logits, labels, reduction="none").float()
        return losses

    def run_up(self) -> RunUp:
        return RunUp((self.folds - 1) * self.epochs, 1)

    def was_given(self) -> str:
        return f"{self.folds} teachers {told(self.epochs)}, each without the fold that it scored"
