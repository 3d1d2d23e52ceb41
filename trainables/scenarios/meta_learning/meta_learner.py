"""The base of every meta-learning algorithm."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from trainables.learning.algorithm import Algorithm
from trainables.parts.model import Model
from trainables.scenarios.meta_learning.episodes import Episodes, EpisodeShape, Labelled, Tasks
from trainables.scenarios.meta_learning.problems import Problem


@dataclass(frozen=True)
class TrainingStep:
    """The data of one step; an algorithm takes whole tasks or single examples.

    Attributes:
        tasks: the training tasks.
        shape: the size of the tasks that will have to be learnt.
        indices: the examples whose turn it is, [batch].
        seed: decides what is drawn in this step.
    """

    tasks: Tasks
    shape: EpisodeShape
    indices: Tensor
    seed: int

    def over_episodes(
        self,
        losses: Callable[[Episodes], Tensor],
        ways: int | None = None,
        queries: int | None = None,
    ) -> Tensor:
        """The mean loss of as many whole episodes as the batch size holds, at least one.

        Args:
            losses: gives the loss of each episode, [episodes]; called with some of them.
            ways: classes in each, if not as many as in the tasks to come.
            queries: of each class, at most as many as in the tasks to come, as many if not given.
        """
        shape = replace(
            self.shape,
            ways=self.shape.ways if ways is None else ways,
            queries=min(self.shape.queries, queries or self.shape.queries),
        )
        count = max(1, len(self.indices) // shape.examples)

        def of(numbers: Tensor) -> Tensor:
            return losses(self.tasks.episodes(numbers, shape, self.seed))

        numbers = torch.arange(count, device=self.tasks.device)
        return self.tasks.ranks.divided(of, numbers).mean()

    def over_examples(self, losses: Callable[[Labelled], Tensor]) -> Tensor:
        """The mean loss of the examples whose turn it is, outside any task.

        Args:
            losses: gives the loss of each example, [n]; called with some of them.
        """

        def of(indices: Tensor) -> Tensor:
            return losses(self.tasks.batch(indices, self.seed))

        return self.tasks.ranks.divided(of, self.indices).mean()


@dataclass(frozen=True)
class MetaLearner(Algorithm, ABC):
    """An algorithm: hyperparameters as frozen fields; what changes in the three containers.

    It is trained on tasks of training classes, and then predicts the queries of tasks it has
    never seen from their support. Each query is predicted from the support alone: what the other
    queries are is information that no algorithm gets.

    Attributes:
        regresses: whether it can be used for regression too.
    """

    options_in: ClassVar[str] = "trainables.scenarios.meta_learning.algorithms"

    needs_whole_model: ClassVar[str | None] = "it copies its network and runs parts of it alone"
    regresses: ClassVar[bool] = True

    @classmethod
    def unused(cls, problem: Problem) -> tuple[str, ...]:
        """Hyperparameters that mean nothing for a problem."""
        return ()

    @classmethod
    def narrowing(cls, problem: Problem, classes: int) -> Mapping[str, Any]:
        """Return the narrowed space for some tasks, in the form of a space file.

        Args:
            problem: what the tasks ask for.
            classes: how many there are to train on.
        """
        return {}

    @classmethod
    def published_for(
        cls, problem: Problem, shape: EpisodeShape
    ) -> Mapping[str, Mapping[str, Any]]:
        """Return `published` for tasks of some kind and size."""
        return cls.published

    @abstractmethod
    def build(self, model: Model, tasks: Tasks) -> nn.Module:
        """The network that is trained, on the CPU; weights come from torch's generator."""

    @abstractmethod
    def loss(self, network: nn.Module, step: TrainingStep) -> Tensor:
        """The loss of one training step, a scalar."""

    def context(self, network: nn.Module, tasks: Tasks) -> Tensor | None:
        """Return what predictions need from the training data, under a trained network."""
        return None

    @abstractmethod
    def predict(
        self,
        network: nn.Module,
        problem: Problem,
        support: Labelled,
        inputs: Tensor,
        context: Tensor | None,
    ) -> Tensor:
        """Predicts the queries of tasks from their support.

        Args:
            network: as it was trained.
            problem: what the tasks ask for.
            support: the labelled examples of each task.
            inputs: the queries, [tasks, queries, ...].
            context: what `context` gave.

        Returns:
            Logits or values, [tasks, queries, outputs].
        """
