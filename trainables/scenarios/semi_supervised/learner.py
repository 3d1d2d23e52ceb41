"""The learner of the semi-supervised scenario."""

from __future__ import annotations

import torch
from torch import Tensor

from trainables.foundation.randomness import derive_seed
from trainables.learning.learner import State
from trainables.learning.tensors import TensorView
from trainables.scenarios.classification import ClassificationLearner
from trainables.scenarios.semi_supervised.average import Average
from trainables.scenarios.semi_supervised.batch import Batch
from trainables.scenarios.semi_supervised.networks import Networks
from trainables.scenarios.semi_supervised.recipe import Recipe
from trainables.scenarios.semi_supervised.semi_supervised import SemiSupervised
from trainables.scenarios.semi_supervised.view import UNKNOWN


class SemiSupervisedLearner(ClassificationLearner):
    """Each step takes a batch of labelled examples and μ times as many of all training inputs.

    Labelled examples are among those, without their labels (as in FixMatch, Sohn et al., NeurIPS
    2020). An epoch is one pass over the inputs that a step takes most of: as many steps as it
    takes to see N unlabelled examples, or, for the baseline, N labelled ones.
    """

    algorithm: SemiSupervised

    def __init__(self, recipe: Recipe, data: TensorView, seed: int, device: torch.device) -> None:
        self.recipe = recipe
        self.algorithm = recipe.algorithm.fresh()
        super().__init__(recipe, data, seed, device)
        self.average = Average(self.algorithm.state)
        self.labelled = torch.nonzero(data.train.labels != UNKNOWN).flatten()
        self.unlabelled_size = self.batch_size * self.algorithm.unlabelled_per_labelled()
        self.unlabelled_order = torch.empty_like(self.order)

    def prepare(self) -> None:
        self.algorithm.prepare(self.data.train, self.data.num_classes)
        if self.algorithm.average:
            self.average.begin(self.model)

    @property
    def steps_per_epoch(self) -> int:
        return max(1, len(self.data.train) // max(self.batch_size, self.unlabelled_size))

    def open_epoch(self) -> None:
        super().open_epoch()
        steps, examples = self.steps_per_epoch, len(self.data.train)
        self.order = self.labelled[self.shuffled(len(self.labelled), steps * self.batch_size)]
        if self.unlabelled_size:
            needed = steps * self.unlabelled_size
            self.unlabelled_order = self.shuffled(examples, needed, "unlabelled order")

    def step_kind(self) -> str:
        return ""

    def step(self) -> Tensor:
        self.model.train()
        networks = Networks(self.model, self.average, self.ranks)
        labelled = self._batch(self.order, self.batch_size, "labelled")
        labels = self.data.train.labels[labelled.indices]
        loss = self.algorithm.labelled_loss(labelled, labels, networks)
        if self.unlabelled_size:
            batch = self._batch(self.unlabelled_order, self.unlabelled_size, "unlabelled")
            added = self.algorithm.weighted_unlabelled_loss(batch, networks, self.progress)
            loss = loss if added is None else loss + added
        self.descend(loss)
        if self.algorithm.average:
            step = self.epoch * self.steps_per_epoch + self.step_in_epoch
            self.average.update(self.model, self.algorithm.average, step)
        return loss

    def _batch(self, order: Tensor, size: int, purpose: str) -> Batch:
        indices = order[self.step_in_epoch * size : (self.step_in_epoch + 1) * size]
        key = derive_seed(self.seed, purpose, self.epoch, self.step_in_epoch)
        return Batch(self.data.train.inputs[indices], indices, self.recipe.view, key)

    def current_weights(self) -> dict[str, Tensor]:
        """The average where there is one: what every method here is evaluated with."""
        return self.average.weights() or super().current_weights()

    def load_weights(self, weights: dict[str, Tensor]) -> None:
        super().load_weights(weights)
        if self.average.weights():
            self.average.begin(self.model)

    def parts_state(self) -> State:
        return {**super().parts_state(), "unlabelled_order": self.unlabelled_order}

    def load_parts_state(self, state: State) -> None:
        super().load_parts_state(state)
        self.unlabelled_order = state["unlabelled_order"]
