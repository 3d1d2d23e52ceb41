"""Networks with known answers, and learners of parts that are given as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from trainables.data import DataView
from trainables.learning.tensors import TensorView
from trainables.parts.models.mlp import MLP
from trainables.parts.optimizers.adamw import AdamW
from trainables.parts.sections.training import Training
from trainables.parts.view import Views
from trainables.parts.views.vector import VectorViews
from trainables.scenarios.semi_supervised import SemiSupervised
from trainables.scenarios.semi_supervised.batch import Batch
from trainables.scenarios.semi_supervised.learner import SemiSupervisedLearner
from trainables.scenarios.semi_supervised.recipe import Recipe
from trainables.scenarios.semi_supervised.view import PartlyLabelled


@dataclass(frozen=True)
class Named(Views):
    """Views that only say which they are: the first feature is 0 for weak and 1 for strong."""

    def weak(self, inputs: Tensor, indices: Tensor, key: int) -> Tensor:
        return torch.zeros_like(inputs)

    def strong(self, inputs: Tensor, indices: Tensor, key: int) -> Tensor:
        return torch.ones_like(inputs)


@dataclass
class Told:
    """Networks that give these logits on weak and strong views, and those of their average."""

    weak: Tensor
    strong: Tensor
    average: Tensor | None = None
    asked: list[str] = field(default_factory=list)

    def logits(self, inputs: Tensor) -> Tensor:
        strong = bool(inputs.flatten()[0] == 1.0)
        self.asked.append("strong" if strong else "weak")
        return self.strong if strong else self.weak

    def probabilities(self, inputs: Tensor) -> Tensor:
        with torch.no_grad():
            return self.logits(inputs).softmax(1)

    def average_probabilities(self, inputs: Tensor) -> Tensor:
        assert self.average is not None
        with torch.no_grad():
            return self.average.softmax(1)


def log(probabilities: list[list[float]]) -> Tensor:
    """Logits whose softmax is this; they need gradients."""
    return torch.tensor(probabilities).log().requires_grad_()


@pytest.fixture
def told() -> Callable[..., Told]:
    """Networks by their probabilities on weak and strong views, and those of the average."""

    def make(weak: list[list[float]], strong: list[list[float]], average: Any = None) -> Told:
        return Told(log(weak), log(strong), None if average is None else log(average))

    return make


@pytest.fixture
def batch_of() -> Callable[[list[int]], Batch]:
    """A batch of these examples."""
    return lambda indices: Batch(
        torch.zeros(len(indices), 1), torch.tensor(indices), Named(), key=0
    )


@pytest.fixture
def learner_of(vectors: DataView) -> Callable[..., SemiSupervisedLearner]:
    """A learner of an algorithm as it stands, on the vectors with 60 labels, begun."""

    def make(
        algorithm: SemiSupervised, horizon: float = 8.0, seed: int = 0, **sections: Any
    ) -> SemiSupervisedLearner:
        recipe = Recipe(
            algorithm,
            AdamW(lr=0.01),
            training=Training(batch_size=32),
            view=VectorViews(),
            model=MLP(width=16),
        )
        cpu = torch.device("cpu")
        data = TensorView.of(PartlyLabelled.of(vectors, 60, seed=0), cpu)
        learner = SemiSupervisedLearner(replace(recipe, **sections), data, seed, cpu)
        learner.begin(horizon)
        return learner

    return make


@pytest.fixture
def take_steps() -> Callable[[SemiSupervisedLearner, int], None]:
    """Takes so many steps, whatever they cost."""

    def take(learner: SemiSupervisedLearner, steps: int) -> None:
        for _ in range(steps):
            if learner.step_in_epoch == 0:
                learner.open_epoch()
            learner.step()
            learner.step_in_epoch += 1
            if learner.step_in_epoch == learner.steps_per_epoch:
                learner.epoch, learner.step_in_epoch = learner.epoch + 1, 0

    return take
