"""The learner of the curriculum scenario: supervised training around the five hooks."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.classification import ClassificationLearner
from trainables.curriculum._curriculum import Curriculum
from trainables.curriculum._recipe import Recipe
from trainables.randomness import derive_seed
from trainables.tensors import TensorView

cross_entropy = partial(F.cross_entropy, reduction="none")


class CurriculumLearner(ClassificationLearner):
    """Trains one recipe; the algorithm's hooks decide on data, model and loss."""

    algorithm: Curriculum

    def __init__(self, recipe: Recipe, data: TensorView, seed: int, device: torch.device) -> None:
        super().__init__(recipe, data, seed, device)
        self.recipe = recipe
        self.algorithm = replace(recipe.algorithm)  # a state of its own

    def prepare(self) -> None:
        seed = derive_seed(self.seed, "algorithm")
        self.algorithm.data_prepare(self.data.train, seed)
        self.algorithm.model_prepare(self.model, self.data.train, seed)

    @property
    def steps_per_epoch(self) -> int:
        return len(self.data.train) // self.batch_size

    def open_epoch(self) -> None:
        super().open_epoch()
        admitted = self.algorithm.data_curriculum(self.data.train, self.model, self.progress)
        count = len(self.data.train) if admitted is None else len(admitted)
        places = self.shuffled(count, self.steps_per_epoch * self.batch_size)
        self.order = places if admitted is None else admitted[places]
        self.model = self.algorithm.model_curriculum(self.model, self.progress)

    def step_kind(self) -> str:
        return self.algorithm.loss_phase(self.progress)

    def step(self) -> Tensor:
        start = self.step_in_epoch * self.batch_size
        indices = self.order[start : start + self.batch_size]
        inputs, labels = self.data.train.inputs[indices], self.data.train.labels[indices]
        key = derive_seed(self.seed, "augmentation", self.epoch, start)
        inputs = self.recipe.augmentation.apply(inputs, indices, key)
        self.model.train()
        own = self.model(inputs[self.ranks.share(len(indices))])
        outputs = self.ranks.gather(own, len(indices))
        loss = self.algorithm.loss_curriculum(cross_entropy, outputs, labels, indices, inputs)
        self.descend(loss)
        return loss
