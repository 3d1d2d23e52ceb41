"""What scenarios share that train a classifier and judge it by accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from trainables.batch_norm import share_batch_norm
from trainables.data import DataView
from trainables.flops import FlopCounter
from trainables.learner import Learner, State
from trainables.models import Model
from trainables.optimizers import Optimizer
from trainables.randomness import derive_seed, permutation, seed_cpu
from trainables.scenario import Scenario
from trainables.schedules import Schedule
from trainables.scoring import evaluating, logits_of
from trainables.tensors import TensorExamples, TensorView
from trainables.training import Training

SMALL = 256


class ClassificationScenario(Scenario):
    """A scenario whose models are classifiers, compared by accuracy."""

    metric = "accuracy"
    mode = "max"

    def default_model(self, view: DataView) -> str:
        """A CNN for images of more than 256 values, else an MLP."""
        images = len(view.input_shape) == 3 and math.prod(view.input_shape) > SMALL
        return "cnn" if images else "mlp"


class HasState(Protocol):
    """An algorithm; everything in it that changes is in `state`."""

    @property
    def state(self) -> dict[str, Tensor]:
        """Tensors on the training device."""
        ...


class ClassificationRecipe(Protocol):
    """The sections that every such scenario's config has."""

    @property
    def optimizer(self) -> Optimizer:
        """How weights are changed."""
        ...

    @property
    def schedule(self) -> Schedule:
        """How the learning rate moves."""
        ...

    @property
    def training(self) -> Training:
        """Length, batch size, and which weights count."""
        ...

    @property
    def model(self) -> Model:
        """What is trained."""
        ...


class ClassificationLearner(Learner):
    """Holds model, optimizer and best epoch; what a step is, subclasses say."""

    algorithm: HasState

    def __init__(
        self, recipe: ClassificationRecipe, data: TensorView, seed: int, device: torch.device
    ) -> None:
        super().__init__(data, seed, device)
        self.data = data
        self.sections = recipe
        self.batch_size = min(recipe.training.batch_size, len(data.train))
        self.order = torch.empty(0, dtype=torch.int64, device=device)
        self.best: dict[str, Tensor] = {}
        self.best_accuracy = -1.0
        self._candidate = -1.0
        self.model = self._new_model()
        self.optimizer = recipe.optimizer.build(self.model.parameters())

    def _new_model(self) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            seed_cpu(derive_seed(self.seed, "initialisation"))
            model = self.sections.model.build(self.data.input_shape, self.data.num_classes)
        return share_batch_norm(model.to(self.device), self.ranks)

    def measure_unit(self) -> int:
        model, batch = self._new_model(), min(64, len(self.data.train))
        inputs = self.data.train.inputs[:batch]
        # What the labels are does not change what a pass costs, and some may not be known.
        labels = torch.zeros(batch, dtype=torch.int64, device=self.device)
        with FlopCounter() as counter:
            F.cross_entropy(model(inputs), labels).backward()
        return counter.total * len(self.data.train) // batch

    def open_epoch(self) -> None:
        """Validates the epoch that is over, if the best one is wanted."""
        if self.sections.training.selection == "best" and self.epoch > 0:
            self._candidate = self._metrics(self.current_weights())["accuracy"]

    def epoch_paid(self) -> None:
        if self._candidate > self.best_accuracy:
            self.best_accuracy = self._candidate
            self.best = {k: v.clone() for k, v in self.current_weights().items()}

    def shuffled(self, count: int, needed: int, purpose: str = "order") -> Tensor:
        """Places below `count` for this epoch: shuffled passes until there are `needed`."""
        passes = [
            permutation(count, derive_seed(self.seed, purpose, self.epoch, repeat))
            for repeat in range(-(-needed // count))
        ]
        return torch.cat(passes)[:needed].to(self.device)

    def descend(self, loss: Tensor) -> None:
        """One step of the optimizer on a loss of the whole batch."""
        self.optimizer.zero_grad()
        loss.backward()
        self.ranks.sum_gradients(self.model.parameters())
        self.sections.schedule.apply(self.optimizer, self.progress)
        self.optimizer.step()

    def current_weights(self) -> dict[str, Tensor]:
        """The weights that would count if this were the last step."""
        return self.model.state_dict()

    def weights(self) -> dict[str, Tensor]:
        return self.best or self.current_weights()

    def load_weights(self, weights: dict[str, Tensor]) -> None:
        self.best = {}
        self.model.load_state_dict(weights)

    def _forward(self, weights: dict[str, Tensor]) -> Callable[[Tensor], Tensor]:
        return partial(functional_call, self.model, weights)

    def measure(self) -> dict[str, float]:
        return self._metrics(self.weights())

    def _metrics(self, weights: dict[str, Tensor]) -> dict[str, float]:
        with evaluating(self.model):
            logits = logits_of(self._forward(weights), self.data.validation)
            labels = self.data.validation.labels
            accuracy = (logits.argmax(1) == labels).float().mean()
            return {
                "accuracy": accuracy.item(),
                "loss": F.cross_entropy(logits, labels).item(),
            }

    def item_scores(self, items: TensorExamples) -> Tensor:
        with evaluating(self.model):
            logits = logits_of(self._forward(self.weights()), items)
        return (logits.argmax(1) == items.labels).double()

    def parts_state(self) -> State:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "algorithm": dict(self.algorithm.state),
            "order": self.order,
            "best": self.best,
            "best_accuracy": self.best_accuracy,
            "candidate": self._candidate,
        }

    def load_parts_state(self, state: State) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.algorithm.state.clear()
        self.algorithm.state.update(state["algorithm"])
        self.order = state["order"]
        self.best = dict(state["best"])
        self.best_accuracy, self._candidate = state["best_accuracy"], state["candidate"]
