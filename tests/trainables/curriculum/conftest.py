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

from trainables.data import DataView
from trainables.learning.learner import Learner
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum import Curriculum

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


@pytest.fixture
def let_in() -> Callable[..., Tensor | None]:
    """The examples that an algorithm chooses and lets in at a progress; None for all."""

    def of(
        algorithm: Curriculum, examples: TensorExamples, model: nn.Module, at: float, seed: int
    ) -> Tensor | None:
        chosen = algorithm.data_curriculum(examples, model, at, seed)
        return None if chosen is None else chosen[: algorithm.let_in(at, len(chosen))]

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


@pytest.fixture(scope="session")
def declared_clean(flipped: tuple[DataView, Tensor]) -> DataView:
    """Those data with a column that knows a quarter of the examples to be clean."""
    view, flips = flipped
    clean = ~flips.numpy() & (np.arange(len(flips)) % 2 == 0)
    assert 40 < clean.sum() < 80
    return replace(view, train=replace(view.train, columns={"clean": clean}))


@pytest.fixture
def take_steps() -> Callable[[Learner, int], None]:
    """Takes a number of a new learner's steps, whatever they cost."""

    def take(learner: Learner, count: int) -> None:
        learner.begin(1000.0)
        with learner._random.active():
            for _ in range(count):
                if learner.step_in_epoch == 0:
                    learner.open_epoch()
                    learner.epoch_paid()
                learner.step()
                learner.step_in_epoch = (learner.step_in_epoch + 1) % learner.steps_per_epoch
                learner.epoch += learner.step_in_epoch == 0

    return take


class Product(nn.Module):
    """The inner product of inputs and weights, both in the plane."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs @ self.weight


@pytest.fixture
def in_the_plane() -> tuple[nn.Module, TensorExamples, Callable[[Tensor, Tensor], Tensor]]:
    """Examples whose losses <x, weight> have the gradients x, whatever the weights.

    Those known to be clean are (1, 0) and (0, 1), so that their mean loss has the gradient (1/2,
    1/2). Its products with the others, (1, 1), (2, 0), (-2, 0) and (0, 4), are 1, 1, -1 and 2.
    """
    inputs = torch.tensor([[1.0, 0], [0, 1], [1, 1], [2, 0], [-2, 0], [0, 4]])
    clean = torch.tensor([True, True, False, False, False, False])
    labels = torch.tensor([0, 1, 0, 1, 0, 1])
    examples = TensorExamples(inputs, labels, columns={"clean": clean})
    return Product(), examples, lambda outputs, labels: outputs
