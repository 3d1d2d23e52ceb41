"""Batches and problems for the algorithms' known answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.curriculum import Curriculum
from trainables.data import DataView
from trainables.tensors import TensorExamples

cross_entropy = partial(F.cross_entropy, reduction="none")


@pytest.fixture
def loss_of() -> Callable[..., Tensor]:
    """The loss of an algorithm on a batch whose examples have these losses."""

    def of(algorithm: Curriculum, losses: Tensor, classes: int = 3) -> Tensor:
        batch = len(losses)
        labels, indices = torch.zeros(batch, dtype=torch.int64), torch.arange(batch)
        return algorithm.loss_curriculum(
            lambda outputs, labels: losses,
            torch.zeros(batch, classes),
            labels,
            indices,
            torch.zeros(batch, 1),
        )

    return of


@pytest.fixture
def gradient_of() -> Callable[..., Tensor]:
    """The gradient with respect to logits of an algorithm's loss under cross-entropy."""

    def of(algorithm: Curriculum, logits: Tensor, labels: Tensor) -> Tensor:
        logits = logits.detach().clone().requires_grad_()
        indices = torch.arange(len(labels))
        loss = algorithm.loss_curriculum(cross_entropy, logits, labels, indices, logits.detach())
        return torch.autograd.grad(loss, logits)[0]

    return of


class Told(nn.Module):
    """Gives logits [l, 0] for an input l, so that label 1 has the loss log(1 + e^l)."""

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.cat([inputs, torch.zeros_like(inputs)], 1)


@pytest.fixture
def ranked() -> Callable[..., tuple[TensorExamples, nn.Module]]:
    """Examples, and a model under which their losses have this order."""

    def of(order_of_losses: list[float]) -> tuple[TensorExamples, nn.Module]:
        inputs = torch.tensor(order_of_losses)[:, None]
        return TensorExamples(inputs, torch.ones(len(inputs), dtype=torch.int64)), Told()

    return of


@pytest.fixture(scope="session")
def flipped(vectors: DataView) -> tuple[DataView, Tensor]:
    """The vectors with 40 % of the training labels moved to another class, and which those are."""
    rng = np.random.default_rng(3)
    flips = rng.permutation(len(vectors.train)) < 0.4 * len(vectors.train)
    labels = np.where(
        flips, (vectors.train.labels + rng.integers(1, 3, len(flips))) % 3, vectors.train.labels
    )
    assert np.array_equal(labels != vectors.train.labels, flips)
    return replace(vectors, train=replace(vectors.train, labels=labels)), torch.from_numpy(flips)
