"""SimpleShot (Wang, Chao, Weinberger and van der Maaten, arXiv:1911.04623): the baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces import POSITIVE, Float
from trainables.parts.model import Model
from trainables.scenarios.meta_learning.episodes import Labelled, Tasks
from trainables.scenarios.meta_learning.meta_learner import MetaLearner, TrainingStep
from trainables.scenarios.meta_learning.networks import centroids, features, squared_distances
from trainables.scenarios.meta_learning.problems import Classification, Problem

MOST_FOR_THE_MEAN = 1024


@final
@dataclass(frozen=True)
class SimpleShot(MetaLearner):
    """Plain training over all training classes, then the nearest centroid of centred features.

    Wang, Chao, Weinberger and van der Maaten, "SimpleShot: Revisiting Nearest-Neighbor
    Classification for Few-Shot Learning", arXiv:1911.04623, 2019. There is no meta-training: the
    network learns with cross-entropy over the training classes. Features of a task
    have the mean feature of the training data taken off and are divided by their L2 norm
    (CL2N), and a query takes the class of the nearest support centroid. The mean is
    over at most 1,024 training examples, evenly taken.

    Regression has no centroids: there the last layer is fitted to the centred support features by
    least squares with the penalty `ridge` on its weights, which classification does not use.
    """

    ridge: Annotated[float, Float(1e-3, 100.0, log=True), POSITIVE] = 1.0

    @classmethod
    def unused(cls, problem: Problem) -> tuple[str, ...]:
        return ("ridge",) if isinstance(problem, Classification) else ()

    def build(self, model: Model, tasks: Tasks) -> nn.Module:
        return model.build(tasks.input_shape, tasks.classes)

    def loss(self, network: nn.Module, step: TrainingStep) -> Tensor:
        problem = step.tasks.problem
        return step.over_examples(lambda some: problem.losses(network(some.inputs), some.targets))

    def context(self, network: nn.Module, tasks: Tasks) -> Tensor:
        count = min(tasks.examples, MOST_FOR_THE_MEAN)
        indices = torch.arange(count, device=tasks.device) * tasks.examples // count

        def of(some: Tensor) -> Tensor:
            return features(network, tasks.batch(some, seed=0).inputs[None])[0]

        return tasks.ranks.divided(of, indices).mean(0)

    def predict(
        self,
        network: nn.Module,
        problem: Problem,
        support: Labelled,
        inputs: Tensor,
        context: Tensor | None,
    ) -> Tensor:
        assert context is not None
        known, unknown = (features(network, x) - context for x in (support.inputs, inputs))
        if not isinstance(problem, Classification):
            return least_squares(known, support.targets, unknown, self.ridge)
        known, unknown = F.normalize(known, dim=2), F.normalize(unknown, dim=2)
        return -squared_distances(unknown, centroids(known, problem.encode(support.targets)))


def least_squares(known: Tensor, targets: Tensor, unknown: Tensor, ridge: float) -> Tensor:
    """Ridge regression of each task with an unpenalised intercept, in its dual form.

    Args:
        known: features [tasks, examples, features].
        targets: theirs, [tasks, examples, 1].
        unknown: features [tasks, queries, features] to predict for.
        ridge: the penalty on squared weights.

    Returns:
        [tasks, queries, 1].
    """
    middle, level = known.mean(1, keepdim=True), targets.mean(1, keepdim=True)
    known, unknown = known - middle, unknown - middle
    kernel = known @ known.transpose(1, 2)
    penalty = ridge * torch.eye(kernel.shape[1], device=kernel.device)
    dual = torch.linalg.solve(kernel + penalty, targets - level)
    return unknown @ (known.transpose(1, 2) @ dual) + level
