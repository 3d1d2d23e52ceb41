"""What a config of the curriculum scenario consists of."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.augmentations import Augmentation
from trainables.augmentations.none import Unchanged
from trainables.computing import Computing
from trainables.curriculum._curriculum import Curriculum
from trainables.curriculum.plain import Plain
from trainables.models import Model
from trainables.models.mlp import MLP
from trainables.optimizers import Optimizer
from trainables.optimizers.adamw import AdamW
from trainables.schedules import Schedule
from trainables.schedules.constant import Constant
from trainables.training import Training


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
