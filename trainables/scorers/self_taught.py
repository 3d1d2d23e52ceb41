"""Self-taught scoring (Hacohen and Weinshall, ICML 2019)."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces import Int
from trainables.randomness import derive_seed, permutation
from trainables.scorers._scorer import Scorer
from trainables.scoring import losses_of
from trainables.tensors import TensorExamples

BATCH = 64
LEARNING_RATE = 1e-3


def teacher_of(model: nn.Module, examples: TensorExamples, epochs: int, seed: int) -> nn.Module:
    """A copy of a model, trained on all examples for some epochs; the model is left as it is."""
    teacher = copy.deepcopy(model).train()
    optimizer = torch.optim.AdamW(teacher.parameters(), lr=LEARNING_RATE, fused=True)
    for epoch in range(epochs):
        order = permutation(len(examples), derive_seed(seed, "self_taught", epoch))
        # A last batch of one would have no variance for batch normalisation.
        for batch in order.to(examples.labels.device).split(BATCH):
            if len(batch) == 1 and len(examples) > 1:
                continue
            own = batch[examples.ranks.share(len(batch))]
            logits = examples.ranks.gather(teacher(examples.inputs[own]), len(batch))
            loss = F.cross_entropy(logits, examples.labels[batch])
            optimizer.zero_grad()
            loss.backward()
            examples.ranks.sum_gradients(teacher.parameters())
            optimizer.step()
    return teacher


@dataclass(frozen=True)
class SelfTaught(Scorer):
    """The loss under a copy of the model that was first trained on all data, without curriculum.

    Hacohen and Weinshall, "On the Power of Curriculum Learning in Training Deep Networks", ICML
    2019, section 2.1. They train the copy to the end; few epochs tell easy from hard for less, and
    what they cost is taken off the run.
    """

    epochs: Annotated[int, Int(1, 3)] = 2

    def difficulty(self, examples: TensorExamples, model: nn.Module, seed: int) -> Tensor:
        return losses_of(teacher_of(model, examples, self.epochs, seed), examples)
