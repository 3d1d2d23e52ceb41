"""The learner of the meta-learning scenario: steps on training tasks, scores on others."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from trainables.foundation.randomness import derive_seed
from trainables.learning.descent import DescentLearner
from trainables.learning.flops import FlopCounter
from trainables.learning.scoring import evaluating
from trainables.ranks.shared_layers import share_layers
from trainables.scenarios.meta_learning.episodes import FixedEpisodes
from trainables.scenarios.meta_learning.meta_learner import MetaLearner, TrainingStep
from trainables.scenarios.meta_learning.recipe import Recipe
from trainables.scenarios.meta_learning.views import TaskData


class EpisodicLearner(DescentLearner):
    """Trains one recipe; the algorithm decides what a step learns from and how it predicts.

    An epoch is as many steps as one pass over all training examples takes with the batch size,
    whatever the algorithm draws in them.
    """

    algorithm: MetaLearner

    def __init__(self, recipe: Recipe, data: TaskData, seed: int, device: torch.device) -> None:
        self.data = data
        self.algorithm = recipe.algorithm.fresh()
        super().__init__(recipe, data, data.training.examples, seed, device)

    def build(self) -> nn.Module:
        network = self.algorithm.build(self.sections.model, self.data.training)
        return share_layers(network, self.ranks)

    def measure_unit(self) -> int:
        tasks = self.data.training
        count = self.unit_batch(tasks.examples, self.batch_size)
        with torch.random.fork_rng(devices=[]):
            network = self.sections.model.build(tasks.input_shape, tasks.classes).to(self.device)
        inputs, targets = tasks.batch(torch.arange(count, device=self.device), seed=0)
        with FlopCounter() as counter:
            tasks.problem.losses(network(inputs), targets).mean().backward()
        return counter.total * tasks.examples // count

    def prepare(self) -> None:
        """There is nothing to prepare."""

    @property
    def steps_per_epoch(self) -> int:
        return self.data.training.examples // self.batch_size

    def open_epoch(self) -> None:
        super().open_epoch()
        examples = self.data.training.examples
        self.order = self.shuffled(examples, examples)

    def step_kind(self) -> str:
        return ""

    def step(self) -> Tensor:
        start = self.step_in_epoch * self.batch_size
        indices = self.order[start : start + self.batch_size]
        seed = derive_seed(self.seed, "tasks", self.epoch, self.step_in_epoch)
        shape = self.data.validation.shape
        self.model.train()
        step = TrainingStep(self.data.training, shape, indices, seed)
        loss = self.algorithm.loss(self.model, step)
        self.descend(loss)
        return loss

    def metrics_of(self, weights: dict[str, Tensor]) -> dict[str, float]:
        scores, losses = self._scores(weights, self.data.validation)
        metric = self.data.training.problem.metric
        return {metric: scores.mean().item(), "loss": losses.mean().item()}

    def merit_of(self, metrics: dict[str, float]) -> float:
        problem = self.data.training.problem
        return problem.sign * metrics[problem.metric]

    def item_scores(self, items: FixedEpisodes) -> Tensor:
        return self._scores(self.weights(), items)[0]

    def _scores(self, weights: dict[str, Tensor], items: FixedEpisodes) -> tuple[Tensor, Tensor]:
        """Metric and mean loss of each episode, [episodes]."""
        network = copy.deepcopy(self.model)
        network.load_state_dict(weights)
        problem, scores, losses = items.tasks.problem, [], []
        with evaluating(network):
            context = self.algorithm.context(network, self.data.training)
            for episodes in items.own_chunks():
                support, query = episodes.support, episodes.query
                outputs = self.algorithm.predict(network, problem, support, query.inputs, context)
                scores.append(problem.scores(outputs, query.targets))
                losses.append(problem.losses(outputs, query.targets).mean(1))
        gather = items.tasks.ranks.gather
        return gather(torch.cat(scores), items.count), gather(torch.cat(losses), items.count)
