"""The learner of the curriculum scenario: supervised training around the five hooks."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from trainables.foundation.randomness import derive_seed
from trainables.learning.learner import State
from trainables.learning.scoring import evaluating, logits_of
from trainables.learning.short_training import RunUp
from trainables.learning.tensors import TensorView
from trainables.scenarios.classification import ClassificationLearner
from trainables.scenarios.curriculum.curriculum import Curriculum, cross_entropy
from trainables.scenarios.curriculum.parts import Pace, Parts
from trainables.scenarios.curriculum.recipe import Recipe
from trainables.scenarios.curriculum.run_up import least_horizon, require_room


class CurriculumLearner(ClassificationLearner):
    """Trains one recipe; the algorithm's hooks decide on data, model and loss."""

    algorithm: Curriculum

    def __init__(self, recipe: Recipe, data: TensorView, seed: int, device: torch.device) -> None:
        self.recipe = recipe
        self.algorithm = recipe.algorithm.fresh()
        super().__init__(recipe, data, seed, device)
        self.parts = Parts(self.algorithm, data.train, self.batch_size, seed)
        self.steps_in_part = self.parts.steps_in_pass
        self.taken = 0
        self.before_first_step = 0
        self.part_began = 0.0
        self.chosen: Tensor | None = None
        self.chosen_at = 0.0
        self.in_training = self.model

    def prepared(self, model: nn.Module) -> nn.Module:
        seed = derive_seed(self.seed, "algorithm")
        self.algorithm.data_prepare(self.data.train, seed)
        self.algorithm.model_prepare(model, self.data.train, seed)
        return model

    def settle(self) -> None:
        """Refuses a horizon of which the teacher or scorer would take more than half."""
        super().settle()
        needed = self.algorithm.run_up(self.data.train)
        if needed == RunUp():
            return
        few = self.unit_batch(len(self.data.train), self.batch_size)
        forward = self.flops_of(f"a pass over {few}", lambda learner: learner.pass_over(few))
        forward = forward * len(self.data.train) // few
        least = least_horizon(needed, self.unit, forward)
        require_room(self.algorithm.part_name(), least, self.horizon / self.unit)

    def pass_over(self, few: int) -> Tensor:
        """The logits of some examples, trained on nothing: what a pass costs is seen by them."""
        train = self.data.train
        some = replace(train, inputs=train.inputs[:few], labels=train.labels[:few])
        with evaluating(self.model):
            return logits_of(self.model, some)

    def prepare(self) -> None:
        """Nothing more: what costs compute comes with the first part of the training."""

    @property
    def training_progress(self) -> float:
        """The share of the training that is over, without what came before its first step."""
        left = self.horizon - self.before_first_step
        return (self.spent - self.before_first_step) / left if left > 0 else 0.0

    @property
    def steps_per_epoch(self) -> int:
        return self.steps_in_part

    def pass_is_over(self) -> bool:
        return self.taken > 0 and self.taken % self.parts.steps_in_pass == 0

    def open_epoch(self) -> None:
        super().open_epoch()
        self.chosen_at = progress = self.training_progress
        seed = derive_seed(self.seed, "data_curriculum", self.epoch)
        passes = (self.horizon - self.before_first_step) / self.unit
        self.parts.tell_rows(self.taken, progress, passes, seed)
        self.chosen = self.algorithm.data_curriculum(self.data.train, self.model, progress, seed)

    def epoch_paid(self) -> None:
        super().epoch_paid()
        if self.taken == 0:
            self.before_first_step = self.spent
        self.part_began = self.training_progress
        self.in_training = self.algorithm.model_curriculum(self.model, self.part_began)
        # A step that is counted beforehand needs examples, whichever.
        self.order = torch.arange(self.batch_size, device=self.device)
        self.order = self.parts.plan(
            self.chosen, self.chosen_at, self.taken, self._pace(), self.epoch
        )
        self.steps_in_part = len(self.order) // self.batch_size

    def _pace(self) -> Pace:
        left = self.horizon - self.before_first_step
        return Pace(self.training_progress, self._flops_of_next_step() / max(1, left))

    def step_kind(self) -> str:
        return self.algorithm.loss_phase(self.part_began)

    def step(self) -> Tensor:
        start = self.step_in_epoch * self.batch_size
        indices = self.order[start : start + self.batch_size]
        inputs, labels = self.data.train.inputs[indices], self.data.train.labels[indices]
        number, at = divmod(self.taken, self.parts.steps_in_pass)
        key = derive_seed(self.seed, "augmentation", number, at * self.batch_size)
        inputs = self.recipe.augmentation.apply(inputs, indices, key)
        own = derive_seed(key, "algorithm")
        self.algorithm.tell(progress=self.training_progress, indices=indices, key=own)
        self.in_training.train()
        outputs = self.ranks.divided(self.in_training, inputs)
        loss = self.algorithm.loss_curriculum(cross_entropy, outputs, labels, indices, inputs)
        self.descend(loss)
        self.taken += 1
        return loss

    def parts_state(self) -> State:
        return {
            **super().parts_state(),
            "taken": self.taken,
            "steps_in_part": self.steps_in_part,
            "part_began": self.part_began,
            "before_first_step": self.before_first_step,
            "chosen": self.chosen,
            "chosen_at": self.chosen_at,
        }

    def load_parts_state(self, state: State) -> None:
        super().load_parts_state(state)
        self.taken, self.steps_in_part = state["taken"], state["steps_in_part"]
        self.before_first_step, self.chosen = state["before_first_step"], state["chosen"]
        self.part_began, self.chosen_at = state["part_began"], state["chosen_at"]
        self.in_training = self.algorithm.model_curriculum(self.model, self.part_began)
        self.parts.tell_fewest()
