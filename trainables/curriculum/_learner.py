"""The learner of the curriculum scenario: supervised training around the five hooks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainables.classification import ClassificationLearner
from trainables.curriculum._curriculum import Curriculum, cross_entropy
from trainables.curriculum._recipe import Recipe
from trainables.learner import State
from trainables.randomness import derive_seed
from trainables.tensors import TensorView


class CurriculumLearner(ClassificationLearner):
    """Trains one recipe; the algorithm's hooks decide on data, model and loss."""

    algorithm: Curriculum

    def __init__(self, recipe: Recipe, data: TensorView, seed: int, device: torch.device) -> None:
        self.recipe = recipe
        self.algorithm = recipe.algorithm.fresh()
        super().__init__(recipe, data, seed, device)
        self.epoch_began = 0.0
        self.in_training = self.model

    def prepared(self, model: nn.Module) -> nn.Module:
        seed = derive_seed(self.seed, "algorithm")
        self.algorithm.data_prepare(self.data.train, seed)
        self.algorithm.model_prepare(model, self.data.train, seed)
        return model

    def prepare(self) -> None:
        """Nothing more: what costs compute comes with the first epoch."""

    @property
    def steps_per_epoch(self) -> int:
        return len(self.data.train) // self.batch_size

    def open_epoch(self) -> None:
        super().open_epoch()
        seed = derive_seed(self.seed, "data_curriculum", self.epoch)
        admitted = self.algorithm.data_curriculum(self.data.train, self.model, self.progress, seed)
        count = len(self.data.train) if admitted is None else len(admitted)
        places = self.shuffled(count, self.steps_per_epoch * self.batch_size)
        self.order = places if admitted is None else admitted[places]

    def epoch_paid(self) -> None:
        super().epoch_paid()
        self.epoch_began = self.progress
        self.in_training = self.algorithm.model_curriculum(self.model, self.progress)

    def step_kind(self) -> str:
        return self.algorithm.loss_phase(self.epoch_began)

    def step(self) -> Tensor:
        start = self.step_in_epoch * self.batch_size
        indices = self.order[start : start + self.batch_size]
        inputs, labels = self.data.train.inputs[indices], self.data.train.labels[indices]
        key = derive_seed(self.seed, "augmentation", self.epoch, start)
        inputs = self.recipe.augmentation.apply(inputs, indices, key)
        self.in_training.train()
        outputs = self.ranks.divided(self.in_training, inputs)
        loss = self.algorithm.loss_curriculum(cross_entropy, outputs, labels, indices, inputs)
        self.descend(loss)
        return loss

    def parts_state(self) -> State:
        return {**super().parts_state(), "epoch_began": self.epoch_began}

    def load_parts_state(self, state: State) -> None:
        super().load_parts_state(state)
        self.epoch_began = state["epoch_began"]
        self.in_training = self.algorithm.model_curriculum(self.model, self.epoch_began)
