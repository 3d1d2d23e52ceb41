"""Prototypical networks (Snell, Swersky and Zemel, NeurIPS 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, final

from torch import Tensor, nn

from search_spaces import Int
from trainables.parts.model import Model
from trainables.scenarios.meta_learning.episodes import Episodes, Labelled, Tasks
from trainables.scenarios.meta_learning.meta_learner import MetaLearner, TrainingStep
from trainables.scenarios.meta_learning.networks import centroids, over_examples, squared_distances
from trainables.scenarios.meta_learning.problems import Classification, Problem

EMBEDDING = 64
FEWEST_WAYS, MOST_WAYS = 2, 60


@final
@dataclass(frozen=True)
class ProtoNet(MetaLearner):
    """The softmax over squared distances to each class's mean embedding, learnt on episodes.

    Snell, Swersky and Zemel, "Prototypical Networks for Few-shot Learning", NeurIPS 2017:
    prototypes are class means of the embedded support, and p(k | x) is the softmax of
    -||f(x) - c_k||^2. Training has more ways than the tasks to come (their Omniglot
    networks had 60), where there are as many classes.
    """

    regresses: ClassVar[bool] = False

    ways: Annotated[int, Int(FEWEST_WAYS, MOST_WAYS, log=True)] = 60

    @classmethod
    def narrowing(cls, problem: Problem, classes: int) -> Mapping[str, Any]:
        low, high = cls.ways_within(problem.outputs, classes)
        return {"ways": {"low": low, "high": high}}

    @staticmethod
    def ways_within(ways: int, classes: int) -> tuple[int, int]:
        """The ways that training can have: those of the tasks to come, or more of the classes."""
        low = min(max(ways, FEWEST_WAYS), MOST_WAYS)
        return low, max(low, min(classes, MOST_WAYS))

    def build(self, model: Model, tasks: Tasks) -> nn.Module:
        return model.build(tasks.input_shape, EMBEDDING)

    def loss(self, network: nn.Module, step: TrainingStep) -> Tensor:
        ways = min(max(self.ways, step.shape.ways), step.tasks.classes)
        problem = Classification(ways)

        def losses(episodes: Episodes) -> Tensor:
            support, query = episodes.support, episodes.query
            logits = self.predict(network, problem, support, query.inputs, None)
            return problem.losses(logits, query.targets).mean(1)

        return step.over_episodes(losses, ways)

    def predict(
        self,
        network: nn.Module,
        problem: Problem,
        support: Labelled,
        inputs: Tensor,
        context: Tensor | None,
    ) -> Tensor:
        embedded = over_examples(network, support.inputs)
        prototypes = centroids(embedded, problem.encode(support.targets))
        return -squared_distances(over_examples(network, inputs), prototypes)
