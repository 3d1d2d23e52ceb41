"""The parts of a config of the curriculum scenario."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.parts.augmentation import Augmentation
from trainables.parts.augmentations.none import Unchanged
from trainables.parts.model import Model
from trainables.parts.models.mlp import MLP
from trainables.parts.optimizer import Optimizer
from trainables.parts.optimizers.adamw import AdamW
from trainables.parts.schedule import Schedule
from trainables.parts.schedules.constant import Constant
from trainables.parts.sections.computing import Computing
from trainables.parts.sections.training import Training
from trainables.scenarios.curriculum.algorithms.plain import Plain
from trainables.scenarios.curriculum.curriculum import Curriculum


@dataclass(frozen=True)
class Recipe:
    """The sections of a config, with the published default of each."""

    algorithm: Curriculum = Plain()
    optimizer: Optimizer = AdamW()
    schedule: Schedule = Constant()
    training: Training = Training()
    augmentation: Augmentation = Unchanged()
    model: Model = MLP()
    computing: Computing = Computing()
