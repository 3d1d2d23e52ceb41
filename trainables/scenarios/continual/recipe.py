"""The parts of a config of the continual scenario."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.parts.augmentation import Augmentation
from trainables.parts.augmentations.none import Unchanged
from trainables.parts.model import Model
from trainables.parts.models.mlp import MLP
from trainables.parts.optimizer import Optimizer
from trainables.parts.optimizers.sgd import SGD
from trainables.parts.schedule import Schedule
from trainables.parts.schedules.constant import Constant
from trainables.parts.sections.computing import Computing
from trainables.parts.sections.length import Length
from trainables.scenarios.continual.algorithms.fine_tuning import FineTuning
from trainables.scenarios.continual.continual import Continual


@dataclass(frozen=True)
class Recipe:
    """The sections of a config, with the published default of each."""

    algorithm: Continual = FineTuning()
    optimizer: Optimizer = SGD()
    schedule: Schedule = Constant()
    training: Length = Length()
    augmentation: Augmentation = Unchanged()
    model: Model = MLP()
    computing: Computing = Computing()
