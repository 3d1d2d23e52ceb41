"""What a config of the continual scenario consists of."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.augmentations import Augmentation
from trainables.augmentations.none import Unchanged
from trainables.computing import Computing
from trainables.continual._continual import Continual
from trainables.continual.fine_tuning import FineTuning
from trainables.length import Length
from trainables.models import Model
from trainables.models.mlp import MLP
from trainables.optimizers import Optimizer
from trainables.optimizers.sgd import SGD
from trainables.schedules import Schedule
from trainables.schedules.constant import Constant


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
