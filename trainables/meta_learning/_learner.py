"""The learner of the meta-learning scenario: steps on training tasks, scores on others."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from trainables.flops import FlopCounter
from trainables.learner import Learner, State
from trainables.meta_learning._episodes import FixedEpisodes
from trainables.meta_learning._meta_learner import TrainingStep
from trainables.meta_learning._recipe import Recipe
from trainables.meta_learning._views import TaskData
from trainables.randomness import derive_seed, permutation, seed_cpu
from trainables.scoring import evaluating


class EpisodicLearner(Learner):
    """Trains one recipe; the algorithm decides what a step learns from and how it predicts.

    An epoch is as many steps as one pass over all training examples takes with the batch size,
    whatever the algorithm draws in them.
    """

    def __init__(self, recipe: Recipe, data: TaskData, seed: int, device: torch.device) -> None:
        super().__init__(data, seed, device)
        self.data = data
        self.recipe = recipe
        self.algorithm = replace(recipe.algorithm)  # a state of its own
        self.batch_size = min(recipe.training.batch_size, data.training.examples)
        self.order = torch.empty(0, dtype=torch.int64, device=device)
        self.best: dict[str, Tensor] = {}
        self.best_merit = self._candidate = -math.inf
        with torch.random.fork_rng(devices=[]):
            seed_cpu(derive_seed(seed, "initialisation"))
            network = self.algorithm.build(recipe.model, data.training)
        self.network = network.to(device)
        self.optimizer = recipe.optimizer.build(self.network.parameters())

    def measure_unit(self) -> int:
        tasks = self.data.training
        count = min(64, tasks.examples)
        with torch.random.fork_rng(devices=[]):
            network = self.recipe.model.build(tasks.input_shape, tasks.classes).to(self.device)
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
        if self.recipe.training.selection == "best" and self.epoch > 0:
            problem = self.data.training.problem
            self._candidate = problem.sign * self._metrics(self.network)[problem.metric]
        seed = derive_seed(self.seed, "order", self.epoch)
        self.order = permutation(self.data.training.examples, seed).to(self.device)

    def epoch_paid(self) -> None:
        if self._candidate > self.best_merit:
            self.best_merit = self._candidate
            self.best = {k: v.clone() for k, v in self.network.state_dict().items()}

    def step_kind(self) -> str:
        return ""

    def step(self) -> Tensor:
        start = self.step_in_epoch * self.batch_size
        indices = self.order[start : start + self.batch_size]
        seed = derive_seed(self.seed, "tasks", self.epoch, self.step_in_epoch)
        shape = self.data.validation.shape
        self.network.train()
        step = TrainingStep(self.data.training, shape, indices, seed)
        loss = self.algorithm.loss(self.network, step)
        self.optimizer.zero_grad()
        loss.backward()
        self.recipe.schedule.apply(self.optimizer, self.progress)
        self.optimizer.step()
        return loss

    def weights(self) -> dict[str, Tensor]:
        return self.best or self.network.state_dict()

    def load_weights(self, weights: dict[str, Tensor]) -> None:
        self.best = {}
        self.network.load_state_dict(weights)

    def measure(self) -> dict[str, float]:
        return self._metrics(self._scored())

    def item_scores(self, items: FixedEpisodes) -> Tensor:
        return self._scores(self._scored(), items)[0]

    def _scored(self) -> nn.Module:
        """The network with the weights that count."""
        if not self.best:
            return self.network
        network = copy.deepcopy(self.network)
        network.load_state_dict(self.best)
        return network

    def _metrics(self, network: nn.Module) -> dict[str, float]:
        scores, losses = self._scores(network, self.data.validation)
        metric = self.data.training.problem.metric
        return {metric: scores.mean().item(), "loss": losses.mean().item()}

    def _scores(self, network: nn.Module, items: FixedEpisodes) -> tuple[Tensor, Tensor]:
        """Metric and mean loss of each episode, [episodes]."""
        problem, scores, losses = items.tasks.problem, [], []
        with evaluating(network):
            context = self.algorithm.context(network, self.data.training)
            for episodes in items.chunks():
                support, query = episodes.support, episodes.query
                outputs = self.algorithm.predict(network, problem, support, query.inputs, context)
                scores.append(problem.scores(outputs, query.targets))
                losses.append(problem.losses(outputs, query.targets).mean(1))
        return torch.cat(scores), torch.cat(losses)

    def parts_state(self) -> State:
        return {
            "model": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "algorithm": dict(self.algorithm.state),
            "order": self.order,
            "best": self.best,
            "best_merit": self.best_merit,
            "candidate": self._candidate,
        }

    def load_parts_state(self, state: State) -> None:
        self.network.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.algorithm.state.clear()
        self.algorithm.state.update(state["algorithm"])
        self.order = state["order"]
        self.best = dict(state["best"])
        self.best_merit, self._candidate = state["best_merit"], state["candidate"]
