"""Short trainings beside the run: those of scorers and teachers."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.foundation.randomness import derive_seed, permutation
from trainables.learning.tensors import TensorExamples
from trainables.ranks.sharding import UnderWeights, copied_weights, with_weights

BATCH = 64
LEARNING_RATE = 1e-3

Observe = Callable[[Tensor, Tensor], None]


@dataclass(frozen=True)
class RunUp:
    """Paid work before the first step: trainings, and passes that train nothing.

    Attributes:
        epochs: of training a network like the model, over all examples.
        passes: forward passes over all examples.
    """

    epochs: float = 0.0
    passes: float = 0.0

    def __add__(self, other: RunUp) -> RunUp:
        return RunUp(self.epochs + other.epochs, self.passes + other.passes)

    def compute(self, unit: float, forward: float) -> float:
        """Its FLOPs, given those of an epoch's training and of a forward pass."""
        return self.epochs * unit + self.passes * forward


def trained_copy(
    model: nn.Module,
    examples: TensorExamples,
    rows: Tensor,
    epochs: int,
    seed: int,
    *,
    annealed: bool = False,
    observe: Observe | None = None,
) -> nn.Module:
    """A copy of a model, trained with AdamW and without a curriculum on some of the examples.

    Args:
        model: as it stands; it is left as it is.
        examples: all examples.
        rows: indices of those to train on, [m].
        epochs: passes over them.
        seed: decides their order.
        annealed: whether the learning rate falls to 0 along a cosine, else it is constant.
        observe: told of each step the batch's indices [batch] and the logits [batch, classes]
            from which the step is taken.
    """
    train = partial(_train, examples, rows, epochs, seed, annealed, observe)
    if not examples.ranks.sharded:
        copied = copy.deepcopy(model)
        train(copied)
        return copied
    # What is divided cannot be copied: it is trained itself, and put back.
    with with_weights(model, model.state_dict()):
        train(model)
        weights = copied_weights(model)
    return UnderWeights(model, weights)


def _train(
    examples: TensorExamples,
    rows: Tensor,
    epochs: int,
    seed: int,
    annealed: bool,
    observe: Observe | None,
    model: nn.Module,
) -> None:
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=LEARNING_RATE, fused=True)
    ranks, steps = examples.ranks, epochs * math.ceil(len(rows) / BATCH)
    for step, batch in enumerate(_batches(rows, epochs, seed)):
        if annealed:
            rate = 0.5 * LEARNING_RATE * (1.0 + math.cos(math.pi * step / steps))
            optimizer.param_groups[0]["lr"] = rate
        logits = ranks.divided(lambda own: model(examples.inputs[own]), batch)
        if observe is not None:
            observe(batch, logits.detach())
        loss = F.cross_entropy(logits, examples.labels[batch])
        optimizer.zero_grad()
        loss.backward()
        ranks.sum_gradients(model.parameters())
        optimizer.step()


def _batches(rows: Tensor, epochs: int, seed: int) -> Iterator[Tensor]:
    """Shuffled batches of each epoch."""
    for epoch in range(epochs):
        order = permutation(len(rows), derive_seed(seed, "scorer", epoch)).to(rows.device)
        for batch in rows[order].split(BATCH):
            # A last batch of one would have no variance for batch normalisation.
            if len(batch) > 1 or len(rows) == 1:
                yield batch


def told(epochs: int) -> str:
    """Describe the length of a training, for reports."""
    return f"trained for {epochs} epoch{'' if epochs == 1 else 's'} on the same labels"


def all_rows(examples: TensorExamples) -> Tensor:
    """The indices of all examples [n]."""
    return torch.arange(len(examples), device=examples.labels.device)


def random_parts(examples: TensorExamples, parts: int, seed: int) -> list[tuple[Tensor, Tensor]]:
    """The examples divided at random; of each part its own indices, and those of all others.

    Parts differ in size by one at most; empty ones are left out.
    """
    order = permutation(len(examples), derive_seed(seed, "parts")).to(examples.labels.device)
    divided = order.tensor_split(parts)
    return [
        (part, torch.cat([*divided[:number], *divided[number + 1 :]]))
        for number, part in enumerate(divided)
        if len(part) > 0
    ]
